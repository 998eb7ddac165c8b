"""One suite for the memory of what was handed on, in memory and in Redis."""

from __future__ import annotations

import pytest

from mastowatch.adapters.memory_handed_on import MemoryHandedOn
from mastowatch.adapters.redis_handed_on import KEPT_S, RedisHandedOn
from mastowatch.errors import StoreUnavailable
from tests.redis_server import nowhere

NOW = 1_767_268_800.5


@pytest.fixture(params=["memory", "redis"])
def make(request, redis):
    return MemoryHandedOn if request.param == "memory" else lambda **options: RedisHandedOn(redis, **options)


def test_what_is_remembered_is_fresh_no_more_and_an_edit_is(make):
    handed_on = make()
    assert handed_on.fresh(["1", "2", "1@edit"]) == {"1", "2", "1@edit"}
    handed_on.remember(["1", "2"], NOW)
    assert handed_on.fresh(["1", "2", "1@edit"]) == {"1@edit"}


def test_nothing_asked_or_remembered_is_nothing(make):
    handed_on = make()
    handed_on.remember([], NOW)
    assert handed_on.fresh([]) == set()


def test_it_is_forgotten_after_two_hours(make):
    handed_on = make()
    handed_on.remember(["1"], NOW)
    handed_on.remember(["2"], NOW + KEPT_S)
    assert handed_on.fresh(["1", "2"]) == set()
    handed_on.remember(["3"], NOW + KEPT_S + 1)
    assert handed_on.fresh(["1", "2", "3"]) == {"1"}


def test_past_its_bound_the_oldest_go(make):
    handed_on = make(at_most=3)
    for number in range(5):
        handed_on.remember([str(number)], NOW + number)
    assert handed_on.fresh(map(str, range(5))) == {"0", "1"}


def test_the_key_goes_by_itself(redis):
    RedisHandedOn(redis).remember(["1"], NOW)
    assert 0 < redis.ttl("mastowatch:handed_on") <= KEPT_S


def test_redis_away_is_an_error_of_ours():
    with nowhere() as away:
        for use in (lambda: RedisHandedOn(away).fresh(["1"]), lambda: RedisHandedOn(away).remember(["1"], NOW)):
            with pytest.raises(StoreUnavailable):
                use()
