"""One suite for the quotas and the held accounts in memory and in Redis."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mastowatch.adapters.memory_quotas import MemoryHeld, MemoryQuotas
from mastowatch.adapters.redis_quotas import DAY_S, HOUR_S, RedisHeld, RedisQuotas
from mastowatch.errors import StoreUnavailable
from mastowatch.ports.types import Full, Quota
from tests.redis_server import nowhere

NOW = 1_767_268_800.125
WINDOWS = {"hour": HOUR_S, "day": DAY_S}


@pytest.fixture(params=["memory", "redis"])
def quotas(request, redis):
    return MemoryQuotas() if request.param == "memory" else RedisQuotas(redis)


@pytest.fixture(params=["memory", "redis"])
def held(request, redis):
    return MemoryHeld(at_most=3) if request.param == "memory" else RedisHeld(redis, at_most=3)


def test_past_the_limit_of_an_hour_nothing_is_counted_until_the_oldest_is_an_hour_old(quotas):
    one = [Quota("casino", 2, 9)]
    assert quotas.take("a", one, NOW) == ()
    assert quotas.take("b", one, NOW + 60) == ()
    assert quotas.take("c", one, NOW + 61) == (Full("casino", "hour", 2),)
    assert quotas.take("c", one, NOW + HOUR_S - 0.001) == (Full("casino", "hour", 2),)
    assert quotas.take("c", one, NOW + HOUR_S) == ()
    assert quotas.take("d", one, NOW + HOUR_S) == (Full("casino", "hour", 2),)


def test_past_the_limit_of_a_day_it_is_full_too(quotas):
    one = [Quota("casino", 2, 3)]
    for number in range(3):
        assert quotas.take(str(number), one, NOW + number * HOUR_S) == ()
    assert quotas.take("3", one, NOW + 5 * HOUR_S) == (Full("casino", "day", 3),)
    assert quotas.take("3", one, NOW + DAY_S) == ()


def test_a_report_is_counted_once_and_never_refused_afterwards(quotas):
    one = [Quota("casino", 1, 1)]
    for _ in range(5):
        assert quotas.take("a", one, NOW) == ()
    assert quotas.take("b", one, NOW) == (Full("casino", "hour", 1),)
    assert quotas.take("a", one, NOW + 60) == ()


def test_what_one_quota_refuses_none_counts(quotas):
    narrow, wide = Quota("casino", 1, 9), Quota("*", 2, 9)
    assert quotas.take("a", [wide, narrow], NOW) == ()
    assert quotas.take("b", [wide, narrow], NOW) == (Full("casino", "hour", 1),)
    assert quotas.take("c", [wide], NOW) == (), "the refused one took nothing of the wide quota"
    assert quotas.take("d", [wide, narrow], NOW) == (Full("*", "hour", 2), Full("casino", "hour", 1))


def test_a_report_that_another_rule_has_joined_is_counted_for_that_rule_alone(quotas):
    assert quotas.take("a", [Quota("casino", 1, 1)], NOW) == ()
    assert quotas.take("a", [Quota("casino", 1, 1), Quota("rate", 1, 1)], NOW) == ()
    assert quotas.take("b", [Quota("rate", 1, 1)], NOW) == (Full("rate", "hour", 1),)


def test_a_cleared_quota_begins_anew(quotas):
    quotas.take("a", [Quota("casino", 1, 1), Quota("*", 1, 1)], NOW)
    quotas.clear("casino")
    quotas.clear("never-counted")
    assert quotas.take("b", [Quota("casino", 1, 1)], NOW) == ()
    assert quotas.take("b", [Quota("*", 1, 1)], NOW) == (Full("*", "hour", 1),)


def test_of_many_at_once_no_more_than_the_limit_pass(redis):
    quotas = RedisQuotas(redis)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda key: quotas.take(str(key), [Quota("*", 10, 99)], NOW), range(50)))
    assert found.count(()) == 10


def test_a_quota_is_bounded_and_has_an_end(redis):
    quotas = RedisQuotas(redis)
    for number in range(200):
        quotas.take(str(number), [Quota("*", 5, 20)], NOW + number * 1800)
    assert redis.zcard("mastowatch:quota:*") <= 22
    assert 0 < redis.ttl("mastowatch:quota:*") <= DAY_S + HOUR_S


TAKES = st.lists(st.tuples(st.integers(0, 25), st.floats(0, 5 * HOUR_S, allow_nan=False)), max_size=40)


def admitted(quotas, takes, one: Quota) -> list[tuple[str, float]]:
    """Take at ever later times; return what passed for the first time, and check what holds at each step."""
    now, passed = NOW, dict[str, float]()
    for key, later in takes:
        now += later
        known = str(key) in passed
        if known and passed[str(key)] <= now - DAY_S:
            continue  # no report is asked about for so long
        full = quotas.take(str(key), [one], now)
        if known:
            assert full == (), "a report that was counted is never refused"
        elif full:
            window = WINDOWS[full[0].window]
            oldest = min(at for at in passed.values() if at > now - window)
            assert quotas.take("other", [one], (now + oldest + window) / 2) != (), "full until the oldest leaves"
        else:
            passed[str(key)] = now
    return list(passed.items())


def check_windows(passed: list[tuple[str, float]], one: Quota) -> None:
    for limit, window in ((one.per_hour, HOUR_S), (one.per_day, DAY_S)):
        for _, at in passed:
            assert sum(at - window < other <= at for _, other in passed) <= limit


@given(TAKES, st.integers(1, 6), st.integers(1, 12))
@settings(max_examples=200)
def test_in_memory_no_window_ever_holds_more_than_its_limit(takes, per_hour, per_day):
    one = Quota("*", per_hour, per_day)
    check_windows(admitted(MemoryQuotas(), takes, one), one)


@given(TAKES, st.integers(1, 6), st.integers(1, 12))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_redis_no_window_ever_holds_more_than_its_limit(redis, takes, per_hour, per_day):
    redis.flushdb()
    one = Quota("*", per_hour, per_day)
    check_windows(admitted(RedisQuotas(redis), takes, one), one)


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 3000, allow_nan=False)), max_size=40), st.integers(1, 5))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_clocks_that_differ_by_less_than_an_hour_let_no_more_through(redis, takes, limit):
    redis.flushdb()
    quotas, one = RedisQuotas(redis), Quota("*", limit, 99)
    passed = {}
    for number, (_, skew) in enumerate(takes):
        if not quotas.take(str(number), [one], NOW + number * 300 - skew):
            passed[str(number)] = NOW + number * 300 - skew
    check_windows(list(passed.items()), one)


@given(TAKES, st.integers(1, 4))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_say_the_same(redis, takes, limit):
    redis.flushdb()
    in_memory, in_redis, now = MemoryQuotas(), RedisQuotas(redis), NOW
    for number, (_, later) in enumerate(takes):
        now += later
        wanted = [Quota("*", limit, 3 * limit), Quota("casino", 2, 5)][: 1 + number % 2]
        assert in_memory.take(str(number), wanted, now) == in_redis.take(str(number), wanted, now)


def test_held_accounts_come_back_once_each_and_who_was_held_longest_ago_first(held):
    assert tuple(held.waiting("casino")) == ()
    for number, account in enumerate(["7", "5", "7"]):
        held.hold("casino", account, NOW + number)
    held.hold("*", "9", NOW)
    assert held.waiting("casino") == {"5": NOW + 1, "7": NOW + 2}
    held.release("casino", "7", NOW + 1.9)
    assert tuple(held.waiting("casino")) == ("5", "7"), "it was held anew since"
    held.release("casino", "7", NOW + 2)
    held.release("casino", "7", NOW + 2)
    assert (held.waiting("casino"), held.waiting("*")) == ({"5": NOW + 1}, {"9": NOW})


def test_of_more_held_accounts_than_there_is_room_for_the_newest_stay(held):
    for number in range(5):
        held.hold("casino", str(number), NOW + number)
    assert tuple(held.waiting("casino")) == ("2", "3", "4")


def test_held_accounts_have_an_end(redis):
    RedisHeld(redis).hold("*", "9", NOW)
    assert redis.ttl("mastowatch:held:*") > 0


@pytest.mark.parametrize(
    "use",
    [lambda away: RedisQuotas(away).take("a", [Quota("*", 1, 1)], NOW), lambda away: RedisHeld(away).waiting("*")],
)
def test_a_redis_that_is_away_is_told_as_store_unavailable(use):
    with nowhere() as away, pytest.raises(StoreUnavailable, match="ConnectionError"):
        use(away)
