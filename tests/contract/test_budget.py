"""The one budget of requests, in a real Redis: never passed, corrected by headers, full when it can't be counted."""

from __future__ import annotations

import multiprocessing
import random
import time
from datetime import UTC, datetime

import pytest
from redis import Redis
from redis.connection import Connection
from redis.exceptions import ConnectionError as RedisConnectionError

from mastowatch.adapters.budget import DURATIONS, Budget
from mastowatch.errors import BudgetExhausted, StoreUnavailable
from tests.redis_server import nowhere

# 12:00 UTC, where a window of 5 and one of 15 minutes begin; and the ends of both.
NOON = 1_767_268_800.0
SHORT, LONG = NOON + 300, NOON + 900
# From what can wait to what can't.
PURPOSES = ("sweep", "timeline", "poll", "judge", "webhook", "report")


class Clock:
    def __init__(self) -> None:
        self.now = NOON + 10

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def budget(redis, clock):
    return Budget(redis, per_5_min=100, paged_per_15_min=20, clock=clock)


def used(budget: Budget) -> dict[str, int]:
    return {family.family: family.used for family in budget.read()}


def spend(budget: Budget, purpose, *, paged: bool = False) -> tuple[int, BudgetExhausted]:
    """Take all there is; return how many that were, and the refusal."""
    for taken in range(100_000):
        try:
            budget.take(purpose, paged=paged)
        except BudgetExhausted as error:
            return taken, error
    raise AssertionError("no end to it")


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def headers(remaining: object, reset: object, limit: object = 300) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(reset),
    }


def test_the_families_are_mastodons_own(redis, clock):
    families = Budget(redis, clock=clock).read()
    assert [(one.family, one.used, one.limit, one.resets_at) for one in families] == [
        ("token", 0, 300, SHORT),
        ("user", 0, 1500, SHORT),
        ("paging", 0, 300, LONG),
    ]


def test_a_request_counts_in_every_family_it_belongs_to_and_in_the_statistics(budget, redis):
    budget.take("poll", paged=False)
    budget.take("sweep", paged=True)
    assert used(budget) == {"token": 2, "user": 2, "paging": 1}
    tally = {b"requests_poll": b"1", b"requests_sweep": b"1", b"requests_paged": b"1"}
    assert redis.hgetall("mastowatch:tally") == tally


@pytest.mark.parametrize(("purpose", "share"), list(zip(PURPOSES, (50, 60, 70, 80, 95, 100), strict=True)))
def test_each_kind_of_work_leaves_room_for_the_more_urgent(budget, purpose, share):
    taken, refusal = spend(budget, purpose)
    assert taken == share
    assert SHORT < refusal.retry_at <= SHORT + 2
    assert purpose in str(refusal)


def test_what_the_less_urgent_left_is_there_for_the_more_urgent(budget):
    assert [spend(budget, purpose)[0] for purpose in PURPOSES] == [50, 10, 10, 10, 15, 5]


def test_a_full_paging_family_stops_pages_and_nothing_else(budget):
    taken, refusal = spend(budget, "report", paged=True)
    assert taken == 20
    assert LONG < refusal.retry_at <= LONG + 2
    budget.take("sweep", paged=False)


def test_a_refused_request_counts_nowhere(budget, redis):
    spend(budget, "report", paged=True)
    before = used(budget), redis.hgetall("mastowatch:tally")
    with pytest.raises(BudgetExhausted):
        budget.take("report", paged=True)
    assert (used(budget), redis.hgetall("mastowatch:tally")) == before


def test_what_two_full_families_forbid_is_due_when_the_later_one_opens(budget):
    spend(budget, "report", paged=True)
    spend(budget, "report")
    with pytest.raises(BudgetExhausted) as refusal:
        budget.take("report", paged=True)
    assert refusal.value.retry_at > LONG


def test_a_new_window_is_empty(budget, clock):
    spend(budget, "report")
    clock.now = spend(budget, "report")[1].retry_at
    budget.take("sweep", paged=False)
    assert used(budget)["token"] == 1


def test_every_counter_outlives_its_window_and_no_more(budget, redis):
    budget.take("poll", paged=True)
    ttl = {key.decode().split(":")[2]: redis.ttl(key) for key in redis.scan_iter("mastowatch:budget:*")}
    assert 290 < ttl["token"] <= 352
    assert 290 < ttl["user"] <= 352
    assert 890 < ttl["paging"] <= 952


def test_even_a_tiny_budget_lets_one_request_through(redis, clock):
    tiny = Budget(redis, per_5_min=1, paged_per_15_min=1, clock=clock)
    assert spend(tiny, "sweep", paged=True)[0] == 1


# --- learning from the server ---


@pytest.mark.parametrize("reset", [iso(SHORT + 0.734_121), int(SHORT)], ids=["Mastodon", "mastodon-mock"])
def test_a_server_that_has_counted_more_is_believed(budget, clock, reset):
    clock.now += 0.734_121
    budget.learn(headers(30, reset), paged=False, status=200)
    assert used(budget) == {"token": 70, "user": 0, "paging": 0}
    assert spend(budget, "report")[0] == 30


def test_a_server_that_has_counted_less_is_not(budget):
    for _ in range(9):
        budget.take("poll", paged=False)
    budget.learn(headers(99, iso(SHORT)), paged=False, status=200)
    assert used(budget)["token"] == 9


def test_the_limit_of_1500_speaks_of_the_user(redis, clock):
    budget = Budget(redis, clock=clock)
    budget.learn(headers(200, iso(SHORT), 1500), paged=True, status=200)
    assert used(budget) == {"token": 0, "user": 1300, "paging": 0}


def test_the_end_of_the_window_tells_the_pages_from_the_rest(budget):
    budget.learn(headers(5, iso(LONG)), paged=True, status=200)
    assert used(budget) == {"token": 0, "user": 0, "paging": 15}
    budget.learn(headers(60, iso(SHORT)), paged=True, status=200)
    assert used(budget) == {"token": 40, "user": 0, "paging": 15}


def test_where_both_windows_end_together_both_are_corrected(budget, clock):
    clock.now = NOON + 700
    budget.learn(headers(4, iso(LONG)), paged=True, status=200)
    assert used(budget) == {"token": 96, "user": 0, "paging": 16}


def test_a_reset_that_is_nobodys_corrects_all_that_it_may_mean(budget):
    budget.learn(headers(4, int(NOON + 77)), paged=True, status=200)
    assert used(budget) == {"token": 96, "user": 0, "paging": 16}


def test_a_late_answer_says_nothing_about_the_new_window(budget, clock):
    clock.now = SHORT + 0.1
    budget.learn(headers(1, iso(SHORT + 0.9)), paged=True, status=200)
    assert used(budget) == {"token": 0, "user": 0, "paging": 0}


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"X-RateLimit-Remaining": "many"},
        {"X-RateLimit-Remaining": "", "X-RateLimit-Reset": "soon"},
        {"X-RateLimit-Limit": "1" * 5000, "X-RateLimit-Reset": iso(SHORT)},
        headers("9" * 400, "9" * 400, "9" * 400),
    ],
)
def test_absent_and_odd_headers_are_left_alone(budget, odd):
    budget.learn(odd, paged=True, status=200)
    assert used(budget) == {"token": 0, "user": 0, "paging": 0}


@pytest.mark.parametrize("reset", ["soon", "²", ""])
def test_what_remains_is_believed_even_beside_an_odd_reset(budget, reset):
    budget.learn({"X-RateLimit-Remaining": "40", "X-RateLimit-Reset": reset}, paged=False, status=200)
    assert used(budget)["token"] == 60


# --- a 429 ---


def test_a_429_blocks_all_work_until_its_reset(budget, clock, redis):
    budget.learn(headers(0, iso(SHORT)), paged=False, status=429)
    for purpose in PURPOSES:
        with pytest.raises(BudgetExhausted) as refusal:
            budget.take(purpose, paged=False)
        assert SHORT <= refusal.value.retry_at <= SHORT + 2
    assert budget.blocked_until() == pytest.approx(refusal.value.retry_at, abs=0.01)
    assert 0 < redis.ttl("mastowatch:budget:blocked_until") < 400
    clock.now = refusal.value.retry_at + 0.01
    budget.take("sweep", paged=False)


@pytest.mark.parametrize("reset", [None, "soon", iso(NOON - 5), iso(NOON + 86_400)])
@pytest.mark.parametrize(("paged", "until"), [(False, SHORT), (True, LONG)])
def test_a_429_without_a_believable_reset_blocks_until_the_windows_end(budget, reset, paged, until):
    budget.learn({"X-RateLimit-Reset": reset} if reset else {}, paged=paged, status=429)
    assert until <= budget.blocked_until() <= until + 2


def test_a_429_of_the_short_window_does_not_block_for_the_long_one(budget):
    budget.learn(headers(0, iso(SHORT)), paged=True, status=429)
    assert SHORT <= budget.blocked_until() <= SHORT + 2


def test_a_second_429_does_not_shorten_the_first_ones_block(budget):
    budget.learn(headers(0, iso(LONG)), paged=True, status=429)
    budget.learn(headers(0, iso(SHORT)), paged=False, status=429)
    assert budget.blocked_until() >= LONG


# --- Redis away, and readers at once ---


def test_how_long_an_answer_took_is_counted_by_its_purpose_with_no_way_more(budget, redis, monkeypatch):
    sent: list[object] = []
    monkeypatch.setattr(Connection, "send_packed_command", _noting(sent, Connection.send_packed_command))
    budget.take("poll", paged=True)
    budget.learn(headers(50, iso(SHORT)), paged=True, status=200, took_s=0.25)
    del sent[:]
    budget.take("judge", paged=True)
    budget.learn(headers(40, iso(SHORT)), paged=True, status=429, took_s=99.0)
    assert len(sent) == 2
    budget.learn({}, paged=False, status=503)
    budget.learn({}, paged=False, status=302)
    assert {name.decode(): float(value) for name, value in redis.hgetall(DURATIONS).items()} == {
        "poll:0.25": 1,
        "poll:sum": 0.25,
        "judge:+Inf": 1,
        "judge:sum": 99,
        "answer:2xx": 1,
        "answer:429": 1,
        "answer:5xx": 1,
        "answer:3xx": 1,
    }


def test_requests_without_an_answer_are_counted_while_none_comes(budget, redis):
    """The server may be away for hours, and the process that asked be gone by then; somebody is to be told now."""
    budget.unanswered()
    budget.unanswered()
    assert redis.hgetall(DURATIONS) == {b"answer:none": b"2"}


def test_a_request_without_an_answer_that_could_not_be_counted_is_counted_later(budget, redis, monkeypatch):
    with monkeypatch.context() as away:
        away.setattr(Redis, "hincrby", _refused)
        budget.unanswered()
    assert not redis.exists(DURATIONS)
    budget.learn({}, paged=False, status=200)
    assert redis.hgetall(DURATIONS) == {b"answer:2xx": b"1", b"answer:none": b"1"}


def _refused(*args, **options):
    raise RedisConnectionError


def _noting(sent, send):
    def noting(self, *args, **options):
        sent.append(args)
        return send(self, *args, **options)

    return noting


def test_a_budget_that_can_not_be_counted_is_full(clock):
    with nowhere() as away:
        budget = Budget(away, clock=clock)
        with pytest.raises(BudgetExhausted, match="full") as refusal:
            budget.take("report", paged=False)
        assert refusal.value.retry_at == clock.now + 5
        assert "refused" in str(refusal.value.__cause__)
        for use in (budget.read, budget.blocked_until, lambda: budget.learn(headers(1, 1), paged=False, status=429)):
            with pytest.raises(StoreUnavailable):
                use()


def _race(url: str, results: multiprocessing.Queue, gate: multiprocessing.Barrier) -> None:
    with Redis.from_url(url) as client:
        budget = Budget(client, per_5_min=200, paged_per_15_min=120, clock=lambda: NOON)
        gate.wait()
        results.put(sum(_took(budget, paged=random.random() < 0.7) for _ in range(400)))


def _took(budget: Budget, *, paged: bool) -> bool:
    try:
        budget.take("report", paged=paged)
    except BudgetExhausted:
        return False
    return True


def test_processes_that_race_never_pass_the_limit_and_use_all_of_it(redis, redis_server):
    spawn = multiprocessing.get_context("spawn")
    results, gate = spawn.Queue(), spawn.Barrier(2)
    racers = [spawn.Process(target=_race, args=(redis_server, results, gate)) for _ in range(2)]
    for racer in racers:
        racer.start()
    took = [results.get(timeout=60) for _ in racers]
    for racer in racers:
        racer.join(30)
    assert sum(took) == 200
    counted = {key.decode().split(":")[2]: int(redis.get(key)) for key in redis.scan_iter("mastowatch:budget:*")}
    assert counted == {"token": 200, "user": 200, "paging": 120}


def test_the_clock_of_the_processes_counts_not_the_one_of_redis(redis):
    """A host whose clock is years behind Redis' still finds its own counters."""
    budget = Budget(redis, per_5_min=3, clock=lambda: 1_000_000.0)
    assert spend(budget, "report")[0] == 3
    assert time.time() > 1_000_000
