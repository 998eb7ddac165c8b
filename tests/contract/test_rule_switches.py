"""One suite for the rule switches in memory and the ones in Redis."""

from __future__ import annotations

import pytest

from mastowatch.adapters.memory_rule_switches import MemoryRuleSwitches
from mastowatch.adapters.redis_rule_switches import RedisRuleSwitches
from mastowatch.errors import StoreUnavailable
from mastowatch.ports.types import EVERY_RULE, Dropped
from tests.redis_server import nowhere

NOW = 1_767_268_800.125


@pytest.fixture(params=["memory", "redis"])
def switches(request, redis):
    return MemoryRuleSwitches() if request.param == "memory" else RedisRuleSwitches(redis)


def test_a_rule_is_dropped_once_and_the_first_reason_stays(switches):
    assert switches.shadowed() == {}
    assert switches.drop("casino", "21 reports in an hour", "breaker", NOW)
    assert not switches.drop("casino", "another reason", "precision", NOW + 1)
    assert switches.shadowed() == {"casino": Dropped("casino", "21 reports in an hour", "breaker", NOW)}


def test_a_rearmed_rule_counts_again_and_it_is_known_since_when(switches):
    switches.drop("casino", "why", "precision", NOW)
    switches.drop("other", "why", "precision", NOW)
    assert switches.rearmed_at("casino") == 0
    assert switches.rearm("casino", NOW + 5)
    assert not switches.rearm("casino", NOW + 6)
    assert not switches.rearm("never-dropped", NOW + 6)
    assert list(switches.shadowed()) == ["other"]
    assert (switches.rearmed_at("casino"), switches.rearmed_at("never-dropped")) == (NOW + 5, 0)
    assert switches.rearmed() == {"casino"}
    assert switches.drop("casino", "again", "breaker", NOW + 7)


def test_the_pause_of_all_reporting_is_no_rule(switches):
    assert switches.paused() is None
    assert switches.drop(EVERY_RULE, "61 reports in an hour", "breaker", NOW)
    assert not switches.drop(EVERY_RULE, "62", "breaker", NOW + 1)
    assert switches.shadowed() == {}
    assert switches.paused() == Dropped(EVERY_RULE, "61 reports in an hour", "breaker", NOW)
    assert switches.rearm(EVERY_RULE, NOW + 2)
    assert switches.paused() is None


def test_a_long_reason_is_cut(switches):
    switches.drop("casino", "x" * 1000, "breaker", NOW)
    assert len(switches.shadowed()["casino"].why) == 300


@pytest.mark.parametrize("damaged", ["", "nonsense", "[]", "{}", '{"why": "x", "by": "breaker", "at": "soon"}'])
def test_an_entry_that_cannot_be_read_still_drops_its_rule(redis, damaged):
    redis.hset(RedisRuleSwitches.DROPPED, "casino", damaged)
    assert "can't be read" in RedisRuleSwitches(redis).shadowed()["casino"].why


@pytest.mark.parametrize("damaged", ["nonsense", ""])
def test_a_pause_that_cannot_be_read_is_one(redis, damaged):
    redis.hset(RedisRuleSwitches.DROPPED, EVERY_RULE, damaged)
    assert RedisRuleSwitches(redis).paused() is not None


def test_a_redis_that_is_away_is_told_as_store_unavailable():
    with nowhere() as away, pytest.raises(StoreUnavailable, match="ConnectionError"):
        RedisRuleSwitches(away).shadowed()


def test_each_drop_is_told_of_once(switches):
    switches.drop("casino", "why", "breaker", NOW)
    switches.drop(EVERY_RULE, "why", "breaker", NOW)
    assert {one.rule_id for one in switches.untold()} == {"casino", EVERY_RULE}
    for one in switches.untold():
        switches.told(one)
    assert switches.untold() == ()
    switches.rearm("casino", NOW + 1)
    switches.drop("casino", "again", "breaker", NOW + 2)
    assert [one.why for one in switches.untold()] == ["again"]
