"""A worker killed at every step between take and acknowledge: by name, not at random.

Each step of a horse and of a parent is a method; the classes here override it and die before or after it, once. Then
whoever is left has to end with each job finished, its effect seen as often as the point allows, and nothing left over.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as Away
from rq import Callback
from rq.job import Retry

from mastowatch.reliable.horse import Horse
from mastowatch.reliable.line import Line
from mastowatch.reliable.serializer import JsonJob, JsonQueue
from mastowatch.reliable.worker import ReliableWorker
from tests.engine import attempts, expire_registration, leftovers, start, wait

pytestmark = pytest.mark.redis


def effect(url: str, number: int) -> int:
    """A job with an effect that can be counted, and two moments of its own to die in."""
    with Redis.from_url(url) as redis:
        die(redis, "before the effect")
        redis.hincrby("effects", str(number), 1)
        die(redis, "after the effect")
    return number


def called_back(job: Any, connection: Redis, *result: Any) -> None:
    die(connection, "in the callback")
    connection.hincrby("callbacks", job.id, 1)


def die(redis: Redis, point: str) -> None:
    """Die at the point that was named in Redis, the first time that it is reached."""
    if redis.hget("fault", "point") == point.encode() and redis.hincrby("fault", "reached", 1) == 1:
        if redis.hget("fault", "whom") == b"both":
            os.kill(int(redis.hget("fault", "parent") or 0), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


class FaultyHorse(Horse):
    """Dies before and after each step of a job."""

    def around(self, name: str, step: Callable[..., Any], *args: Any) -> Any:
        die(self.worker.connection, f"before {name}")
        found = step(*args)
        die(self.worker.connection, f"after {name}")
        return found

    def take(self) -> list[Any]:
        return self.around("take", super().take)

    def perform(self, job: Any, execution_id: str) -> Any:
        return self.around("perform", super().perform, job, execution_id)

    def call(self, job: Any, timeout: int) -> Any:
        return self.around("call", super().call, job, timeout)

    def record(self, job: Any, end: Any, run: Any) -> list[Any]:
        return self.around("record", super().record, job, end, run)

    def follow_up(self, job_id: str, record: dict[bytes, bytes]) -> None:
        self.around("follow up", super().follow_up, job_id, record)


class FaultyWorker(ReliableWorker):
    """Dies before and after each step of a parent, and has a horse that dies."""

    horse_class = FaultyHorse

    def step(self, wait_s: float = 0.05) -> None:
        self.connection.hset("fault", "parent", os.getpid())
        super().step(wait_s)

    def around(self, name: str, step: Callable[..., Any], *args: Any) -> Any:
        die(self.connection, f"parent before {name}")
        found = step(*args)
        die(self.connection, f"parent after {name}")
        return found

    def _register(self) -> None:
        self.around("register", super()._register)

    def _settle_own_hand(self) -> None:
        name = "settle" if not self._death.clean else "-"
        self.around(name, super()._settle_own_hand)

    def _bury(self, name: str) -> None:
        self.around("bury", super()._bury, name)

    def leave(self) -> None:
        self.around("leave", super().leave)


IN_A_HORSE = [
    "before take",
    "after take",
    "before perform",
    "before call",
    "before the effect",
    "after the effect",
    "in the callback",
    "after call",
    "after perform",
    "before record",
    "after record",
    "before follow up",
    "after follow up",
]
# The effect has been seen and its job is not recorded as done: it has to be run again.
TWICE: ClassVar = {"after the effect", "in the callback", "after call", "after perform", "before record"}


def jobs(redis: Redis, url: str) -> list[JsonJob]:
    """Three jobs: one with a callback, one that depends on it, and one that comes after."""
    queue = JsonQueue("default", connection=redis)
    options: dict[str, Any] = {"retry": Retry(max=3), "job_timeout": 30}
    first = queue.enqueue(effect, url, 0, on_success=Callback(called_back), **options)
    dependent = queue.enqueue(effect, url, 1, depends_on=first, **options)
    last = queue.enqueue(effect, url, 2, **options)
    return [first, dependent, last]


def finish(redis: Redis, url: str, waiting: list[JsonJob]) -> None:
    """Let a healthy worker do what is left, and nobody else anything in between."""
    healthy = start(url, ["default"])
    expire_registration(redis)
    wait(lambda: all(job.get_status(refresh=True) == "finished" for job in waiting))
    wait(
        lambda: leftovers(redis) == [] and all(redis.exists(b"rq:worker:" + one) for one in redis.smembers("rq:takers"))
    )
    healthy.terminate()
    healthy.join(60)
    assert redis.smembers("rq:takers") == set()


@pytest.mark.parametrize("point", IN_A_HORSE)
@pytest.mark.parametrize("whom", ["horse", "both"])
def test_a_horse_that_dies_at_any_point_costs_no_job(redis: Redis, redis_server: str, point: str, whom: str):
    redis.hset("fault", mapping={"point": point, "whom": whom})
    waiting = jobs(redis, redis_server)
    process = start(redis_server, ["default"], FaultyWorker)
    wait(lambda: redis.hget("fault", "reached"))
    if whom == "both":
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
        finish(redis, redis_server, waiting)
    else:
        wait(lambda: all(job.get_status(refresh=True) == "finished" for job in waiting))
        process.terminate()
        process.join(60)
        assert process.exitcode == 0, "the parent survives its horse"
        assert leftovers(redis) == []
    effects = [int(redis.hget("effects", str(number)) or 0) for number in range(3)]
    assert effects == [2 if point in TWICE else 1, 1, 1]
    tries = [len(attempts(redis, job.id)) for job in waiting]
    assert sum(tries) <= 4, "one attempt more than jobs, at most"


@pytest.mark.parametrize(
    "point",
    [
        "parent before register",
        "parent after register",
        "parent before settle",
        "parent after settle",
        "parent before leave",
        "parent after leave",
    ],
)
def test_a_parent_that_dies_at_any_point_costs_no_job(redis: Redis, redis_server: str, point: str):
    redis.hset("fault", mapping={"point": point, "whom": "parent"})
    waiting = jobs(redis, redis_server)
    process = start(redis_server, ["default"], FaultyWorker)
    if "settle" in point:
        wait(lambda: redis.hget("effects", "0"))
    if "register" not in point:
        kill_horse_or_stop(redis, process, point)
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    finish(redis, redis_server, waiting)
    assert [int(redis.hget("effects", str(number)) or 0) for number in (1, 2)] == [1, 1]


def kill_horse_or_stop(redis: Redis, process: Any, point: str) -> None:
    if "settle" in point:
        JsonQueue("default", connection=redis).enqueue("os._exit", 7, at_front=True)
    else:
        wait(lambda: redis.hget("fault", "parent"))
        process.terminate()


@pytest.mark.parametrize("point", ["parent before bury", "parent after bury"])
def test_a_worker_that_dies_while_it_buries_another_costs_no_job(redis: Redis, redis_server: str, point: str):
    waiting = jobs(redis, redis_server)
    redis.hset("fault", mapping={"point": "before the effect", "whom": "both"})
    start(redis_server, ["default"], FaultyWorker).join(60)
    redis.delete("fault")
    redis.hset("fault", mapping={"point": point, "whom": "parent"})
    expire_registration(redis)
    process = start(redis_server, ["default"], FaultyWorker)
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    finish(redis, redis_server, waiting)
    first, *others = (int(redis.hget("effects", str(number)) or 0) for number in range(3))
    # Its horse may have been in the middle of the job that had just come back.
    assert (first in (1, 2), others) == (True, [1, 1])


class DeafLine(Line):
    """Loses the answer to one call: Redis has done what it was asked, and nobody was told."""

    calls: ClassVar[list[int]] = []
    lose: ClassVar[int] = 0

    def run(self, script: Any, keys: Any, args: Any) -> Any:
        answer = super().run(script, keys, args)
        self.calls.append(1)
        if len(self.calls) == self.lose:
            raise Away("the connection broke before the answer came")
        return answer


@pytest.mark.parametrize("lose", [1, 2, 3, 4, 5, 6])
def test_an_answer_that_is_lost_costs_nothing_and_nothing_is_run_twice(
    redis: Redis, redis_server: str, lose: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(DeafLine, "lose", lose)
    monkeypatch.setattr("mastowatch.reliable.horse.Line", DeafLine)
    waiting = jobs(redis, redis_server)
    start(redis_server, ["default"], burst=True).join(60)
    assert all(job.get_status(refresh=True) == "finished" for job in waiting)
    assert redis.hgetall("effects") == {b"0": b"1", b"1": b"1", b"2": b"1"}
    assert redis.hgetall("callbacks") == {waiting[0].id.encode(): b"1"}
    assert leftovers(redis) == []
