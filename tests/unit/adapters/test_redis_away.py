"""Every store tells of a Redis that is away in our own error, never in Redis'. A fake one, which is away at a word."""

from __future__ import annotations

import pytest
from fakeredis import FakeRedis, FakeServer
from redis.exceptions import ConnectionError as RedisConnectionError

from mastowatch.adapters import redis_store
from mastowatch.adapters.redis_actions import RedisAccountActions
from mastowatch.adapters.redis_handed_on import RedisHandedOn
from mastowatch.adapters.redis_quotas import RedisHeld, RedisQuotas
from mastowatch.adapters.redis_rule_stats import RedisRuleStats
from mastowatch.adapters.redis_rule_switches import RedisRuleSwitches
from mastowatch.adapters.redis_stream_notes import RedisStreamNotes
from mastowatch.errors import StoreUnavailable

NOW = 1_750_000_000.0
ASKED = {
    "claims": lambda redis: redis_store.RedisClaims(redis).get("1"),
    "a plan": lambda redis: redis_store.RedisClaims(redis).plan("1", "mw:1", NOW),
    "cursors": lambda redis: redis_store.RedisCursors(redis).get("remote"),
    "locks": lambda redis: redis_store.RedisLocks(redis).acquire("judge:1", "me", 30),
    "cases": lambda redis: redis_store.RedisCases(redis).get("1"),
    "the panic stop": lambda redis: redis_store.RedisSwitches(redis).panic_stop(),
    "the dry run": lambda redis: redis_store.RedisSwitches(redis).dry_run(),
    "dropped rules": lambda redis: RedisRuleSwitches(redis).shadowed(),
    "quotas": lambda redis: RedisQuotas(redis).clear("mention-wave"),
    "held accounts": lambda redis: RedisHeld(redis).waiting("mention-wave"),
    "measures": lambda redis: RedisAccountActions(redis).due(NOW, 10),
    "rule statistics": lambda redis: RedisRuleStats(redis).due(NOW, 10),
    "what was handed on": lambda redis: RedisHandedOn(redis).fresh(("1",)),
    "the stream": lambda redis: RedisStreamNotes(redis).read(),
}


@pytest.fixture
def away() -> FakeRedis:
    server = FakeServer()
    server.connected = False
    return FakeRedis(server=server)


@pytest.mark.parametrize("store", ASKED)
def test_a_store_says_that_it_is_away(away, store):
    with pytest.raises(StoreUnavailable, match=r"^Redis: ConnectionError: ") as told:
        ASKED[store](away)
    assert isinstance(told.value.__cause__, RedisConnectionError)
