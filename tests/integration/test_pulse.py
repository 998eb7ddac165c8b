"""The few numbers that stand on every page."""

from __future__ import annotations

import pytest
from redis import Redis

from mastowatch.jobs.pulse import BEHIND_S, Pulse, read_pulse
from tests.left_jobs import NOW, LeftJob, leave
from tests.redis_server import nowhere

pytestmark = pytest.mark.redis


@pytest.fixture
def manned(redis: Redis) -> Redis:
    redis.sadd("rq:workers", "rq:worker:w", "rq:worker:dead")
    redis.hset("rq:worker:w", "state", "idle")
    redis.set("rq:scheduler_lock", "s")
    return redis


def test_all_queues_are_counted(manned: Redis):
    left = [("queued", "high", 3), ("queued", "another", 4), ("started", "low", 2), ("failed", "low", 5)]
    left += [("stopped", "high", 1), ("scheduled", "default", 6), ("finished", "default", 7)]
    for status, queue, number in left:
        at = NOW - 60 if queue == "another" else NOW - 5
        leave(manned, *(LeftJob(f"{status}-{queue}-{one}", status, queue, at) for one in range(number)))
    manned.hset("rq:totals", mapping={"low:finished": 10, "high:finished": 5, "low:failed": 2})
    assert read_pulse(manned, NOW) == Pulse(
        waiting=7,
        running=2,
        failed=6,
        scheduled=6,
        workers=1,
        oldest_s=60.0,
        finished_total=15,
        failed_total=2,
        level="note",
    )


def test_a_quiet_redis_is_well(manned: Redis):
    assert read_pulse(manned, NOW) == Pulse(workers=1, level="ok")


@pytest.mark.parametrize("key", ["rq:worker:w", "rq:scheduler_lock"])
def test_without_a_worker_or_a_scheduler_it_is_bad(manned: Redis, key):
    manned.delete(key)
    assert read_pulse(manned, NOW).level == "bad"


def test_a_queue_that_falls_behind_is_bad(manned: Redis):
    leave(manned, LeftJob("one", at=NOW - BEHIND_S - 1))
    assert read_pulse(manned, NOW).level == "bad"
    assert read_pulse(manned, NOW - 10).level == "ok"


def test_a_redis_that_is_away_is_told_of(redis: Redis):
    away = nowhere()
    assert read_pulse(away, NOW) == Pulse(redis=False, level="bad")


def test_damage_spoils_no_number_beside_it(manned: Redis):
    leave(manned, LeftJob("one"), LeftJob("two", "failed"))
    manned.hset("rq:job:one", "enqueued_at", "yesterday")
    manned.hset("rq:totals", mapping={"low:finished": "many", "high:finished": 5})
    manned.set("rq:wip:high", "text")
    pulse = read_pulse(manned, NOW)
    assert (pulse.waiting, pulse.failed, pulse.oldest_s, pulse.finished_total) == (1, 1, 0.0, 5)
