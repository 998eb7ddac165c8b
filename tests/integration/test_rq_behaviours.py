"""What RQ documents and its users rely on. Where both must agree, stock RQ and our engine answer the same test."""

from __future__ import annotations

import asyncio
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq import Queue, Worker
from rq.callbacks import Callback
from rq.command import (
    send_kill_horse_command,
    send_shutdown_command,
    send_stop_execution_command,
    send_stop_job_command,
)
from rq.exceptions import InvalidJobOperation
from rq.group import Group
from rq.job import Dependency, Job, Retry, get_current_job
from rq.rate_limit import RateLimit, RateLimitRegistry
from rq.registry import StartedJobRegistry
from rq.repeat import Repeat
from rq.results import Result
from rq.scheduler import RQScheduler
from rq.serializers import JSONSerializer
from rq.suspension import is_suspended, resume, suspend
from rq.webhook import Webhook

from mastowatch.reliable.keeper import Death, Keeper
from mastowatch.reliable.recovery import bury
from mastowatch.reliable.scheduler import ReliableScheduler
from mastowatch.reliable.serializer import JsonJob, JsonQueue
from tests.both_engines import OURS, STOCK, drain, run, running, worker_of
from tests.engine import leftovers, wait

pytestmark = [pytest.mark.redis, pytest.mark.unmeasured]
both = pytest.mark.parametrize("engine", [STOCK, OURS])

YEAR_S = 31_536_000


# --- jobs and callbacks ----------------------------------------------------------------------------------


def echo(value: Any = None) -> Any:
    return value


def who() -> int:
    return os.getpid()


def fail(words: str = "no") -> None:
    raise RuntimeError(words)


def nap(seconds: float) -> None:
    time.sleep(seconds)


def die() -> None:
    os._exit(3)


def here() -> Redis:
    """The connection that RQ lends to the job at hand."""
    return get_current_job().connection


def note(text: str, seconds: float = 0.0) -> str:
    here().rpush("notes", text)
    time.sleep(seconds)
    return text


def fail_and_note(text: str) -> None:
    note(text)
    raise RuntimeError(text)


def fail_until(attempt: int) -> int:
    tries = here().incr("tries")
    if tries < attempt:
        raise RuntimeError(f"try {tries}")
    return tries


def ask_again(times: int, interval: int = 0, where: str = "back") -> int | Retry:
    """Ask to be run again until it has run ``times`` times."""
    tries = here().incr("tries")
    note(f"try {tries}")
    return tries if tries >= times else Retry(max=times, interval=interval, enqueue_at_front=where == "front")


def always_ask_again() -> Retry:
    return Retry(max=2)


def depend_on_me() -> None:
    queue = JsonQueue("default", connection=here())
    queue.enqueue(note, "dependent", depends_on=get_current_job())


def tell_of_itself() -> dict[str, Any]:
    job = get_current_job()
    job.meta["progress"] = 50
    job.save_meta()
    return {"id": job.id, "args": job.args, "status": job.get_status(), "ttl": job.connection.ttl(job.key)}


def hold(text: str = "begun") -> str:
    """Run until the test says go, or for a minute."""
    note(text)
    for _ in range(60):  # one long wait would outlast the patience of redis-py, which is 5 s
        if here().blpop("go", timeout=1):
            break
    return text


def hold_and_save_meta() -> None:
    job = get_current_job()
    hold()
    job.meta["late"] = True
    job.save_meta()


async def later(value: int) -> int:
    await asyncio.sleep(0.01)
    return value


def on_success(job: Job, connection: Redis, result: Any) -> None:
    connection.rpush("called", f"success {job.id} {result} {job.get_status(refresh=False).value}")


def on_failure(job: Job, connection: Redis, kind: type, value: BaseException, traceback: Any) -> None:
    connection.rpush("called", f"failure {job.id} {kind.__name__} {value} {job.get_status(refresh=False).value}")


def on_stopped(job: Job, connection: Redis) -> None:
    connection.rpush("called", f"stopped {job.id}")


def raise_in_callback(*_: Any) -> None:
    raise ValueError("callback")


def nap_in_callback(*_: Any) -> None:
    time.sleep(30)


# --- helpers ---------------------------------------------------------------------------------------------


@pytest.fixture
def queue(redis: Redis) -> JsonQueue:
    return JsonQueue("default", connection=redis)


def let_go(redis: Redis) -> None:
    redis.rpush("go", "now")


def texts(redis: Redis, key: str = "notes") -> list[str]:
    return [raw.decode() for raw in redis.lrange(key, 0, -1)]


def status(job: Job) -> str:
    return job.get_status(refresh=True).value


def again(job: Job) -> Job:
    """The job as it stands in Redis."""
    return JsonJob.fetch(job.id, connection=job.connection)


def kinds(job: Job) -> list[str]:
    """The kinds of its results, the oldest first."""
    return [result.type.name for result in reversed(job.results())]


def words(job: Job) -> str:
    return job.latest_result().exc_string


def release_delayed(redis: Redis) -> None:
    """Bring back all delayed jobs with RQ's own scheduler, as if their time had come."""
    for job_id in redis.zrange("rq:scheduled:default", 0, -1):
        redis.zadd("rq:scheduled:default", {job_id: time.time() - 1})
    scheduler = RQScheduler(["default"], connection=redis, serializer=JSONSerializer)
    scheduler.acquire_locks()
    scheduler.enqueue_scheduled_jobs()
    scheduler.release_locks()
    scheduler.connection.connection_pool.disconnect()  # it has one of its own


def due_in(job: Job) -> float:
    """In how many seconds a delayed job is due."""
    queue = JsonQueue(job.origin, connection=job.connection)
    return (queue.scheduled_job_registry.get_scheduled_time(job) - datetime.now(UTC)).total_seconds()


def end_of(redis: Redis, key: str) -> float:
    return time.time() + redis.pttl(key) / 1000


def kept(seconds: float, began: float, *ends: float) -> bool:
    """Whether all the ends lie so long after some moment since ``began``; RQ reckons in whole seconds."""
    return all(began + seconds - 1 <= end <= time.time() + seconds + 1 for end in ends)


def rq(*arguments: str, url: str) -> str:
    """The real command line."""
    command = [str(Path(sys.executable).with_name("rq")), arguments[0], "--url", url, *arguments[1:]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def listener(seconds: float = 0.0) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A web server of one's own that takes so long to answer, and what it was told."""
    told: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            told.append((self.path, body.decode()))
            time.sleep(seconds)
            self.send_response(204)
            self.end_headers()

        do_GET = do_POST  # noqa: N815 -- http.server's name

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", told
        finally:
            server.shutdown()
            thread.join()


# --- limits of time --------------------------------------------------------------------------------------


@both
def test_a_timeout_may_be_written_with_a_unit(redis, queue, engine):
    job = queue.enqueue(echo, job_timeout="10m")
    assert again(job).timeout == 600
    run(engine, redis)
    assert status(job) == "finished"


@both
def test_a_job_without_a_timeout_has_180_seconds(redis, queue, engine):
    job = queue.enqueue(echo)
    run(engine, redis)
    assert again(job).timeout == 180


@both
def test_a_timeout_of_minus_one_is_none(redis, queue, engine):
    job = queue.enqueue(echo, 5, job_timeout=-1)
    run(engine, redis)
    assert job.return_value() == 5


@both
def test_a_job_past_its_timeout_fails_and_the_next_one_runs(redis, queue, engine):
    job, following = queue.enqueue(nap, 30, job_timeout=1), queue.enqueue(echo, 1)
    run(engine, redis)
    assert status(job) == "failed"
    assert "JobTimeoutException: Task exceeded maximum timeout value (1 seconds)" in words(job)
    assert following.return_value() == 1
    assert leftovers(redis) == []


def test_after_a_timeout_the_next_job_runs_in_another_process(redis, queue):
    first, second = queue.enqueue(who), queue.enqueue(who)
    queue.enqueue(nap, 30, job_timeout=1)
    third = queue.enqueue(who)
    run(OURS, redis)
    assert first.return_value() == second.return_value() != third.return_value()


# --- how long things are kept ----------------------------------------------------------------------------


@both
@pytest.mark.parametrize(("options", "seconds"), [({}, 500), ({"result_ttl": 30}, 30)])
def test_a_finished_job_and_its_result_are_kept_so_long(redis, queue, engine, options, seconds):
    job, began = queue.enqueue(echo, 1, **options), time.time()
    run(engine, redis)
    assert kept(seconds, began, end_of(redis, job.key), end_of(redis, Result.get_key(job.id)))
    assert kept(seconds, began, redis.zscore("rq:finished:default", job.id))


@both
def test_a_finished_job_is_kept_for_ever_with_a_ttl_of_minus_one(redis, queue, engine):
    job = queue.enqueue(echo, 1, result_ttl=-1)
    run(engine, redis)
    assert redis.ttl(job.key) == redis.ttl(Result.get_key(job.id)) == -1
    assert redis.zscore("rq:finished:default", job.id) == float("inf")


@both
def test_a_finished_job_leaves_nothing_with_a_ttl_of_zero(redis, queue, engine):
    job = queue.enqueue(note, "ran", result_ttl=0)
    run(engine, redis)
    assert texts(redis) == ["ran"]
    assert redis.keys(f"*{job.id}*") == []
    assert redis.zcard("rq:finished:default") == 0


@both
@pytest.mark.parametrize(("options", "seconds"), [({}, YEAR_S), ({"failure_ttl": 40}, 40)])
def test_a_failed_job_is_kept_so_long(redis, queue, engine, options, seconds):
    job, began = queue.enqueue(fail, **options), time.time()
    run(engine, redis)
    assert kept(seconds, began, end_of(redis, job.key), redis.zscore("rq:failed:default", job.id))


def test_a_failure_is_kept_as_long_as_its_job(redis, queue):
    """Stock RQ keeps it for ever, unless the job has a failure_ttl of its own."""
    job, began = queue.enqueue(fail), time.time()
    run(OURS, redis)
    assert kept(YEAR_S, began, end_of(redis, Result.get_key(job.id)))


@both
def test_a_failed_job_is_kept_for_ever_with_a_ttl_of_minus_one(redis, queue, engine):
    job = queue.enqueue(fail, failure_ttl=-1)
    run(engine, redis)
    assert redis.ttl(job.key) == redis.ttl(Result.get_key(job.id)) == -1
    assert queue.failed_job_registry.get_job_ids() == [job.id]


@both
def test_a_job_that_waited_longer_than_its_ttl_never_runs(redis, queue, engine):
    job = queue.enqueue(note, "late", ttl=1000)
    assert 0 < redis.ttl(job.key) <= 1000
    redis.pexpire(job.key, 1)
    following = queue.enqueue(echo, 1)
    time.sleep(0.01)
    run(engine, redis)
    assert texts(redis) == []
    assert following.return_value() == 1
    assert leftovers(redis) == []


@both
def test_a_ttl_ends_with_the_waiting(redis, queue, engine):
    job = queue.enqueue(tell_of_itself, ttl=1000, result_ttl=2000)
    run(engine, redis)
    assert job.return_value()["ttl"] == -1
    assert redis.ttl(job.key) > 1000


@both
def test_a_job_that_waits_once_more_has_its_ttl_once_more(redis, queue, engine):
    job = queue.enqueue(fail, ttl=1000, retry=Retry(max=1, interval=60))
    run(engine, redis)
    assert status(job) == "scheduled"
    assert 0 < redis.ttl(job.key) <= 1000


# --- results ---------------------------------------------------------------------------------------------


@both
def test_what_a_job_returns_is_its_result(redis, queue, engine):
    job = queue.enqueue(echo, {"a": [1, None, "ü"]})
    worker = run(engine, redis)
    result = job.latest_result()
    assert job.return_value() == result.return_value == {"a": [1, None, "ü"]}
    assert result.type is Result.Type.SUCCESSFUL
    assert result.worker_name == worker.name
    assert result.execution_id
    assert result.execution_started_at <= result.execution_ended_at <= datetime.now(UTC)
    assert job.results() == [result]


@both
def test_a_job_that_returns_nothing_has_a_result_all_the_same(redis, queue, engine):
    job = queue.enqueue(echo)
    run(engine, redis)
    assert job.return_value() is None
    assert kinds(job) == ["SUCCESSFUL"]


@both
def test_the_record_tells_when_and_by_whom_it_was_run(redis, queue, engine):
    job = queue.enqueue(nap, 0.05)
    worker = run(engine, redis)
    job = again(job)
    assert job.worker_name == worker.name
    assert job.enqueued_at <= job.started_at < job.ended_at
    assert (job.ended_at - job.started_at).total_seconds() >= 0.05


# --- retries ---------------------------------------------------------------------------------------------


@both
def test_a_job_that_fails_is_tried_again_at_once_and_then_fails_for_good(redis, queue, engine):
    job = queue.enqueue(fail_and_note, "x", retry=Retry(max=3))
    run(engine, redis)
    assert texts(redis) == ["x"] * 4
    assert (status(job), again(job).retries_left) == ("failed", 0)
    assert queue.failed_job_registry.get_job_ids() == [job.id]
    assert leftovers(redis) == []


@both
def test_a_job_that_succeeds_at_its_third_try_keeps_the_retries_that_are_left(redis, queue, engine):
    job = queue.enqueue(fail_until, 3, retry=Retry(max=3))
    run(engine, redis)
    assert (status(job), job.return_value(), again(job).retries_left) == ("finished", 3, 1)
    assert redis.zcard("rq:failed:default") == 0


def test_each_try_is_recorded_with_what_went_wrong(redis, queue):
    """Stock RQ keeps the last one only."""
    job = queue.enqueue(fail_until, 3, retry=Retry(max=3))
    run(OURS, redis)
    assert kinds(job) == ["RETRIED", "RETRIED", "SUCCESSFUL"]
    oldest = job.results()[-1]
    assert "Traceback" in oldest.exc_string
    assert "RuntimeError: try 1" in oldest.exc_string
    assert len({result.execution_id for result in job.results()}) == 3


@both
def test_retries_wait_as_long_as_their_intervals_say(redis, queue, engine):
    job = queue.enqueue(fail, retry=Retry(max=4, interval=[10, 20, 300]))
    waited = []
    for _ in range(4):
        run(engine, redis)
        assert status(job) == "scheduled"
        assert queue.scheduled_job_registry.get_job_ids() == [job.id]
        waited.append(round(due_in(job), -1))
        release_delayed(redis)
        assert (status(job), queue.job_ids) == ("queued", [job.id])
    run(engine, redis)
    assert waited == [10, 10, 20, 300], "as RQ picks them for more retries than intervals"
    assert status(job) == "failed"


@both
def test_a_delayed_retry_is_released_by_our_scheduler_too(redis, queue, engine):
    job = queue.enqueue(fail_until, 2, retry=Retry(max=1, interval=60))
    run(engine, redis)
    scheduler = ReliableScheduler(redis, [], ["default"])
    assert scheduler.step(time.time() + 50) == 0
    assert scheduler.step(time.time() + 61) == 1
    run(engine, redis)
    assert status(job) == "finished"


@both
@pytest.mark.parametrize(("at_front", "expected"), [(False, ["x", "y", "x"]), (True, ["x", "x", "y"])])
def test_a_retry_may_go_to_the_front(redis, queue, engine, at_front, expected):
    queue.enqueue(fail_and_note, "x", retry=Retry(max=1, enqueue_at_front=at_front))
    queue.enqueue(note, "y")
    run(engine, redis)
    assert texts(redis) == expected


@both
def test_a_job_may_return_that_it_wants_to_be_run_again(redis, queue, engine):
    job = queue.enqueue(ask_again, 3)
    run(engine, redis)
    assert texts(redis) == ["try 1", "try 2", "try 3"]
    assert kinds(job) == ["RETRIED", "RETRIED", "SUCCESSFUL"]
    assert (status(job), job.return_value(), again(job).number_of_retries) == ("finished", 3, 2)


@both
def test_a_job_that_wants_to_be_run_again_too_often_fails(redis, queue, engine):
    job = queue.enqueue(always_ask_again)
    run(engine, redis)
    assert kinds(job) == ["RETRIED", "RETRIED", "MAX_RETRIES_EXCEEDED"]
    assert status(job) == "failed"
    assert queue.failed_job_registry.get_job_ids() == [job.id]


@both
def test_a_job_that_wants_to_be_run_again_later_loses_no_retry(redis, queue, engine):
    job = queue.enqueue(
        ask_again, 2, 60, retry=Retry(max=3), on_success=Callback(on_success), on_failure=Callback(on_failure)
    )
    run(engine, redis)
    assert status(job) == "scheduled"
    assert 30 < due_in(job) <= 60
    assert texts(redis, "called") == []
    release_delayed(redis)
    run(engine, redis)
    assert status(job) == "finished"
    assert again(job).retries_left == 3
    assert texts(redis, "called") == [f"success {job.id} 2 finished"]


@both
def test_a_job_that_wants_to_be_run_again_may_go_to_the_front(redis, queue, engine):
    queue.enqueue(ask_again, 2, 0, "front")
    queue.enqueue(note, "y")
    run(engine, redis)
    assert texts(redis) == ["try 1", "try 2", "y"]


# --- repeats ---------------------------------------------------------------------------------------------


@both
def test_a_job_is_repeated_at_once(redis, queue, engine):
    job = queue.enqueue(note, "x", repeat=Repeat(times=2))
    run(engine, redis)
    assert texts(redis) == ["x"] * 3
    assert kinds(job) == ["SUCCESSFUL"] * 3
    assert (status(job), again(job).repeats_left) == ("finished", 0)


@both
def test_a_job_is_repeated_after_its_intervals(redis, queue, engine):
    job = queue.enqueue(note, "x", repeat=Repeat(times=3, interval=[10, 200]))
    waited = []
    for _ in range(3):
        run(engine, redis)
        assert status(job) == "scheduled"
        waited.append(round(due_in(job), -1))
        release_delayed(redis)
    run(engine, redis)
    assert waited == [10, 200, 200]
    assert texts(redis) == ["x"] * 4
    assert status(job) == "finished"


@both
def test_a_job_that_fails_is_not_repeated(redis, queue, engine):
    job = queue.enqueue(fail_and_note, "x", repeat=Repeat(times=2))
    run(engine, redis)
    assert texts(redis) == ["x"]
    assert status(job) == "failed"


def test_a_repeated_job_is_brought_back_although_the_follow_up_of_its_last_run_is_due(redis, queue):
    job = queue.enqueue(echo, retry=Retry(max=1))
    redis.lmove(queue.key, "rq:taken:dead", "LEFT", "LEFT")
    redis.hset(job.key, mapping={"status": "started", "worker_name": "dead", "followup": "finished"})
    bury(redis, "dead", "default")
    assert (status(job), queue.job_ids) == ("queued", [job.id])
    assert redis.llen("rq:followups:default") == 0


# --- queues ----------------------------------------------------------------------------------------------


@both
def test_queues_are_served_in_the_order_of_their_names(redis, engine):
    for name in ("low", "default", "high", "low", "high"):
        JsonQueue(name, connection=redis).enqueue(note, name)
    run(engine, redis, "high", "default", "low")
    assert texts(redis) == ["high", "high", "default", "low", "low"]


@both
def test_a_job_may_be_enqueued_at_the_front(redis, queue, engine):
    queue.enqueue(note, "one")
    queue.enqueue(note, "two", at_front=True)
    run(engine, redis)
    assert texts(redis) == ["two", "one"]


@both
def test_many_jobs_are_enqueued_at_once(redis, queue, engine):
    many = [Queue.prepare_data(note, args=(str(number),)) for number in range(20)]
    jobs = queue.enqueue_many(many)
    run(engine, redis)
    assert texts(redis) == [str(number) for number in range(20)]
    assert {status(job) for job in jobs} == {"finished"}


@both
def test_so_many_jobs_and_no_more(redis, queue, engine):
    for number in range(4):
        queue.enqueue(note, str(number))
    assert drain(worker_of(engine, redis), max_jobs=2)
    assert texts(redis) == ["0", "1"]
    assert queue.count == 2


@both
def test_work_tells_whether_there_was_any(redis, queue, engine):
    assert not drain(worker_of(engine, redis))
    queue.enqueue(echo)
    assert drain(worker_of(engine, redis))


def test_a_job_enqueued_anew_under_its_id_while_it_runs_is_run_anew(redis, redis_server, queue):
    """Stock RQ runs it again with the arguments of the first."""
    queue.enqueue(hold, "first", job_id="same")
    with running(OURS, redis_server):
        wait(lambda: texts(redis) == ["first"])
        job = queue.enqueue(note, "second", job_id="same")
        let_go(redis)
        wait(lambda: texts(redis) == ["first", "second"])
        wait(lambda: status(job) == "finished")
    assert job.return_value(refresh=True) == "second"
    assert leftovers(redis) == []


def test_a_job_enqueued_anew_while_it_runs_and_held_back_by_its_rate_limit_is_run_anew(redis, redis_server, queue):
    limit = RateLimit("k", concurrency=1)
    queue.enqueue(hold, "first", job_id="same", rate_limit=limit)
    with running(OURS, redis_server):
        wait(lambda: texts(redis) == ["first"])
        job = queue.enqueue(note, "second", job_id="same", rate_limit=limit)
        assert status(job) == "rate_limited"
        let_go(redis)
        wait(lambda: texts(redis) == ["first", "second"])
        wait(lambda: status(job) == "finished")
        wait(lambda: slots(redis) == ([], []))


def test_a_job_held_back_by_its_rate_limit_survives_the_death_of_its_first_run(redis, redis_server, queue):
    limit = RateLimit("k", concurrency=1)
    queue.enqueue(hold, "first", job_id="same", rate_limit=limit)
    with running(OURS, redis_server):
        wait(lambda: texts(redis) == ["first"])
        job = queue.enqueue(note, "second", job_id="same", rate_limit=limit)
        send_kill_horse_command(redis, redis.smembers("rq:takers").pop().decode())
        wait(lambda: not redis.keys("rq:taken:*"))
        assert status(job) == "rate_limited"
        RateLimitRegistry("k", connection=redis).cleanup()  # as tidying does twice a minute
        wait(lambda: texts(redis) == ["first", "second"])
        wait(lambda: status(job) == "finished")


def test_so_many_jobs_are_run_and_no_more_although_one_ends_its_process(redis, queue):
    queue.enqueue(note, "0")
    queue.enqueue(die)
    for number in range(1, 4):
        queue.enqueue(note, str(number))
    drain(worker_of(OURS, redis), max_jobs=2)
    assert texts(redis) == ["0", "1"]
    assert queue.count == 2


@pytest.mark.parametrize("option", [{"with_scheduler": True}, {"max_idle_time": 5}, {"dequeue_strategy": "random"}])
def test_what_this_worker_can_not_do_is_refused_and_not_ignored(redis, option):
    with pytest.raises(ValueError, match=next(iter(option))):
        drain(worker_of(OURS, redis), **option)


def test_a_job_whose_id_is_longer_than_a_page_runs_and_fails_like_any_other(redis, queue):
    name = "x" * 5000
    job = queue.enqueue(os.kill, 0, 9, job_id=name)  # its own group: the horse and all that it started
    good = queue.enqueue(echo, 5, job_id=f"{name}y")
    run(OURS, redis)
    assert (status(job), good.return_value()) == ("failed", 5)
    assert leftovers(redis) == []


def test_a_burst_ends_with_its_horse(redis, queue, monkeypatch):
    done: list[str] = []
    fork, reap, wait_for = Keeper.fork, Keeper.reap, Keeper.wait

    def noting_reap(self: Keeper) -> Death | None:
        death = reap(self)
        if death is not None:
            done.append("reaped")
        return death

    def noting_wait(self: Keeper, seconds: float, wake: int) -> None:
        if seconds and "reaped" in done:
            done.append("waited")
        wait_for(self, seconds, wake)

    monkeypatch.setattr(Keeper, "fork", lambda self, live: (done.append("forked"), fork(self, live)))
    monkeypatch.setattr(Keeper, "reap", noting_reap)
    monkeypatch.setattr(Keeper, "wait", noting_wait)
    queue.enqueue(echo)
    run(OURS, redis)
    assert done == ["forked", "reaped"], "no other horse for queues that are empty, and nothing to wait for"


# --- dependents ------------------------------------------------------------------------------------------


@both
def test_a_chain_of_jobs_runs_in_its_order(redis, queue, engine):
    first = queue.enqueue(note, "one")
    second = queue.enqueue(note, "two", depends_on=first)
    third = JsonQueue("other", connection=redis).enqueue(note, "three", depends_on=second)
    assert status(second) == status(third) == "deferred"
    run(engine, redis, "other", "default")
    assert texts(redis) == ["one", "two", "three"]
    assert status(third) == "finished"
    assert redis.zcard("rq:deferred:default") == redis.zcard("rq:ready:default") == 0
    assert leftovers(redis) == []


@both
def test_a_job_waits_for_all_that_it_depends_on(redis, queue, engine):
    other = JsonQueue("other", connection=redis)
    jobs = [queue.enqueue(note, "one"), other.enqueue(note, "two")]
    last = queue.enqueue(note, "last", depends_on=jobs)
    run(engine, redis, "default")
    assert status(last) == "deferred"
    run(engine, redis, "other", "default")
    assert texts(redis) == ["one", "two", "last"]


@both
def test_a_dependent_of_a_failed_job_stays_deferred(redis, queue, engine):
    job = queue.enqueue(fail)
    dependent = queue.enqueue(note, "never", depends_on=job)
    run(engine, redis)
    assert (status(job), status(dependent), texts(redis)) == ("failed", "deferred", [])
    assert queue.deferred_job_registry.get_job_ids() == [dependent.id]
    assert leftovers(redis) == []


@both
def test_a_dependent_runs_once_the_failed_job_was_requeued_and_finished(redis, queue, engine):
    job = queue.enqueue(fail_until, 2)
    dependent = queue.enqueue(note, "at last", depends_on=job)
    run(engine, redis)
    queue.failed_job_registry.requeue(job.id)
    run(engine, redis)
    assert (status(job), status(dependent), texts(redis)) == ("finished", "finished", ["at last"])


@both
def test_a_dependent_may_allow_a_failure_and_go_to_the_front(redis, queue, engine):
    job = queue.enqueue(fail)
    queue.enqueue(note, "waits")
    queue.enqueue(note, "dependent", depends_on=Dependency([job], allow_failure=True, enqueue_at_front=True))
    run(engine, redis)
    assert texts(redis) == ["dependent", "waits"]


@both
@pytest.mark.parametrize("retry", [Retry(max=1), Retry(max=1, interval=60)])
def test_a_dependent_waits_until_a_retried_job_has_finished(redis, queue, engine, retry):
    job = queue.enqueue(fail_until, 2, retry=retry)
    dependent = queue.enqueue(note, "dependent", depends_on=job)
    drain(worker_of(engine, redis), max_jobs=1)
    assert status(dependent) == "deferred"
    assert not redis.exists("rq:followups:default"), "nothing follows a try"
    assert not redis.hexists(job.key, "followup")
    release_delayed(redis)
    run(engine, redis)
    assert (status(job), status(dependent)) == ("finished", "finished")


@both
def test_a_dependent_of_a_job_that_leaves_nothing_runs(redis, queue, engine):
    job = queue.enqueue(note, "one", result_ttl=0)
    dependent = queue.enqueue(note, "two", depends_on=job, result_ttl=0)
    run(engine, redis)
    assert texts(redis) == ["one", "two"]
    assert redis.keys(f"*{job.id}*") == redis.keys(f"*{dependent.id}*") == []


@both
def test_a_dependent_enqueued_while_its_job_runs_is_run(redis, queue, engine):
    queue.enqueue(depend_on_me)
    run(engine, redis)
    assert texts(redis) == ["dependent"]


@both
def test_a_dependent_of_a_repeated_job_runs_after_its_first_run(redis, queue, engine):
    job = queue.enqueue(note, "x", repeat=Repeat(times=1, interval=60))
    queue.enqueue(note, "dependent", depends_on=job)
    run(engine, redis)
    assert texts(redis) == ["x", "dependent"]
    release_delayed(redis)
    run(engine, redis)
    assert texts(redis) == ["x", "dependent", "x"]


def test_a_dependent_of_a_job_whose_process_died_stays_deferred_or_runs_if_it_allows_that(redis, queue):
    job = queue.enqueue(die)
    dependent = queue.enqueue(note, "never", depends_on=job)
    queue.enqueue(note, "tolerant", depends_on=Dependency([job], allow_failure=True))
    run(OURS, redis)
    assert (status(job), status(dependent), texts(redis)) == ("failed", "deferred", ["tolerant"])
    assert leftovers(redis) == []


# --- callbacks -------------------------------------------------------------------------------------------


@both
def test_a_success_is_told_to_its_callback(redis, queue, engine):
    job = queue.enqueue(echo, 5, on_success=Callback(on_success), on_failure=Callback(on_failure))
    run(engine, redis)
    assert texts(redis, "called") == [f"success {job.id} 5 finished"]


@both
def test_each_failure_is_told_to_its_callback(redis, queue, engine):
    job = queue.enqueue(fail, "x", on_success=Callback(on_success), on_failure=Callback(on_failure), retry=Retry(max=1))
    run(engine, redis)
    assert texts(redis, "called") == [f"failure {job.id} RuntimeError x failed"] * 2


@both
def test_a_success_callback_that_raises_fails_its_job(redis, queue, engine):
    job = queue.enqueue(echo, 5, on_success=Callback(raise_in_callback), on_failure=Callback(on_failure))
    run(engine, redis)
    assert status(job) == "failed"
    assert "ValueError: callback" in words(job)
    assert texts(redis, "called") == [f"failure {job.id} ValueError callback failed"]
    assert job.return_value() is None


@both
def test_a_failure_callback_that_raises_is_what_the_record_tells(redis, queue, engine):
    job = queue.enqueue(fail, "the first", on_failure=Callback(raise_in_callback))
    run(engine, redis)
    assert status(job) == "failed"
    assert "RuntimeError: the first" in words(job)
    assert words(job).endswith("ValueError: callback\n")


@both
@pytest.mark.parametrize("which", ["on_success", "on_failure"])
def test_a_callback_has_a_timeout_of_its_own(redis, queue, engine, which):
    func = echo if which == "on_success" else fail
    job = queue.enqueue(func, **{which: Callback(nap_in_callback, timeout=1)})
    run(engine, redis)
    assert status(job) == "failed"
    assert "JobTimeoutException" in words(job)


@both
def test_a_callback_that_can_not_be_found_fails_its_job(redis, queue, engine):
    job = queue.enqueue(echo, on_success=Callback("nowhere.at_all"))
    run(engine, redis)
    assert status(job) == "failed"
    assert "nowhere" in words(job)


def test_the_failure_callback_of_a_job_whose_process_died_is_called_once(redis, queue):
    job = queue.enqueue(die, on_failure=Callback(on_failure), retry=Retry(max=1))
    run(OURS, redis)
    assert texts(redis, "called") == [f"failure {job.id} AbandonedJobError  failed"]
    assert leftovers(redis) == []


def test_a_failure_callback_that_ends_its_process_is_not_called_for_ever(redis, queue):
    job = queue.enqueue(die, on_failure=Callback(die_in_callback))
    following = queue.enqueue(echo, 1)
    run(OURS, redis)
    assert (status(job), following.return_value()) == ("failed", 1)
    assert texts(redis, "called") == ["dies"]
    assert leftovers(redis) == []


def die_in_callback(job: Job, connection: Redis, *_: Any) -> None:
    connection.rpush("called", "dies")
    os._exit(4)


def test_exception_handlers_and_callbacks_that_end_their_process_leave_a_record(redis, queue):
    job = queue.enqueue(fail, on_failure=Callback(die_in_callback))
    following = queue.enqueue(echo, 1)
    run(OURS, redis)
    assert (status(job), following.return_value()) == ("failed", 1)
    assert "status 4" in words(job)
    assert leftovers(redis) == []


# --- exception handlers ----------------------------------------------------------------------------------


def tell_first(job: Job, *exc_info: Any) -> None:
    job.connection.rpush("handled", f"first {exc_info[0].__name__}")


def stop_here(job: Job, *_: Any) -> bool:
    job.connection.rpush("handled", "second")
    return False


def never_asked(job: Job, *_: Any) -> None:
    job.connection.rpush("handled", "third")


def handler_that_raises(*_: Any) -> None:
    raise ValueError("handler")


@both
def test_exception_handlers_are_asked_in_order_until_one_says_no(redis, queue, engine):
    job = queue.enqueue(fail)
    worker = worker_of(engine, redis)
    for handler in (tell_first, stop_here, never_asked):
        worker.push_exc_handler(handler)
    drain(worker)
    assert texts(redis, "handled") == ["first RuntimeError", "second"]
    assert status(job) == "failed"


def test_an_exception_handler_that_raises_does_not_hide_the_job_s_own_error(redis, queue):
    job = queue.enqueue(fail, "mine")
    worker = worker_of(OURS, redis)
    worker.push_exc_handler(handler_that_raises)
    drain(worker)
    assert status(job) == "failed"
    assert "RuntimeError: mine" in words(job)
    assert leftovers(redis) == []


# --- commands --------------------------------------------------------------------------------------------


@both
def test_a_running_job_is_stopped_and_never_retried(redis, redis_server, queue, engine):
    job = queue.enqueue(hold, retry=Retry(max=3), on_stopped=Callback(on_stopped), on_failure=Callback(on_failure))
    following = queue.enqueue(echo, 1)
    with running(engine, redis_server):
        wait(lambda: texts(redis) == ["begun"])
        send_stop_job_command(redis, job.id, serializer=JSONSerializer)
        wait(lambda: status(following) == "finished")
        wait(lambda: texts(redis, "called"))
        wait(lambda: engine == STOCK or not leftovers(redis))
    assert status(job) == "stopped"
    assert queue.failed_job_registry.get_job_ids() == [job.id]
    assert words(job) == "Job stopped by user, work-horse terminated."
    assert texts(redis, "called") == [f"stopped {job.id}"]
    assert texts(redis) == ["begun"]
    assert again(job).retries_left == 3


@both
def test_one_execution_is_stopped(redis, redis_server, queue, engine):
    job = queue.enqueue(hold)
    with running(engine, redis_server):
        wait(lambda: texts(redis) == ["begun"])
        (execution,) = job.get_executions()
        send_stop_execution_command(redis, job.id, execution.id)
        wait(lambda: status(job) == "stopped")


@both
def test_a_stopped_callback_that_raises_changes_nothing(redis, redis_server, queue, engine):
    job = queue.enqueue(hold, on_stopped=Callback(raise_in_callback))
    following = queue.enqueue(echo, 1)
    with running(engine, redis_server):
        wait(lambda: texts(redis) == ["begun"])
        send_stop_job_command(redis, job.id, serializer=JSONSerializer)
        wait(lambda: status(following) == "finished")
    assert status(job) == "stopped"


@both
def test_a_job_that_does_not_run_can_not_be_stopped(redis, redis_server, queue, engine):
    done = queue.enqueue(note, "done")
    running_job = queue.enqueue(hold)
    waiting = queue.enqueue(echo, 1)
    with running(engine, redis_server):
        wait(lambda: texts(redis) == ["done", "begun"])
        send_stop_job_command(redis, done.id, serializer=JSONSerializer)
        with pytest.raises(InvalidJobOperation):
            send_stop_job_command(redis, waiting.id, serializer=JSONSerializer)
        time.sleep(0.2)
        let_go(redis)
        wait(lambda: status(waiting) == "finished")
    assert {status(job) for job in (done, running_job)} == {"finished"}


@both
@pytest.mark.parametrize(("retries", "expected"), [(None, "failed"), (Retry(max=1), "finished")])
def test_a_job_whose_horse_is_killed_fails_or_is_tried_again(redis, redis_server, queue, engine, retries, expected):
    job = queue.enqueue(sleep_the_first_time, retry=retries)
    with running(engine, redis_server):
        wait(lambda: texts(redis) == ["1"])
        send_kill_horse_command(redis, again(job).worker_name)
        wait(lambda: status(job) == expected)
        following = queue.enqueue(echo, 1)
        wait(lambda: status(following) == "finished")
    if expected == "failed":
        assert "Work-horse terminated unexpectedly" in words(job)


def sleep_the_first_time() -> None:
    tries = here().incr("tries")
    note(str(tries), 30 if tries == 1 else 0)


@both
def test_a_worker_is_shut_down_by_a_command_after_its_job(redis, redis_server, queue, engine):
    job = queue.enqueue(hold)
    waiting = queue.enqueue(echo)
    with running(engine, redis_server) as process:
        wait(lambda: texts(redis) == ["begun"])
        send_shutdown_command(redis, again(job).worker_name)
        time.sleep(1.0)  # until it has heard, for which there is no sign
        let_go(redis)
        process.join(60)
        assert process.exitcode == 0
    assert (status(job), status(waiting)) == ("finished", "queued")
    assert Worker.all(connection=redis) == []


@both
def test_an_idle_worker_is_shut_down_by_a_command_at_once(redis, redis_server, engine):
    with running(engine, redis_server) as process:
        wait(lambda: Worker.all(connection=redis) and Worker.all(connection=redis)[0].get_state() == "idle")
        wait(lambda: redis.pubsub_numsub(f"rq:pubsub:{Worker.all(connection=redis)[0].name}")[0][1])
        send_shutdown_command(redis, Worker.all(connection=redis)[0].name)
        process.join(60)
        assert process.exitcode == 0


def test_what_follows_a_job_is_not_stopped_with_it(redis, redis_server, queue):
    """The job has ended; its webhook is still being told."""
    with listener(seconds=1.0) as (url, told):
        job = queue.enqueue(echo, webhooks=[Webhook(url, "finished")])
        following = queue.enqueue(echo)
        with running(OURS, redis_server):
            wait(lambda: told)
            send_stop_job_command(redis, job.id, serializer=JSONSerializer)
            wait(lambda: status(following) == "finished")
        assert len(told) == 1
    assert status(job) == "finished"


@both
def test_a_stopped_job_is_requeued(redis, redis_server, queue, engine):
    job = queue.enqueue(sleep_the_first_time)
    with running(engine, redis_server):
        wait(lambda: texts(redis) == ["1"])
        send_stop_job_command(redis, job.id, serializer=JSONSerializer)
        wait(lambda: status(job) == "stopped")
        wait(lambda: not leftovers(redis))
        queue.failed_job_registry.requeue(job.id)
        wait(lambda: status(job) == "finished")
    assert texts(redis) == ["1", "2"]


# --- cancel and delete -----------------------------------------------------------------------------------


@both
def test_a_canceled_job_never_runs(redis, queue, engine):
    job = queue.enqueue(note, "never")
    job.cancel()
    run(engine, redis)
    assert (status(job), texts(redis)) == ("canceled", [])
    assert queue.canceled_job_registry.get_job_ids() == [job.id]
    assert job.id not in queue.job_ids


@both
def test_a_job_canceled_while_it_runs_runs_to_its_end(redis, redis_server, queue, engine):
    job = queue.enqueue(hold)
    with running(engine, redis_server):
        wait(lambda: texts(redis) == ["begun"])
        again(job).cancel()
        assert status(job) == "canceled"
        let_go(redis)
        wait(lambda: status(job) == "finished")
        wait(lambda: not leftovers(redis))


@both
def test_a_dependent_of_a_canceled_job_waits_unless_it_is_told_to_go_on(redis, queue, engine):
    jobs = [queue.enqueue(note, name) for name in ("one", "two")]
    waits, goes_on = (queue.enqueue(note, f"after {job.args[0]}", depends_on=job) for job in jobs)
    jobs[0].cancel()
    jobs[1].cancel(enqueue_dependents=True)
    run(engine, redis)
    assert (status(waits), status(goes_on), texts(redis)) == ("deferred", "finished", ["after two"])


def test_a_job_canceled_while_it_runs_leaves_nothing_of_its_run_when_its_process_dies(redis, redis_server, queue):
    job = queue.enqueue(hold)
    with running(OURS, redis_server):
        wait(lambda: texts(redis) == ["begun"])
        again(job).cancel()
        send_kill_horse_command(redis, again(job).worker_name)
        wait(lambda: not redis.keys("rq:taken:*"))
    assert status(job) == "canceled"
    assert leftovers(redis) == []


def test_a_job_deleted_while_it_runs_leaves_nothing(redis, redis_server, queue):
    """Stock RQ writes its record anew at the end."""
    job = queue.enqueue(hold_and_save_meta, job_id="deleted")
    following = queue.enqueue(echo)
    with running(OURS, redis_server):
        wait(lambda: texts(redis) == ["begun"])
        again(job).delete()
        let_go(redis)
        wait(lambda: status(following) == "finished")
    assert redis.keys("*deleted*") == []
    assert redis.zcard("rq:finished:default") == 1
    assert leftovers(redis) == []


# --- from inside a job -----------------------------------------------------------------------------------


@both
def test_a_job_knows_itself_and_tells_how_far_it_is(redis, queue, engine):
    job = queue.enqueue(tell_of_itself, meta={"from": "outside"})
    run(engine, redis)
    assert job.return_value() == {"id": job.id, "args": [], "status": "started", "ttl": -1}
    assert again(job).meta == {"from": "outside", "progress": 50}
    assert get_current_job() is None


@both
def test_a_job_finds_who_runs_it_in_its_environment(redis, redis_server, queue, engine):
    job = queue.enqueue(environment)
    with running(engine, redis_server):
        wait(lambda: status(job) == "finished")
    assert job.return_value() == [again(job).worker_name, job.id]


def environment() -> list[str | None]:
    return [os.environ.get("RQ_WORKER_ID"), os.environ.get("RQ_JOB_ID")]


@both
def test_meta_written_by_others_while_it_runs_is_kept(redis, redis_server, queue, engine):
    job = queue.enqueue(hold)
    with running(engine, redis_server):
        wait(lambda: texts(redis) == ["begun"])
        other = again(job)
        other.meta["seen"] = True
        other.save_meta()
        let_go(redis)
        wait(lambda: status(job) == "finished")
    assert again(job).meta == {"seen": True}


@both
def test_a_coroutine_is_awaited(redis, queue, engine):
    job = queue.enqueue(later, 7)
    run(engine, redis)
    assert job.return_value() == 7


def test_coroutines_leave_no_open_files_behind(redis, queue):
    before = queue.enqueue(open_files)
    queue.enqueue_many([Queue.prepare_data(later, args=(number,)) for number in range(20)])
    after = queue.enqueue(open_files)
    run(OURS, redis)
    assert before.return_value()[0] == after.return_value()[0], "the same process"
    assert after.return_value()[1] <= before.return_value()[1]


def open_files() -> list[int]:
    return [os.getpid(), len(list(Path("/proc/self/fd").iterdir()))]


# --- names and data --------------------------------------------------------------------------------------


@both
def test_a_function_may_be_named_by_its_path(redis, queue, engine):
    job = queue.enqueue(f"{__name__}.echo", 5)
    run(engine, redis)
    assert job.return_value() == 5


@both
@pytest.mark.parametrize("path", [f"{__name__}.gone", "nowhere.at_all", "gone", ""])
def test_an_unknown_function_fails_with_its_name(redis, queue, engine, path):
    job = queue.enqueue(path)
    following = queue.enqueue(echo, 1)
    run(engine, redis)
    assert status(job) == "failed"
    assert path.rpartition(".")[2] in words(job)
    assert following.return_value() == 1


@both
def test_what_another_program_enqueues_as_json_is_run(redis, engine):
    job = Queue("default", connection=redis, serializer=JSONSerializer).enqueue(echo, value={"a": 1})
    run(engine, redis)
    assert job.return_value() == {"a": 1}


@both
def test_what_the_command_line_enqueues_is_run(redis, redis_server, engine):
    said = rq("enqueue", "--serializer", "json", "--job-id", "x", f"{__name__}.echo", "five", url=redis_server)
    assert "x" in said
    run(engine, redis)
    assert JsonJob.fetch("x", connection=redis).return_value() == "five"


def test_a_pickled_job_is_refused_and_never_unpickled(redis, queue, tmp_path):
    trap = tmp_path / "trap"

    class Bomb:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(trap),)

    job = queue.enqueue(echo)
    redis.hset(job.key, "data", pickle.dumps(Bomb()))
    stock = Queue("default", connection=redis).enqueue(echo)
    following = queue.enqueue(echo, 1)
    run(OURS, redis)
    assert not trap.exists()
    assert status(job) == status(stock) == "failed"
    assert words(job) == words(stock) == "Refused: its data is no JSON (a pickle is never read)."
    assert set(queue.failed_job_registry.get_job_ids()) == {job.id, stock.id}
    assert following.return_value() == 1
    assert leftovers(redis) == []


# --- suspension ------------------------------------------------------------------------------------------


@pytest.fixture
def only_the_bell(monkeypatch):
    """Have idle workers look for work of themselves never."""
    monkeypatch.setattr("mastowatch.reliable.horse.LOOK_S", 3600.0)


def test_work_is_suspended_and_resumed_on_the_command_line(redis, redis_server, queue, only_the_bell):
    with running(OURS, redis_server):
        wait(lambda: redis.smembers("rq:workers"))
        assert "Suspending workers" in rq("suspend", url=redis_server)
        job = queue.enqueue(note, "held")
        time.sleep(0.5)
        assert texts(redis) == []
        wait(lambda: "suspended" in rq("info", "--only-workers", url=redis_server))
        assert "Resuming workers" in rq("resume", url=redis_server)
        wait(lambda: status(job) == "finished")


def test_the_job_at_hand_is_not_suspended_and_the_next_one_is_released_within_moments(
    redis, redis_server, queue, only_the_bell
):
    first, second = queue.enqueue(hold), queue.enqueue(note, "second")
    with running(OURS, redis_server):
        wait(lambda: texts(redis) == ["begun"])
        suspend(redis)
        let_go(redis)
        wait(lambda: status(first) == "finished")
        time.sleep(0.3)
        assert texts(redis) == ["begun"]
        resume(redis)
        wait(lambda: texts(redis) == ["begun", "second"])
        wait(lambda: status(second) == "finished")


def test_a_suspension_may_run_out(redis, redis_server, queue):
    suspend(redis, 1)
    job = queue.enqueue(echo, 1)
    with running(OURS, redis_server):
        wait(lambda: status(job) == "finished")


@both
def test_a_burst_that_is_suspended_ends(redis, queue, engine):
    job = queue.enqueue(echo)
    suspend(redis, 60)
    run(engine, redis)
    assert is_suspended(redis), "it ended before the suspension did"
    assert status(job) == "queued"


# --- what others see -------------------------------------------------------------------------------------


@both
def test_a_running_job_is_seen_by_others(redis, redis_server, queue, engine):
    job = queue.enqueue(hold)
    with running(engine, redis_server) as process:
        wait(lambda: texts(redis) == ["begun"])
        (worker,) = Worker.all(connection=redis, serializer=JSONSerializer)
        assert (worker.pid, worker.get_state(), worker.queue_names()) == (process.pid, "busy", ["default"])
        assert worker.get_current_job().id == worker.get_current_job_id() == job.id
        assert [execution.job_id for execution in worker.get_current_executions()] == [job.id]
        (execution,) = job.get_executions()
        assert execution.worker_name == worker.name
        registry = StartedJobRegistry("default", connection=redis)
        assert registry.get_job_and_execution_ids() == [(job.id, execution.id)]
        assert (job.id in registry, registry.count, queue.started_job_registry.get_job_ids()) == (True, 1, [job.id])
        assert (status(job), again(job).worker_name, job.get_position()) == ("started", worker.name, None)
        assert queue.count == 0
        let_go(redis)
        wait(lambda: status(job) == "finished")
        wait(lambda: Worker.all(connection=redis)[0].get_state() == "idle")
        assert Worker.all(connection=redis)[0].get_current_job() is None
        assert registry.count == 0
        assert queue.finished_job_registry.get_job_ids() == [job.id]


def test_a_worker_that_may_take_nothing_does_not_look_busy(redis, redis_server, queue, tmp_path):
    flag = tmp_path / "held"
    job = queue.enqueue(hold)
    with running(OURS, redis_server, may_take=lambda: not flag.exists()):
        wait(lambda: texts(redis) == ["begun"])
        flag.touch()
        let_go(redis)
        wait(lambda: status(job) == "finished")
        wait(lambda: Worker.all(connection=redis)[0].get_state() != "busy")


@both
def test_rq_info_shows_workers_queues_and_what_they_do(redis, redis_server, queue, engine):
    queue.enqueue(hold)
    queue.enqueue(echo)
    with running(engine, redis_server, ["default", "other"]):
        wait(lambda: texts(redis) == ["begun"])
        (name,) = (worker.name for worker in Worker.all(connection=redis))
        everything, by_queue = rq("info", url=redis_server), rq("info", "-R", url=redis_server)
        workers, raw = rq("info", "-W", url=redis_server), rq("info", "--raw", url=redis_server)
        let_go(redis)
    assert "1, 1 executing, 0 finished, 0 failed" in everything
    assert "1 workers" in everything
    assert f"{name} (busy)" in by_queue
    assert f"{name} (" in workers
    assert "busy default, other. jobs: 0 finished, 0 failed" in workers
    assert "queue default 1, 1 executing" in raw


def counted(redis) -> tuple[int, int]:
    (worker,) = Worker.all(connection=redis)
    return worker.successful_job_count, worker.failed_job_count


@both
def test_a_worker_counts_what_it_did(redis, redis_server, queue, engine):
    for _ in range(3):
        queue.enqueue(nap, 0.02)
    queue.enqueue(fail, retry=Retry(max=1))
    queue.enqueue(ask_again, 2)
    last = queue.enqueue(echo)
    with running(engine, redis_server):
        wait(lambda: status(last) == "finished" and sum(counted(redis)) == 8)
        (worker,) = Worker.all(connection=redis)
    assert (worker.successful_job_count, worker.failed_job_count) == (5, 3)
    assert 0.06 <= worker.total_working_time < 60


@both
def test_a_job_whose_horse_was_killed_counts_as_failed(redis, redis_server, queue, engine):
    job = queue.enqueue(hold)
    with running(engine, redis_server):
        wait(lambda: texts(redis) == ["begun"])
        time.sleep(0.2)
        send_kill_horse_command(redis, again(job).worker_name)
        wait(lambda: status(job) == "failed")
        (worker,) = Worker.all(connection=redis)
    assert (worker.successful_job_count, worker.failed_job_count) == (0, 1)
    assert 0.2 <= worker.total_working_time < 60


@both
def test_a_failed_job_is_requeued(redis, queue, engine):
    job = queue.enqueue(fail_until, 2)
    run(engine, redis)
    assert queue.failed_job_registry.get_job_ids() == [job.id]
    queue.failed_job_registry.requeue(job.id)
    assert (status(job), queue.job_ids) == ("queued", [job.id])
    run(engine, redis)
    assert (status(job), job.return_value()) == ("finished", 2)
    assert queue.failed_job_registry.get_job_ids() == []
    assert kinds(job) == ["FAILED", "SUCCESSFUL"]


@both
def test_a_failed_job_is_requeued_on_the_command_line(redis, redis_server, queue, engine):
    job = queue.enqueue(fail_until, 2)
    run(engine, redis)
    rq("requeue", "--serializer", "json", "--queue", "default", "--all", url=redis_server)
    run(engine, redis)
    assert status(job) == "finished"


# --- rate limits -----------------------------------------------------------------------------------------


def slots(redis: Redis) -> tuple[list[str], list[str]]:
    """The jobs that hold a slot and those that wait for one."""
    registry = RateLimitRegistry("k", connection=redis)
    return registry.get_allowed_job_ids(), registry.get_rate_limited_job_ids()


def note_who_holds_a_slot() -> None:
    note(" ".join(slots(here())[0]))


@both
def test_no_more_jobs_than_a_rate_limit_allows_are_let_through(redis, queue, engine):
    limit = RateLimit("k", concurrency=2)
    jobs = [queue.enqueue(note, str(number), rate_limit=limit) for number in range(5)]
    assert [status(job) for job in jobs] == ["queued"] * 2 + ["rate_limited"] * 3
    drain(worker_of(engine, redis), max_jobs=1)
    run(engine, redis)
    assert sorted(texts(redis)) == ["0", "1", "2", "3", "4"]
    assert slots(redis) == ([], [])
    assert leftovers(redis) == []


@both
def test_a_failed_job_gives_its_slot_free(redis, queue, engine):
    limit = RateLimit("k", concurrency=1)
    queue.enqueue(fail, rate_limit=limit)
    second = queue.enqueue(echo, rate_limit=limit)
    run(engine, redis)
    assert status(second) == "finished"
    assert slots(redis) == ([], [])


def test_a_job_whose_process_died_gives_its_slot_free(redis, queue):
    limit = RateLimit("k", concurrency=1)
    queue.enqueue(die, rate_limit=limit)
    second = queue.enqueue(echo, rate_limit=limit)
    run(OURS, redis)
    assert status(second) == "finished"
    assert slots(redis) == ([], [])


@both
def test_a_stopped_job_gives_its_slot_free(redis, redis_server, queue, engine):
    limit = RateLimit("k", concurrency=1)
    first, second = queue.enqueue(hold, rate_limit=limit), queue.enqueue(echo, rate_limit=limit)
    with running(engine, redis_server):
        wait(lambda: texts(redis) == ["begun"])
        send_stop_job_command(redis, first.id, serializer=JSONSerializer)
        wait(lambda: status(second) == "finished")


def test_a_delayed_job_waits_for_a_slot_again_also_with_our_scheduler(redis, queue):
    limit = RateLimit("k", concurrency=1)
    first = queue.enqueue(ask_again, 2, 60, rate_limit=limit)
    run(OURS, redis)
    second = queue.enqueue(note, "second", rate_limit=limit)
    ReliableScheduler(redis, [], ["default"]).step(time.time() + 61)
    assert (status(first), status(second)) == ("rate_limited", "queued")
    run(OURS, redis)
    assert (status(first), status(second)) == ("finished", "finished")


@both
def test_a_job_that_is_tried_again_at_once_keeps_its_slot(redis, queue, engine):
    limit = RateLimit("k", concurrency=1)
    first = queue.enqueue(fail_until, 2, rate_limit=limit, retry=Retry(max=1))
    second = queue.enqueue(echo, rate_limit=limit)
    drain(worker_of(engine, redis), max_jobs=1)
    assert slots(redis) == ([first.id], [second.id])
    run(engine, redis)
    assert (status(first), status(second)) == ("finished", "finished")
    assert slots(redis) == ([], [])


@both
@pytest.mark.parametrize("how", ["raises", "returns"])
def test_a_job_that_is_tried_again_later_gives_its_slot_to_another(redis, queue, engine, how):
    limit = RateLimit("k", concurrency=1)
    if how == "raises":
        first = queue.enqueue(fail_until, 2, rate_limit=limit, retry=Retry(max=1, interval=60))
    else:
        first = queue.enqueue(ask_again, 2, 60, rate_limit=limit)
    second = queue.enqueue(note, "second", rate_limit=limit)
    dependent = queue.enqueue(note, "dependent", depends_on=first)
    run(engine, redis)
    assert (status(first), status(second), status(dependent)) == ("scheduled", "finished", "deferred")
    assert slots(redis) == ([], [])
    release_delayed(redis)
    assert slots(redis) == ([first.id], [])
    run(engine, redis)
    assert (status(first), status(dependent)) == ("finished", "finished")
    assert slots(redis) == ([], [])


@both
def test_a_job_that_is_repeated_at_once_keeps_its_slot(redis, queue, engine):
    limit = RateLimit("k", concurrency=1)
    first = queue.enqueue(note_who_holds_a_slot, rate_limit=limit, repeat=Repeat(times=2))
    second = queue.enqueue(note_who_holds_a_slot, rate_limit=limit)
    run(engine, redis)
    assert texts(redis) == [first.id] * 3 + [second.id]
    assert slots(redis) == ([], [])


# --- groups and webhooks ---------------------------------------------------------------------------------


@both
def test_a_group_knows_its_jobs(redis, queue, engine):
    group = Group.create(connection=redis, name="g")
    group.enqueue_many(queue, [Queue.prepare_data(echo, args=(number,)) for number in range(3)])
    run(engine, redis)
    jobs = Group.fetch("g", connection=redis).get_jobs()
    assert len(jobs) == 3
    assert {job.get_status().value for job in jobs} == {"finished"}


@both
def test_webhooks_are_told_of_an_end_and_not_of_a_try(redis, queue, engine):
    with listener() as (url, told):
        hooks = [Webhook(f"{url}/f", "failed", method="POST"), Webhook(f"{url}/ok", "finished", method="POST")]
        good = queue.enqueue(echo, webhooks=hooks)
        bad = queue.enqueue(fail, webhooks=hooks, retry=Retry(max=1))
        run(engine, redis)
    assert [path for path, _ in told] == ["/ok", "/f"]
    assert good.id in told[0][1]
    assert bad.id in told[1][1]
    assert "RuntimeError: no" in told[1][1]


def test_a_webhook_is_told_of_a_job_whose_process_died(redis, queue):
    with listener() as (url, told):
        queue.enqueue(die, webhooks=[Webhook(f"{url}/f", "failed", method="POST")])
        run(OURS, redis)
    assert [path for path, _ in told] == ["/f"]
    assert "status 3" in told[0][1]


@both
def test_webhooks_are_told_of_a_job_that_leaves_nothing(redis, queue, engine):
    with listener() as (url, told):
        job = queue.enqueue(echo, result_ttl=0, webhooks=[Webhook(url, "finished")])
        run(engine, redis)
    assert len(told) == 1
    assert redis.keys(f"*{job.id}*") == []


@both
def test_a_webhook_that_can_not_be_reached_changes_nothing(redis, queue, engine):
    job = queue.enqueue(echo, 1, webhooks=[Webhook("http://127.0.0.1:1/", "finished", timeout=1)])
    following = queue.enqueue(echo, 2)
    run(engine, redis)
    assert (job.return_value(), following.return_value()) == (1, 2)


@both
def test_a_job_scheduled_for_later_is_run_later(redis, queue, engine):
    job = queue.enqueue_in(timedelta(seconds=60), note, "later")
    run(engine, redis)
    assert texts(redis) == []
    release_delayed(redis)
    run(engine, redis)
    assert (texts(redis), status(job)) == (["later"], "finished")
