"""What a real Redis says of itself."""

from __future__ import annotations

import pytest
from redis import Redis

from mastowatch.web.dashboard.store_facts import read_store
from tests.redis_server import private_redis

pytestmark = pytest.mark.redis


def test_reads_memory_policy_and_persistence():
    options = ("--maxmemory", "64mb", "--maxmemory-policy", "volatile-lru", "--appendonly", "yes")
    with private_redis(*options) as url, Redis.from_url(url) as redis:
        redis.rpush("rq:unsettled", "a", "b")
        found = read_store(redis)
        assert found is not None
        assert (found.limit, found.policy, found.evicts, found.log_on) == (64 * 1024**2, "volatile-lru", True, True)
        assert 0 < found.part_used < 1
        assert (found.saves, found.unsettled) == (True, 2)


def test_debians_default_keeps_snapshots_and_has_no_limit(redis: Redis):
    found = read_store(redis)
    assert found is not None
    assert (found.limit, found.part_used, found.evicts, found.log_on) == (0, 0.0, False, False)


def test_a_redis_that_tells_us_nothing_is_no_error(redis: Redis, redis_server: str):
    redis.execute_command("ACL", "SETUSER", "quiet", "on", "nopass", "~*", "+@all", "-info")
    try:
        with Redis.from_url(redis_server.replace("redis://", "redis://quiet:x@")) as quiet:
            assert read_store(quiet) is None
    finally:
        redis.execute_command("ACL", "DELUSER", "quiet")
