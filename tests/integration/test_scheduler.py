"""The scheduler on a real redis-server, with the time passed in."""

from __future__ import annotations

import json

import pytest
from redis import Redis

from mastowatch.reliable.scheduler import LAST_TICK, SKIPPED, Recurring, ReliableScheduler
from mastowatch.reliable.serializer import JsonQueue
from tests.engine import fail

pytestmark = pytest.mark.redis


def recurring(every_s: int = 30) -> Recurring:
    return Recurring("tick", fail, "default", every_s, 60, 600, "tick")


def test_a_tick_queues_once_plans_whole_intervals_and_skips_while_it_waits(redis: Redis):
    scheduler = ReliableScheduler(redis, [recurring()], ["default"])
    assert scheduler.step(1000.0) == 1
    assert scheduler.next_due() == 1030
    assert scheduler.step(1030.5) == 0
    assert redis.hget(SKIPPED, "tick") == b"1"
    assert redis.llen("rq:queue:default") == 1
    assert scheduler.next_due() == 1060
    redis.delete("rq:queue:default")
    redis.hset("rq:job:tick", "status", "finished")
    assert scheduler.step(1330.0) == 1, "one run after a pause, not a burst"
    assert scheduler.next_due() == 1360
    assert float(redis.hget(LAST_TICK, "tick")) == 1330.0


def test_a_second_scheduler_stands_by_until_the_first_lets_go(redis: Redis):
    first = ReliableScheduler(redis, [recurring()], ["default"])
    second = ReliableScheduler(redis, [recurring()], ["default"])
    first.step(1000.0)
    second.step(1000.0)
    assert (first.leading, second.leading) == (True, False)
    first.leave()
    second.step(1001.0)
    assert second.leading


def test_a_lost_schedule_is_planned_again_and_foreign_ones_are_left_alone(redis: Redis):
    scheduler = ReliableScheduler(redis, [recurring()], ["default"])
    scheduler.step(1000.0)
    redis.delete("rq:scheduler:scheduled_jobs", "rq:job:tick")
    redis.zadd("rq:scheduler:scheduled_jobs", {"foreign": 5})
    assert scheduler.assert_schedules(1100.0) == ["tick"]
    assert redis.zscore("rq:scheduler:scheduled_jobs", "foreign") == 5


def test_a_delayed_job_comes_back_to_its_queue_in_time(redis: Redis):
    queue = JsonQueue("default", connection=redis)
    job = queue.enqueue(fail)
    redis.delete(queue.key)
    redis.hset(job.key, "status", "scheduled")
    redis.zadd("rq:scheduled:default", {job.id: 2000})
    scheduler = ReliableScheduler(redis, [], ["default"])
    assert scheduler.step(1999.0) == 0
    assert scheduler.step(2000.0) == 1
    assert queue.job_ids == [job.id]
    assert json.loads(redis.hget(job.key, "meta") or b"{}") == {}


def test_ticks_go_on_after_a_clock_that_was_ahead(redis: Redis):
    scheduler = ReliableScheduler(redis, [recurring()], ["default"])
    scheduler.step(10_000.0)
    redis.delete("rq:queue:default")
    redis.hset("rq:job:tick", "status", "finished")
    for one in (scheduler, ReliableScheduler(redis, [recurring()], ["default"])):
        one._lock.release()
        one.step(5_000.0)
        assert scheduler.next_due() <= 5_031
