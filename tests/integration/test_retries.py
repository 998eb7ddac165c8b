"""Jobs that are tried again: after a failure, after a pause, and when they ask for it themselves."""

from __future__ import annotations

import time

import pytest
from redis import Redis
from rq.job import Retry

from mastowatch.reliable.scheduler import ReliableScheduler
from mastowatch.reliable.serializer import JsonJob, JsonQueue
from tests.engine import attempts, fail, leftovers, note, notes, start

pytestmark = pytest.mark.redis


def wait_for_budget(url: str) -> str | Retry:
    """A job that can't go on the first time."""
    with Redis.from_url(url) as redis:
        if redis.incr("tries") == 1:
            return Retry(max=1_000_000, interval=60)
    return note(url, "later")


def test_a_job_that_puts_itself_back_is_delayed_without_losing_a_retry_and_runs_later(redis: Redis, redis_server: str):
    queue = JsonQueue("default", connection=redis)
    job = queue.enqueue(wait_for_budget, redis_server, retry=Retry(max=3))
    start(redis_server, ["default"], burst=True).join(60)
    assert job.get_status(refresh=True) == "scheduled"
    assert leftovers(redis) == []
    assert redis.hgetall("rq:totals") == {}
    assert ReliableScheduler(redis, [], ["default"]).step(time.time() + 61) == 1
    start(redis_server, ["default"], burst=True).join(60)
    assert notes(redis) == ["begin later", "end later"]
    assert JsonJob.fetch(job.id, connection=redis).retries_left == 3
    assert redis.hget("rq:totals", "default:finished") == b"1"


def test_a_job_that_fails_is_tried_again_after_its_back_off_and_then_fails_for_good(redis: Redis, redis_server: str):
    queue = JsonQueue("default", connection=redis)
    job = queue.enqueue(fail, retry=Retry(max=1, interval=[30]))
    start(redis_server, ["default"], burst=True).join(60)
    assert job.get_status(refresh=True) == "scheduled"
    ReliableScheduler(redis, [], ["default"]).step(time.time() + 31)
    start(redis_server, ["default"], burst=True).join(60)
    assert job.get_status(refresh=True) == "failed"
    assert [kind for kind, _ in attempts(redis, job.id)] == ["RETRIED", "FAILED"]
    assert all("RuntimeError: no" in text for _, text in attempts(redis, job.id))
    assert redis.hget("rq:totals", "default:failed") == b"1"
