"""Whoever can write into Redis can name any function: a worker with a list of its own calls none but these."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from redis import Redis
from rq.job import Callback, JobStatus
from rq.webhook import Webhook

from mastowatch.config import Settings
from mastowatch.jobs.queues import TASKS
from mastowatch.jobs.worker import create_worker
from mastowatch.reliable.serializer import JsonJob, JsonQueue
from mastowatch.reliable.tidying import Tidying
from tests.engine import fail, leftovers, made, note, notes, start

pytestmark = pytest.mark.redis
ONLY = frozenset({"tests.engine.note", "tests.engine.fail"})


def called(job, connection, *rest) -> None:
    """A callback."""
    connection.rpush("notes", "callback")


@pytest.fixture
def queue(redis: Redis) -> JsonQueue:
    return JsonQueue("default", connection=redis)


def why(job: JsonJob) -> str:
    return (job.latest_result() or pytest.fail("no result")).exc_string or ""


def test_another_function_is_refused_and_not_called(queue: JsonQueue, redis: Redis, redis_server: str, tmp_path: Path):
    made = tmp_path / "made"
    bad = queue.enqueue("os.mkdir", str(made))
    good = queue.enqueue(note, redis_server, "good")
    start(redis_server, ["default"], burst=True, only=ONLY).join(60)
    assert not made.exists()
    assert bad.get_status(refresh=True) == "failed"
    assert "none that this worker calls" in why(bad)
    assert good.get_status(refresh=True) == "finished"
    assert leftovers(redis) == []


@pytest.mark.parametrize("when", ["on_success", "on_failure", "on_stopped"])
def test_a_callback_is_refused(queue: JsonQueue, redis: Redis, redis_server: str, when: str):
    job = queue.enqueue(note, redis_server, "x", **{when: Callback(called)})
    start(redis_server, ["default"], burst=True, only=ONLY).join(60)
    assert "callback" in why(job)
    assert notes(redis) == []


def test_a_webhook_is_refused(queue: JsonQueue, redis: Redis, redis_server: str):
    job = queue.enqueue(note, redis_server, "x", webhooks=[Webhook("http://127.0.0.1:9/", JobStatus.FINISHED)])
    start(redis_server, ["default"], burst=True, only=ONLY).join(60)
    assert "webhook" in why(job)
    assert notes(redis) == []


def test_a_follow_up_that_somebody_planted_calls_nothing_back(queue: JsonQueue, redis: Redis, redis_server: str):
    job = queue.enqueue(fail, on_failure=Callback(called))
    queue.remove(job)
    hooks = json.dumps([{"url": "http://127.0.0.1:9/", "job_status": "failed"}])
    redis.hset(job.key, mapping={"status": "failed", "followup": "failed", "followup_callback": "1", "webhooks": hooks})
    redis.rpush("rq:followups:default", job.id)
    start(redis_server, ["default"], burst=True, only=ONLY).join(60)
    assert redis.llen("rq:followups:default") == 0
    assert notes(redis) == []


def plant_an_abandoned_run(queue: JsonQueue, redis: Redis) -> JsonJob:
    """Leave what RQ's own cleaning takes for a job whose worker has died, with a callback and a webhook."""
    job = queue.enqueue(fail, on_failure=Callback(called))
    queue.remove(job)
    hooks = json.dumps([{"url": "http://127.0.0.1:9/", "job_status": "failed"}])
    redis.hset(job.key, mapping={"status": "started", "webhooks": hooks})
    redis.zadd(queue.started_job_registry.key, {f"{job.id}:planted": 1})
    return job


@pytest.mark.parametrize("only", [ONLY, None])
def test_tidying_up_calls_nothing_back_either(queue: JsonQueue, redis: Redis, monkeypatch, only):
    sent = []
    monkeypatch.setattr(JsonJob, "send_webhooks", lambda *_, **__: sent.append("webhook"))
    job = plant_an_abandoned_run(queue, redis)
    with made(redis, only=only) as worker:
        Tidying(worker).run()
    assert job.get_status(refresh=True) == "failed"
    assert (notes(redis), sent) == (([], []) if only else (["callback"], ["webhook"]))


def test_without_a_list_callbacks_are_called_as_ever(queue: JsonQueue, redis: Redis, redis_server: str):
    queue.enqueue(note, redis_server, "x", on_success=Callback(called))
    start(redis_server, ["default"], burst=True).join(60)
    assert notes(redis) == ["begin x", "end x", "callback"]


def test_the_worker_calls_the_tasks_and_nothing_else(redis: Redis):
    class Rules:
        digest = "x"

    class Context:
        settings, rules = Settings(), Rules()

    worker = create_worker(redis, Context(), ["low"])  # type: ignore[arg-type]  # what it reads of one
    assert worker.only == {task.path for task in TASKS.values()}
    assert all(path.startswith("mastowatch.jobs.tasks.") for path in worker.only)
