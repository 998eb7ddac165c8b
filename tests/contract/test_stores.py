"""One suite for the stores in memory and the ones in Redis: who uses the port can't tell them apart."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace

import pytest
from redis import Redis

from mastowatch.adapters import memory_store, redis_store
from mastowatch.errors import StoreUnavailable
from mastowatch.ports.types import Case, CaseReason, QueuePoint, SwitchState
from tests.redis_server import nowhere, running_redis

NOW = 1_767_268_800.125  # 2026-01-01 12:00 UTC
CASE = Case("1", "a@x.example", "https://x.example/@a", "report", 7.0, 0.0, "filed", "why", NOW, (), "9", "m", ("5",))


@pytest.fixture(params=["memory", "redis"])
def make(request, redis):
    """Make the store of a name ("Claims") in memory or in Redis."""

    def in_memory(name: str, **options):
        return getattr(memory_store, f"Memory{name}")(**options)

    def in_redis(name: str, **options):
        return getattr(redis_store, f"Redis{name}")(redis, **options)

    return in_memory if request.param == "memory" else in_redis


def point(at: float, **changes) -> QueuePoint:
    return replace(QueuePoint(at, "high", 3, 1.5, 1, 20, 2, 4), **changes)


def send(claims, expect, owner: str, at: float, **changes):
    claims.steady_since(at)
    return claims.send(expect, replace(expect, state="sent", owner=owner, changed_at=at, **changes))


def test_a_claim_is_planned_once_and_the_second_planner_sees_the_first(make):
    claims = make("Claims")
    assert claims.get("1") is None
    first = claims.plan("1", "aaaa", NOW)
    assert (first.account_id, first.marker, first.state, first.changed_at) == ("1", "aaaa", "planned", NOW)
    assert claims.plan("1", "bbbb", NOW + 1) == first == claims.get("1")


def test_of_two_who_would_send_the_same_claim_only_one_may(make):
    claims = make("Claims")
    planned = claims.plan("1", "aaaa", NOW)
    sent = send(claims, planned, "worker-1", NOW + 1)
    assert sent == claims.get("1") == replace(planned, state="sent", owner="worker-1", changed_at=NOW + 1)
    assert send(claims, planned, "worker-2", NOW + 1) is None
    assert claims.get("1") == sent


def test_a_claim_that_was_sent_may_be_sent_again_by_who_saw_its_latest_step(make):
    claims = make("Claims")
    seen = send(claims, claims.plan("1", "aaaa", NOW), "worker-1", NOW)
    assert send(claims, seen, "worker-2", NOW + 60)
    assert send(claims, seen, "worker-3", NOW + 61) is None


def test_a_claim_that_is_not_there_can_not_be_sent(make):
    planned = make("Claims").plan("1", "aaaa", NOW)
    assert send(make("Claims"), replace(planned, account_id="2"), "worker", NOW) is None


def test_a_refused_claim_says_why_and_a_filed_one_names_its_report(make):
    claims = make("Claims")
    sent = send(claims, claims.plan("1", "aaaa", NOW), "worker", NOW)
    claims.failed(sent, "gone", NOW + 1)
    assert (claims.get("1").state, claims.get("1").reason, claims.get("1").changed_at) == ("failed", "gone", NOW + 1)
    claims.filed(sent, "77", NOW + 2)
    assert (claims.get("1").state, claims.get("1").report_id, claims.get("1").reason) == ("filed", "77", "")


def test_a_late_refusal_undoes_neither_another_owners_claim_nor_a_report(make):
    claims = make("Claims")
    first = send(claims, claims.plan("1", "aaaa", NOW), "worker-1", NOW)
    second = send(claims, first, "worker-2", NOW + 60)
    claims.failed(first, "late", NOW + 61)
    assert claims.get("1") == second
    claims.filed(second, "77", NOW + 62)
    claims.failed(second, "late", NOW + 63)
    assert claims.get("1").state == "filed"


def test_a_report_is_recorded_whole_even_where_its_claim_was_lost(make):
    claims = make("Claims")
    sent = send(claims, claims.plan("1", "aaaa", NOW), "worker", NOW)
    fresh = make("Claims")
    fresh.filed(replace(sent, account_id="9"), "77", NOW + 1)
    assert fresh.get("9") == fresh.plan("9", "bbbb", NOW + 2)
    assert (fresh.get("9").state, fresh.get("9").marker, fresh.get("9").report_id) == ("filed", "aaaa", "77")


def test_a_claim_of_the_next_generation_keeps_all_of_its_fields(make):
    claims = make("Claims")
    first = send(claims, claims.plan("1", "aaaa", NOW), "worker", NOW, rules=("one", "two"), reported_at=NOW)
    claims.filed(first, "77", NOW + 1)
    filed = claims.get("1")
    assert filed == replace(first, state="filed", report_id="77", changed_at=NOW + 1)
    second = send(claims, filed, "worker", NOW + 2, marker="bbbb", generation=2, report_id="", rules=())
    assert second == claims.get("1")
    assert (second.marker, second.generation, second.report_id, second.rules) == ("bbbb", 2, "", ())


def test_a_late_answer_to_an_earlier_report_does_not_undo_the_claim_to_a_later_one(make):
    claims = make("Claims")
    first = send(claims, claims.plan("1", "aaaa", NOW), "worker-1", NOW)
    second = send(claims, first, "worker-2", NOW + 60, marker="bbbb", generation=2)
    claims.filed(first, "77", NOW + 61)
    assert claims.get("1") == second
    claims.filed(second, "78", NOW + 62)
    assert claims.get("1").report_id == "78"


def test_a_store_that_was_never_restarted_is_steady_since_ever(make):
    claims = make("Claims")
    assert claims.steady_since(NOW) == claims.steady_since(NOW + 60) == 0.0


def test_after_a_restart_of_redis_nothing_is_sent_before_it_was_noticed(tmp_path):
    with running_redis(tmp_path) as process, Redis.from_url(process.url) as redis:
        claims = redis_store.RedisClaims(redis)
        planned = claims.plan("1", "aaaa", NOW)
        sending = replace(planned, state="sent")
        assert claims.steady_since(NOW) == 0.0
        redis.save()
        process.kill()
        process.start()
        assert claims.send(planned, sending) is None
        assert claims.steady_since(NOW + 10) == claims.steady_since(NOW + 20) == NOW + 10
        assert claims.send(planned, sending) == sending


def test_a_cursor_is_kept_until_it_is_cleared(make):
    cursors = make("Cursors")
    assert cursors.get("local:head") is None
    cursors.set("local:head", "10")
    cursors.set("remote:head", "20")
    cursors.set("local:head", "11")
    assert (cursors.get("local:head"), cursors.get("remote:head")) == ("11", "20")
    cursors.clear("local:head")
    cursors.clear("local:head")
    assert (cursors.get("local:head"), cursors.get("remote:head")) == (None, "20")


def test_a_lock_is_held_by_one_owner_and_released_by_no_other(make):
    locks = make("Locks")
    assert locks.acquire("poll:local", "one", 60)
    assert not locks.acquire("poll:local", "two", 60)
    assert locks.acquire("poll:local", "one", 60), "its owner may hold it longer"
    locks.release("poll:local", "two")
    assert not locks.acquire("poll:local", "two", 60)
    locks.release("poll:local", "one")
    assert locks.acquire("poll:local", "two", 60)


def test_a_lock_that_its_owner_holds_longer_runs_out_later(make):
    locks = make("Locks")
    locks.acquire("poll:local", "one", 0.05)
    locks.acquire("poll:local", "one", 60)
    time.sleep(0.1)
    assert not locks.acquire("poll:local", "two", 60)


def test_the_lock_of_a_dead_owner_runs_out_and_the_late_owner_does_not_release_the_next(make):
    locks = make("Locks")
    assert locks.acquire("poll:local", "dead", 0.05)
    time.sleep(0.1)
    assert locks.acquire("poll:local", "next", 60)
    locks.release("poll:local", "dead")
    assert not locks.acquire("poll:local", "third", 60)


def test_only_known_fingerprints_come_back(make):
    judged = make("Judged")
    judged.remember("1", "old")
    judged.remember("1", "new")
    judged.remember("2", "two")
    assert judged.fingerprints(["2", "1", "3"]) == {"1": "new", "2": "two"}
    assert judged.fingerprints(iter(["1"])) == {"1": "new"}
    assert judged.fingerprints([]) == {}


def test_a_case_comes_back_whole_and_replaces_the_one_before(make):
    cases = make("Cases")
    reason = CaseReason("spam", "Spam 🐘 \ud800", 6.0, shadow=False, evidence="5 posts; words: airdrop")
    cases.put(CASE)
    cases.put(replace(CASE, score=9.5, status_ids=("5", "6")))
    assert cases.get("1") == replace(CASE, score=9.5, status_ids=("5", "6"))
    assert cases.count() == 1
    assert cases.get("2") is None
    cases.put(replace(CASE, reasons=(reason,)))
    assert cases.get("1").reasons[0].evidence == reason.evidence


def test_cases_are_listed_newest_first_and_in_pages(make):
    cases = make("Cases")
    for number in range(5):
        cases.put(replace(CASE, account_id=str(number), judged_at=NOW + number))
    cases.put(replace(CASE, account_id="0", judged_at=NOW + 10))
    assert [case.account_id for case in cases.latest(3)] == ["0", "4", "3"]
    assert [case.account_id for case in cases.latest(3, 3)] == ["2", "1"]
    assert cases.latest(0) == cases.latest(3, 99) == ()


def test_the_oldest_case_falls_off(make):
    cases = make("Cases", at_most=2)
    for number in (2, 1, 3):
        cases.put(replace(CASE, account_id=str(number), judged_at=NOW + number))
    assert [case.account_id for case in cases.latest(9)] == ["3", "2"]
    assert cases.get("1") is None
    assert cases.count() == 2


@pytest.mark.parametrize(
    "damage",
    [
        "x",
        "null",
        "[" * 100_000,
        "{}",
        json.dumps({**asdict(CASE), "judged_at": "x"}),
        json.dumps({**asdict(CASE), "judged_at": 1e300}),
        json.dumps({**asdict(CASE), "acct": None}),
        json.dumps({**asdict(CASE), "reasons": [{"rule_id": 1}]}),
        json.dumps({**asdict(CASE), "later": "x"}),
    ],
)
def test_cases_that_can_not_be_read_hide_no_others(redis, damage):
    cases = redis_store.RedisCases(redis)
    for number in range(5):
        cases.put(replace(CASE, account_id=f"{number}", judged_at=NOW + number))
    for number in (2, 3, 4):
        redis.set(f"mastowatch:case:{number}", damage)
    assert [case.account_id for case in cases.latest(1)] == ["1"]
    assert [case.account_id for case in cases.latest(9)] == ["1", "0"]
    assert [case.account_id for case in cases.older((NOW + 4, "4"), 1)] == ["1"]
    assert cases.get("3") is None


def test_what_a_newer_version_writes_into_a_case_is_passed_over(redis):
    cases = redis_store.RedisCases(redis)
    newer = {**asdict(CASE), "colour": "red"}
    newer["reasons"] = [{**one, "colour": "red"} for one in newer["reasons"]]
    cases.put(CASE)
    redis.set(f"mastowatch:case:{CASE.account_id}", json.dumps(newer))
    assert cases.get(CASE.account_id) == CASE


def test_the_panic_stop_says_who_switched_it_on_and_when(make):
    switches = make("Switches")
    assert (switches.panic_stop(), switches.describe_panic_stop()) == (False, "off")
    switches.set_panic_stop(on=True, by="alice", now=NOW)
    assert switches.panic_stop()
    assert switches.describe_panic_stop() == "on since 2026-01-01 12:00:00 UTC by alice"
    switches.set_panic_stop(on=False, by="bob", now=NOW)
    assert (switches.panic_stop(), switches.describe_panic_stop()) == (False, "off")


def test_each_switch_says_who_turned_it_last_also_off(make):
    switches = make("Switches")
    assert (switches.dry_run(), switches.state("dry_run"), switches.state("panic_stop")) == (False, None, None)
    switches.set_dry_run(on=True, by="alice", now=NOW)
    assert (switches.dry_run(), switches.panic_stop()) == (True, False)
    assert switches.state("dry_run") == SwitchState(True, "alice", NOW)
    switches.set_panic_stop(on=True, by="bob", now=NOW + 1)
    switches.set_dry_run(on=False, by="ünïcode", now=NOW + 2)
    assert switches.dry_run() is False
    assert switches.state("dry_run") == SwitchState(False, "ünïcode", NOW + 2)
    assert switches.state("panic_stop") == SwitchState(True, "bob", NOW + 1)
    switches.set_dry_run(on=True, by="carol", now=NOW + 3)
    assert switches.state("dry_run") == SwitchState(True, "carol", NOW + 3)


@pytest.mark.parametrize("damaged", ["a string", {"by": "x"}, {"at": "never"}, {"other": "1"}])
def test_a_switch_whose_key_is_damaged_is_on(redis, damaged):
    for key in ("mastowatch:switch:panic_stop", "mastowatch:switch:dry_run"):
        redis.set(key, damaged) if isinstance(damaged, str) else redis.hset(key, mapping=damaged)
    switches = redis_store.RedisSwitches(redis)
    assert switches.panic_stop()
    assert switches.dry_run()
    for name in ("panic_stop", "dry_run"):
        state = switches.state(name)
        assert (state.on, state.at) == (True, 0.0)
    switches.set_panic_stop(on=False, by="me", now=NOW)
    assert not switches.panic_stop()


def test_counters_add_up_by_name(make):
    tally = make("Tally")
    assert tally.read() == {}
    tally.add("seen")
    tally.add("seen", 40)
    tally.add("filed", 2)
    tally.add_all({"seen": 1, "judged": 3})
    assert tally.read() == {"seen": 42, "filed": 2, "judged": 3}


def test_a_history_gives_the_newest_points_oldest_first(make):
    history = make("History")
    history.record([point(NOW), point(NOW, queue="low")])
    history.record([point(NOW + 30, depth=9)])
    history.record([point(NOW + 60, oldest_s=2.25)])
    assert history.recent("high", 2) == (point(NOW + 30, depth=9), point(NOW + 60, oldest_s=2.25))
    assert history.recent("low", 9) == (point(NOW, queue="low"),)
    assert history.recent("none", 9) == ()


@pytest.mark.parametrize(
    "use",
    [
        lambda redis: redis_store.RedisClaims(redis).plan("1", "m", NOW),
        lambda redis: redis_store.RedisCursors(redis).get("n"),
        lambda redis: redis_store.RedisLocks(redis).acquire("n", "o", 1),
        lambda redis: redis_store.RedisJudged(redis).fingerprints(["1"]),
        lambda redis: redis_store.RedisCases(redis).put(CASE),
        lambda redis: redis_store.RedisSwitches(redis).panic_stop(),
        lambda redis: redis_store.RedisSwitches(redis).dry_run(),
        lambda redis: redis_store.RedisSwitches(redis).state("dry_run"),
        lambda redis: redis_store.RedisSwitches(redis).set_dry_run(on=True, by="me", now=NOW),
        lambda redis: redis_store.RedisTally(redis).add("n"),
        lambda redis: redis_store.RedisHistory(redis).record([point(NOW)]),
    ],
    ids=["claims", "cursors", "locks", "judged", "cases", "switches", "dry run", "state", "turned", "tally", "history"],
)
def test_a_redis_that_is_away_is_told_as_store_unavailable(use):
    with nowhere() as away, pytest.raises(StoreUnavailable, match="ConnectionError"):
        use(away)


def test_every_key_but_the_counters_and_the_bounded_ones_has_an_end(redis):
    redis_store.RedisClaims(redis).plan("1", "m", NOW)
    redis_store.RedisCursors(redis).set("n", "1")
    redis_store.RedisLocks(redis).acquire("n", "o", 60)
    redis_store.RedisJudged(redis).remember("1", "f")
    endless = {key.decode() for key in redis.scan_iter() if redis.ttl(key) < 0}
    assert redis.dbsize() == 4
    assert endless == set()


def test_cases_are_read_on_from_a_place_also_among_equal_times(make):
    cases = make("Cases")
    assert cases.older(None, 3) == ()
    for number in range(1, 8):
        cases.put(replace(CASE, account_id=str(number), judged_at=NOW + number // 3))
    everything = [one.account_id for one in cases.latest(10)]
    seen, place = [], None
    while page := cases.older(place, 2):
        seen += [one.account_id for one in page]
        place = page[-1].judged_at, page[-1].account_id
    assert seen == everything
    assert len(seen) == 7
    assert cases.older((NOW + 1.5, "999"), 1)[0].judged_at == NOW + 1, "a case that has moved since"
