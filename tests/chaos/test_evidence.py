"""What the harness reads from Redis and of processes, against a real one of each."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from redis import Redis

from tests.chaos.evidence import job_states, unfinished
from tests.chaos.ledger import Execution
from tests.chaos.leftovers import leftovers
from tests.chaos.marks import KEY, executions, leave
from tests.chaos.processes import bearing, bears, send, sweep


def test_a_job_is_found_wherever_it_is_named(redis: Redis):
    for job in ("on-queue", "started", "nowhere", "done"):
        redis.hset(f"rq:job:{job}", "status", "finished" if job == "done" else "queued")
    redis.rpush("rq:queue:high", "on-queue", "stranger")
    redis.zadd("rq:wip:low", {"started:execution": 1})
    states = job_states(redis, dict.fromkeys(("on-queue", "started", "nowhere", "done", "gone"), "high"), ())
    assert {state.id: state.places for state in states} == {
        "on-queue": ("rq:queue:high",),
        "started": ("rq:wip:low",),
        "nowhere": (),
        "done": (),
        "gone": (),
    }
    assert states[-1].status == "no record"
    assert unfinished(redis, ["done", "gone", "started"]) == ["gone", "started"]


def test_an_execution_counts_as_one_success_however_often_it_was_recorded(redis: Redis):
    for execution in ("one", "one", "two"):
        redis.xadd("rq:results:a", {"type": "1", "execution_id": execution})
    redis.xadd("rq:results:a", {"type": "2", "execution_id": "three"})
    (state,) = job_states(redis, {"a": "high"}, {"a"})
    assert state.successes == 2


def test_work_in_any_list_and_workers_without_a_process_are_left_over(redis: Redis):
    for name, pid in (("alive", 1), ("dead", 2)):
        redis.sadd("rq:workers", f"rq:worker:{name}")
        redis.hset(f"rq:worker:{name}", "pid", pid)
        redis.expire(f"rq:worker:{name}", 60)
        redis.set(f"rq:worker:{name}:executions", "", ex=60)
    redis.sadd("rq:takers", "gone")
    redis.hset("rq:worker:eternal", "pid", 3)
    redis.rpush("rq:taken:dead", "a")
    redis.hset("rq:job:a", "status", "finished")
    assert set(leftovers(redis, {1})) == {
        "rq:taken:dead",
        "rq:worker:alive:executions",
        "rq:worker:eternal",
        "dead in rq:workers",
        "gone in rq:takers",
    }


def test_marks_of_one_process_tell_its_runs_apart(redis: Redis):
    for what in ("begin", "effect", "begin", "effect", "end"):
        leave(redis, what, "a", "w0.1")
    redis.rpush(KEY, "begin a w0.2 7 1.5")
    first, second, third = executions(redis)
    assert (first.effect is not None, first.end is None) == (True, True)
    assert second.end is not None
    assert third == Execution("a", "w0.2", 7, 1.5)


def test_a_process_and_its_orphans_are_found_by_their_mark_and_swept():
    mark = f"CHAOS_TEST={os.getpid()}-{time.monotonic_ns()}"
    name, _, value = mark.partition("=")
    code = "import os, time; os.fork(); time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, name: value}, start_new_session=True)
    deadline = time.monotonic() + 10
    while len(bearing(mark.encode())) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert send(parent.pid, signal.SIGKILL, mark.encode())
    parent.wait()
    assert not bears(parent.pid, mark.encode())
    assert not send(parent.pid, signal.SIGKILL, mark.encode())
    assert sweep(mark.encode()) == 1
    assert bearing(mark.encode()) == []
