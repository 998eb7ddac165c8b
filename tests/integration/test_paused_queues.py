"""A queue that is paused, with real workers: nothing of it begins, all else goes on, and it is resumed at once."""

from __future__ import annotations

import time
from typing import Any

import pytest
from redis import Redis
from rq.callbacks import Callback

from mastowatch.reliable import pausing, scripts
from mastowatch.reliable.horse import Horse
from mastowatch.reliable.serializer import JsonJob, JsonQueue
from mastowatch.reliable.worker import ReliableWorker
from tests.engine import end_all, leftovers, made, note, notes, start, wait

pytestmark = pytest.mark.redis


@pytest.fixture(autouse=True)
def no_worker_stays():
    yield
    end_all()


def pause(redis: Redis, queue: str) -> None:
    assert pausing.pause(redis, queue, "alice", time.time())


def hung_up(redis: Redis) -> bool:
    """Whether a horse has nothing to do and listens."""
    return any(one["name"] == "mastowatch-doorbell" for one in redis.client_list())


def test_jobs_stay_where_they_are_and_those_of_other_queues_run(redis: Redis, redis_server: str):
    pause(redis, "high")
    for name in ("high", "low"):
        JsonQueue(name, connection=redis).enqueue(note, redis_server, name)
    start(redis_server, ["high", "low"], burst=True).join(60)
    assert notes(redis) == ["begin low", "end low"]
    assert redis.llen("rq:queue:high") == 1
    assert pausing.resume(redis, "high")
    start(redis_server, ["high", "low"], burst=True).join(60)
    assert notes(redis)[-1] == "end high"
    assert leftovers(redis) == []


def test_a_worker_that_waits_notices_at_once_that_a_queue_is_resumed(
    redis: Redis, redis_server: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mastowatch.reliable.horse.LOOK_S", 3600.0)  # it is the bell that tells it
    pause(redis, "default")
    start(redis_server, ["default"])
    job = JsonQueue("default", connection=redis).enqueue(note, redis_server, "x")
    wait(lambda: hung_up(redis))
    assert job.get_status(refresh=True) == "queued"
    pausing.resume(redis, "default")
    wait(lambda: job.get_status(refresh=True) == "finished")


class CountingHorse(Horse):
    """Writes down how often it asked for a job."""

    def take(self) -> list[Any]:
        self.worker.connection.incr("takes")
        return super().take()


class CountingWorker(ReliableWorker):
    horse_class = CountingHorse


def test_a_worker_does_not_turn_in_circles_over_a_paused_queue_with_jobs(
    redis: Redis, redis_server: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mastowatch.reliable.horse.LOOK_S", 3600.0)
    pause(redis, "default")
    queue = JsonQueue("default", connection=redis)
    for number in range(50):
        queue.enqueue(note, redis_server, str(number))
    start(redis_server, ["default", "low"], CountingWorker)
    wait(lambda: hung_up(redis))
    for number in range(5):  # each of them rings once, at most
        JsonQueue("low", connection=redis).enqueue(note, redis_server, f"low {number}")
        wait(lambda number=number: f"end low {number}" in notes(redis))
    assert int(redis.get("takes") or 0) <= 2 + 4 * 5
    assert redis.llen("rq:queue:default") == 50


def test_the_job_at_hand_goes_on_and_the_next_one_is_not_taken_with_its_end(redis: Redis, redis_server: str):
    queue = JsonQueue("default", connection=redis)
    first, second = queue.enqueue(note, redis_server, "1", 1.0), queue.enqueue(note, redis_server, "2")
    process = start(redis_server, ["default"])
    wait(lambda: notes(redis) == ["begin 1"])
    pause(redis, "default")
    wait(lambda: first.get_status(refresh=True) == "finished")
    process.terminate()
    process.join(60)
    assert (second.get_status(refresh=True), notes(redis)) == ("queued", ["begin 1", "end 1"])


def called_back(job: JsonJob, connection: Redis, *_: Any) -> None:
    connection.rpush("notes", "called back")


def test_what_follows_an_end_is_done_though_its_queue_is_paused(redis: Redis, redis_server: str):
    queue = JsonQueue("default", connection=redis)
    first = queue.enqueue(note, redis_server, "1")
    second = JsonQueue("low", connection=redis).enqueue(note, redis_server, "2", depends_on=first)
    with made(redis, name="w") as worker:
        worker._register()
        taken = take(redis)
        assert taken[0] == b"job"
        pause(redis, "default")
        # As a horse that died right after it had recorded the end.
        redis.lrem("rq:taken:w", 0, first.id)
        redis.hset(f"rq:job:{first.id}", mapping={"status": "finished", "followup": "finished"})
        redis.hdel(f"rq:job:{first.id}", "run")
        redis.rpush("rq:followups:default", first.id)
    start(redis_server, ["default", "low"], burst=True).join(60)
    assert second.get_status(refresh=True) == "finished"
    assert redis.llen("rq:followups:default") == 0


def take(redis: Redis, name: str = "w") -> list[bytes]:
    keys = [scripts.taken_key(name), scripts.worker_key(name), "rq:suspended", "rq:queue:default"]
    answer: list[bytes] = redis.eval(scripts.TAKE, len(keys), *keys, name, "run", "2026-01-01T00:00:00.0Z", 1.0, 90, 1)
    return answer


@pytest.mark.parametrize("damaged", ["", "x", "[]", "[1,2,3]", "null", '{"by": 1}'])
def test_an_entry_that_can_not_be_read_pauses_its_queue_all_the_same(redis: Redis, redis_server: str, damaged):
    redis.hset("rq:paused", "default", damaged)
    JsonQueue("default", connection=redis).enqueue(note, redis_server, "x")
    start(redis_server, ["default"], burst=True).join(60)
    assert redis.llen("rq:queue:default") == 1
    assert pausing.paused_queues(redis) == {"default": pausing.Paused("", 0.0)}


def test_a_queue_that_is_paused_piles_up_no_ticks(redis: Redis, redis_server: str):
    from tests.integration.test_scheduler import scheduler_of

    pause(redis, "default")
    scheduler = scheduler_of(redis)
    for tick in range(5):
        scheduler.step(1000.0 + 30 * tick)
    assert redis.llen("rq:queue:default") == 1


def test_a_callback_runs_with_its_job_after_the_queue_is_resumed(redis: Redis, redis_server: str):
    pause(redis, "default")
    job = JsonQueue("default", connection=redis).enqueue(note, redis_server, "x", on_success=Callback(called_back))
    start(redis_server, ["default"])
    pausing.resume(redis, "default")
    wait(lambda: job.get_status(refresh=True) == "finished")
    assert notes(redis) == ["begin x", "end x", "called back"]
