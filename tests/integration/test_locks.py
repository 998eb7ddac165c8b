"""Locks in a Redis that is killed while they are held."""

import time
from types import SimpleNamespace

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from mastowatch.adapters import redis_store
from mastowatch.errors import StoreUnavailable
from tests.redis_server import RedisProcess

pytestmark = pytest.mark.redis


@pytest.fixture
def server(tmp_path):
    one = RedisProcess(tmp_path, "--appendonly", "yes", "--appendfsync", "always")
    one.start()
    yield one
    one.kill()


@pytest.fixture
def locks(server):
    with Redis.from_url(server.url, retry=Retry(NoBackoff(), 0)) as redis:
        found = redis_store.RedisLocks(redis)
        assert found.acquire("account:1", "me", 130)
        yield found


def test_a_lock_is_released_when_a_killed_redis_is_back(server, locks, monkeypatch):
    # It is started again in the first pause.
    pausing = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: server.start())
    monkeypatch.setattr(redis_store, "time", pausing)
    monkeypatch.setattr(redis_store, "RELEASE_S", 60.0)
    server.kill()
    locks.release("account:1", "me")
    assert locks.acquire("account:1", "another", 1)


def test_a_redis_that_stays_away_is_given_up(server, locks, monkeypatch):
    monkeypatch.setattr(redis_store, "RELEASE_S", 0.0)
    server.kill()
    with pytest.raises(StoreUnavailable):
        locks.release("account:1", "me")
