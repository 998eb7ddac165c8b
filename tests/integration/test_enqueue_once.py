"""The same work is queued once, and again after it has ended."""

from __future__ import annotations

import pytest
from redis import Redis
from rq.job import Job

from mastowatch.reliable import queue as queues
from mastowatch.reliable.queue import enqueue_once
from mastowatch.reliable.serializer import JsonQueue

pytestmark = pytest.mark.redis
FAIL = "tests.engine.fail"


def test_the_same_work_is_queued_once_and_again_after_it_ended(redis: Redis, redis_server: str):
    queue = JsonQueue("default", connection=redis)
    assert enqueue_once(queue, FAIL, job_id="same") is not None
    assert enqueue_once(queue, FAIL, job_id="same") is None
    Job.fetch("same", connection=redis, serializer=queue.serializer).set_status("failed")
    redis.delete(queue.key)
    redis.zadd(queue.failed_job_registry.key, {"same": 2e9})
    assert enqueue_once(queue, FAIL, job_id="same") is not None
    assert redis.zcard(queue.failed_job_registry.key) == 0
    assert queue.job_ids == ["same"]


def test_two_that_queue_the_same_work_in_one_moment_queue_it_once(redis: Redis, monkeypatch):
    queue = JsonQueue("default", connection=redis)
    monkeypatch.setattr(queues, "_forget_ended", lambda queue, job_id: True)  # both have looked and found nothing
    found = [queues.enqueue_once(queue, FAIL, job_id="same") for _ in range(2)]
    assert [job is not None for job in found] == [True, False]
    assert queue.job_ids == ["same"]
