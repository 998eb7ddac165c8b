"""The job engine on a real redis-server: workers are processes, and killed as such."""

from __future__ import annotations

import base64
import json
import multiprocessing
import os
import pickle
import signal
import time
import zlib
from pathlib import Path

import pytest
from redis import Redis
from rq.job import Job, Retry

from mastowatch.reliable import queue as queues
from mastowatch.reliable.queue import enqueue_once
from mastowatch.reliable.recovery import recover_dead
from mastowatch.reliable.scheduler import LAST_TICK, SKIPPED, Recurring, ReliableScheduler
from mastowatch.reliable.serializer import JsonJob, JsonQueue
from mastowatch.reliable.worker import ReliableWorker

pytestmark = pytest.mark.redis
FORK = multiprocessing.get_context("fork")


def note(url: str, text: str, sleep_s: float = 0.0) -> str:
    with Redis.from_url(url) as redis:
        redis.rpush("notes", f"begin {text}")
        time.sleep(sleep_s)
        redis.rpush("notes", f"end {text}")
    return text


def fail() -> None:
    raise RuntimeError("no")


def notes(redis: Redis) -> list[str]:
    return [raw.decode() for raw in redis.lrange("notes", 0, -1)]


def work(url: str, queues: list[str], jobs: int | None) -> None:
    with Redis.from_url(url) as redis:
        worker = ReliableWorker(queues, connection=redis)
        signal.signal(signal.SIGTERM, worker.request_stop)
        done = 0
        while not worker.stopping and (jobs is None or done < jobs):
            ran = worker.step()
            done += ran
            if not ran:
                time.sleep(0.02)
        worker.leave()


def start(url: str, queues: list[str], jobs: int | None = None):
    process = FORK.Process(target=work, args=(url, queues, jobs))
    process.start()
    return process


def wait(condition, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_jobs_run_in_the_order_of_the_queues(redis: Redis, redis_server: str):
    for name in ("low", "default", "high"):
        JsonQueue(name, connection=redis).enqueue(note, redis_server, name)
    process = start(redis_server, ["high", "default", "low"], jobs=3)
    process.join(20)
    assert [line for line in notes(redis) if line.startswith("end")] == ["end high", "end default", "end low"]
    assert redis.keys("rq:taken:*") == []
    assert redis.smembers("rq:workers") == set()


def test_sigterm_finishes_the_job_at_hand_and_takes_no_other(redis: Redis, redis_server: str):
    queue = JsonQueue("default", connection=redis)
    first = queue.enqueue(note, redis_server, "one", 1.0)
    second = queue.enqueue(note, redis_server, "two")
    process = start(redis_server, ["default"])
    wait(lambda: "begin one" in notes(redis))
    os.kill(process.pid, signal.SIGTERM)
    process.join(20)
    assert process.exitcode == 0
    assert first.get_status() == "finished"
    assert second.get_status() == "queued"
    assert redis.smembers("rq:workers") == redis.smembers("rq:takers") == set(), "it left in good order"
    assert redis.zcard("rq:wip:default") == 0
    assert queue.job_ids == [second.id]


def test_a_killed_workers_job_is_brought_back(redis: Redis, redis_server: str):
    queue = JsonQueue("default", connection=redis)
    job = queue.enqueue(note, redis_server, "one", 30.0, retry=Retry(max=3))
    process = start(redis_server, ["default"])
    wait(lambda: "begin one" in notes(redis))
    name = redis.smembers("rq:takers").pop().decode()
    horse = int(redis.hget(f"rq:worker:{name}", "pid"))
    os.killpg(_child_of(horse), signal.SIGKILL)
    os.kill(process.pid, signal.SIGKILL)
    process.join(10)
    redis.delete(f"rq:worker:{name}")  # what its short life does by itself after 20 s
    worker = ReliableWorker(["default"], connection=redis)
    recover_dead(worker)
    assert queue.job_ids == [job.id]
    assert JsonJob.fetch(job.id, connection=redis).retries_left == 2
    assert redis.smembers("rq:takers") == set()


def _child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def test_a_job_taken_but_not_begun_goes_back_without_losing_a_retry(redis: Redis):
    queue = JsonQueue("default", connection=redis)
    job = queue.enqueue(fail, retry=Retry(max=3))
    redis.sadd("rq:takers", "dead")
    redis.lmove(queue.key, "rq:taken:dead", "LEFT", "LEFT")
    assert recover_dead(ReliableWorker(["default"], connection=redis)) == 1
    assert queue.job_ids == [job.id]
    assert JsonJob.fetch(job.id, connection=redis).retries_left == 3


def refusal(redis: Redis, job_id: str) -> str:
    """Return what RQ keeps of a failure: base64 of zlib."""
    ((_, fields),) = redis.xrevrange(f"rq:results:{job_id}", count=1)
    return zlib.decompress(base64.b64decode(fields[b"exc_string"])).decode()


def test_a_pickled_job_is_refused_and_never_unpickled(redis: Redis, redis_server: str, tmp_path):
    trap = tmp_path / "trap"

    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(trap),))

    job = JsonQueue("default", connection=redis).enqueue(note, redis_server, "x")
    redis.hset(job.key, "data", pickle.dumps(Bomb()))
    start(redis_server, ["default"], jobs=1).join(20)
    assert not trap.exists()
    assert job.get_status(refresh=True) == "failed"
    assert "no JSON" in refusal(redis, job.id)
    assert notes(redis) == []


def test_the_same_work_is_queued_once_and_again_after_it_ended(redis: Redis, redis_server: str):
    queue = JsonQueue("default", connection=redis)
    path = f"{__name__}.fail"
    assert enqueue_once(queue, path, job_id="same") is not None
    assert enqueue_once(queue, path, job_id="same") is None
    Job.fetch("same", connection=redis, serializer=queue.serializer).set_status("failed")
    redis.delete(queue.key)
    redis.zadd(queue.failed_job_registry.key, {"same": 2e9})
    assert enqueue_once(queue, path, job_id="same") is not None
    assert redis.zcard(queue.failed_job_registry.key) == 0
    assert queue.job_ids == ["same"]


def test_two_that_queue_the_same_work_in_one_moment_queue_it_once(redis: Redis, monkeypatch):
    queue = JsonQueue("default", connection=redis)
    monkeypatch.setattr(queues, "_forget_ended", lambda queue, job_id: True)  # both have looked and found nothing
    found = [queues.enqueue_once(queue, f"{__name__}.fail", job_id="same") for _ in range(2)]
    assert [job is not None for job in found] == [True, False]
    assert queue.job_ids == ["same"]


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


def wait_for_budget(url: str) -> str | Retry:
    """A job that can't go on the first time."""
    with Redis.from_url(url) as redis:
        if redis.incr("tries") == 1:
            return Retry(max=1_000_000, interval=60)
    return note(url, "later")


def test_a_job_that_puts_itself_back_is_delayed_without_losing_a_retry_and_runs_later(redis: Redis, redis_server: str):
    queue = JsonQueue("default", connection=redis)
    job = queue.enqueue(wait_for_budget, redis_server, retry=Retry(max=3))
    start(redis_server, ["default"], jobs=1).join(20)
    assert job.get_status(refresh=True) == "scheduled"
    assert redis.keys("rq:taken:*") == []
    assert redis.hgetall("rq:totals") == {}
    assert ReliableScheduler(redis, [], ["default"]).step(time.time() + 61) == 1
    start(redis_server, ["default"], jobs=1).join(20)
    assert notes(redis) == ["begin later", "end later"]
    assert JsonJob.fetch(job.id, connection=redis).retries_left == 3
    assert redis.hget("rq:totals", "default:finished") == b"1"


def test_a_job_that_fails_is_tried_again_after_its_back_off_and_then_fails_for_good(redis: Redis, redis_server: str):
    queue = JsonQueue("default", connection=redis)
    job = queue.enqueue(fail, retry=Retry(max=1, interval=[30]))
    start(redis_server, ["default"], jobs=1).join(20)
    assert job.get_status(refresh=True) == "scheduled"
    ReliableScheduler(redis, [], ["default"]).step(time.time() + 31)
    start(redis_server, ["default"], jobs=1).join(20)
    assert job.get_status(refresh=True) == "failed"
    assert "RuntimeError: no" in job.latest_result().exc_string
    assert redis.hget("rq:totals", "default:failed") == b"1"


def registered(redis: Redis, worker: ReliableWorker) -> bool:
    return redis.sismember("rq:workers", worker.key) and redis.hexists(worker.key, "birth")


def test_a_worker_that_redis_forgot_registers_again(redis: Redis):
    now = [100.0]
    worker = ReliableWorker(["default"], connection=redis, clock=lambda: now[0])
    worker.step()
    assert registered(redis, worker)
    redis.flushdb()
    for _ in range(3):  # RQ's own heartbeat makes the key anew, without a birth
        worker.heartbeat()
        now[0] += 6
        worker.step()
    assert registered(redis, worker)
    worker.leave()


def test_to_take_a_job_is_to_be_known_as_one_who_holds_jobs(redis: Redis, redis_server: str):
    JsonQueue("default", connection=redis).enqueue(note, redis_server, "x")
    worker = ReliableWorker(["default"], connection=redis)
    redis.delete("rq:takers")
    worker._taker.take()
    assert redis.smembers("rq:takers") == {worker.name.encode()}


def test_what_a_snapshot_put_back_into_the_hand_is_settled_at_the_next_beat(redis: Redis):
    now = [100.0]
    worker = ReliableWorker(["default"], connection=redis, may_take=lambda: False, clock=lambda: now[0])
    worker.step()
    job = JsonQueue("default", connection=redis).enqueue(fail)
    redis.lmove("rq:queue:default", f"rq:taken:{worker.name}", "LEFT", "LEFT")
    now[0] += 6
    worker.step()
    assert redis.lrange("rq:queue:default", 0, -1) == [job.id.encode()]
    assert not redis.exists(f"rq:taken:{worker.name}")
    worker.leave()


@pytest.mark.parametrize(
    "damage",
    [
        {"description": b"\xff\xfe"},
        {"created_at": "yesterday"},
        {"timeout": "soon"},
        {"retries_left": "x"},
        {"data": b"\x80\x04garbage"},
        {"status": "odd"},
    ],
)
@pytest.mark.parametrize("begun", [False, True])
def test_a_damaged_record_ends_as_failed_and_never_ends_a_worker(redis: Redis, redis_server: str, damage, begun):
    queue = JsonQueue("default", connection=redis)
    bad = queue.enqueue(note, redis_server, "bad")
    good = queue.enqueue(note, redis_server, "good")
    if begun:
        redis.sadd("rq:takers", "dead")
        redis.lmove(queue.key, "rq:taken:dead", "LEFT", "LEFT")
        redis.hset(bad.key, "status", "started")
    redis.hset(bad.key, mapping=damage)
    process = start(redis_server, ["default"])
    wait(lambda: "end good" in notes(redis))
    os.kill(process.pid, signal.SIGTERM)
    process.join(20)
    assert process.exitcode == 0
    assert good.get_status() == "finished"
    assert redis.keys("rq:taken:*") == []
    if not (begun and damage.get("status") == "odd"):  # nobody can tell that this one had begun
        assert redis.hget(bad.key, "status") == b"failed"
        assert redis.zscore("rq:failed:default", bad.id) is not None
    assert "begin bad" not in notes(redis)


def test_a_record_of_which_only_a_part_is_left_ends_as_failed(redis: Redis, redis_server: str):
    redis.hset("rq:job:half", "status", "queued")
    redis.rpush("rq:queue:default", "half", b"\xff\xfe")
    process = start(redis_server, ["default"])
    wait(lambda: redis.hget("rq:job:half", "status") == b"failed")
    wait(lambda: redis.llen("rq:queue:default") == 0)
    os.kill(process.pid, signal.SIGTERM)
    process.join(20)
    assert process.exitcode == 0
    assert redis.keys("rq:taken:*") == []


def test_ticks_go_on_after_a_clock_that_was_ahead(redis: Redis):
    scheduler = ReliableScheduler(redis, [recurring()], ["default"])
    scheduler.step(10_000.0)
    redis.delete("rq:queue:default")
    redis.hset("rq:job:tick", "status", "finished")
    for one in (scheduler, ReliableScheduler(redis, [recurring()], ["default"])):
        one._lock.release()
        one.step(5_000.0)
        assert scheduler.next_due() <= 5_031
