"""A scheduler dies, or loses its connection, right before and right after each of its steps, by name.

Each step is one command, script or MULTI, so there is nothing between "before" and "after" but Redis itself.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as ConnectionLost
from rq_scheduler import Scheduler

from mastowatch.reliable.scheduler import PLANNED, SKIPPED, Recurring, ReliableScheduler
from mastowatch.reliable.serializer import JsonJob, JsonQueue

pytestmark = pytest.mark.redis

FORK = multiprocessing.get_context("fork")
LOCK, QUEUE = "rq:scheduler_lock", "rq:queue:default"
JOBS = ("a", "b", "c")
STEPS = ("_register", "_hold", "_due", "_plan", "_tick", "_release_delayed", "_let_go", "_unregister")
# Of what a step does for each job, the middle one too; all else is done once.
POINTS = [(step, call) for step in STEPS for call in ((1, 2) if step in ("_plan", "_tick") else (1,))]


def work() -> None:
    pass


def scheduler_of(redis: Redis, kind: type[ReliableScheduler] = ReliableScheduler) -> ReliableScheduler:
    return kind(redis, [Recurring(name, work, "default", 30, 60, 600, name) for name in JOBS], ["default"])


def faulty(step: str, call: int, moment: str, fault: Callable[[], None]) -> type[ReliableScheduler]:
    """Return a scheduler with a fault before or after the given call of one of its steps."""
    calls = Counter[str]()
    original = getattr(ReliableScheduler, step)

    def method(self: ReliableScheduler, *args: Any, **kwargs: Any) -> Any:
        calls[step] += 1
        if moment == "before" and calls[step] == call:
            fault()
        result = original(self, *args, **kwargs)
        if moment == "after" and calls[step] == call:
            fault()
        return result

    return type("Faulty", (ReliableScheduler,), {step: method})


def die() -> None:
    os._exit(137)


def lose_connection() -> None:
    raise ConnectionLost("lost by the test")


def step_and_leave(scheduler: ReliableScheduler) -> None:
    scheduler.step(1000.0)
    scheduler.leave()


def run_out(redis: Redis) -> None:
    for raw in redis.lrange(QUEUE, 0, -1):
        redis.hset(f"rq:job:{raw.decode()}", "status", "finished")
    redis.delete(QUEUE)


def delay(redis: Redis) -> None:
    JsonQueue("default", connection=redis).enqueue(work, job_id="late")
    redis.lrem(QUEUE, 0, "late")
    redis.hset("rq:job:late", "status", "scheduled")
    redis.zadd("rq:scheduled:default", {"late": 999})


def prepare(redis: Redis, *, before: bool) -> None:
    """Leave a job that is delayed to 999, and if ``before``, recurring jobs that are planned at 1000."""
    if before:
        first = scheduler_of(redis)
        first.step(970.0)
        first.leave()
        run_out(redis)
    delay(redis)


def check(redis: Redis, after: ReliableScheduler) -> None:
    """Let ``after`` go on: everything that was due has been queued once, and is again at the next time."""
    after.step(1003.0)
    assert after.leading
    assert Counter(redis.lrange(QUEUE, 0, -1)) == Counter(name.encode() for name in (*JOBS, "late"))
    assert redis.zcard("rq:scheduled:default") == 0
    assert {redis.hget(f"rq:job:{name}", "status") for name in (*JOBS, "late")} == {b"queued"}
    planned = dict(redis.zrange(PLANNED, 0, -1, withscores=True))
    assert set(planned) == {name.encode() for name in JOBS}
    assert set(planned.values()) <= {1030.0, 1033.0}, "a whole interval from the time that was due"
    assert redis.hgetall(SKIPPED) == {}
    run_out(redis)
    assert after.step(1033.0) == len(JOBS)
    run_out(redis)
    assert after.step(1034.0) == 0


@pytest.mark.parametrize("before", [False, True], ids=["first start", "running"])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("step", "call"), POINTS)
def test_death_at_a_step_costs_nothing(redis: Redis, redis_server: str, step, call, moment, before):
    prepare(redis, before=before)

    def live_and_die() -> None:
        step_and_leave(scheduler_of(Redis.from_url(redis_server), faulty(step, call, moment, die)))

    process = FORK.Process(target=live_and_die)
    process.start()
    process.join(60)
    assert process.exitcode == 137, "the step was never reached"
    assert redis.pttl(LOCK) != -1
    redis.delete(LOCK)  # as if it had run out
    check(redis, scheduler_of(redis))


@pytest.mark.parametrize("before", [False, True], ids=["first start", "running"])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("step", "call"), POINTS)
def test_a_connection_lost_at_a_step_costs_nothing(redis: Redis, step, call, moment, before):
    prepare(redis, before=before)
    scheduler = scheduler_of(redis, faulty(step, call, moment, lose_connection))
    with pytest.raises(ConnectionLost):
        step_and_leave(scheduler)
    check(redis, scheduler)


@pytest.mark.parametrize(("command", "harm"), [("zrem", "doubled"), ("zadd", "lost")])
def test_stock_rq_scheduler_doubles_or_loses_a_schedule_there(redis: Redis, monkeypatch, command, harm):
    """What the steps above are measured against: rq-scheduler queues, takes out of the plan, and plans anew."""
    scheduler = Scheduler(connection=redis, job_class=JsonJob, queue_class=JsonQueue)
    scheduler.schedule(datetime.now(UTC), work, id="a", interval=30, queue_name="default")
    with monkeypatch.context() as patch:
        patch.setattr(redis, command, lambda *args: lose_connection())
        with pytest.raises(ConnectionLost):
            scheduler.enqueue_jobs()
    scheduler.enqueue_jobs()
    assert redis.lrange(QUEUE, 0, -1) == [b"a"] * (2 if harm == "doubled" else 1)
    assert redis.zcard(PLANNED) == (0 if harm == "lost" else 1)
