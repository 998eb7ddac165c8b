"""Jobs and worker processes for the tests of the job engine, which kill them as such."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from redis import Redis
from rq.results import Result

from mastowatch.reliable import doorbell
from mastowatch.reliable.serializer import JsonJob
from mastowatch.reliable.worker import ReliableWorker

FORK = multiprocessing.get_context("fork")
STARTED: list[Any] = []


def note(url: str, text: str, sleep_s: float = 0.0) -> str:
    """A job that leaves a trace of its beginning and its end."""
    with Redis.from_url(url) as redis:
        redis.rpush("notes", f"begin {text}")
        time.sleep(sleep_s)
        redis.rpush("notes", f"end {text}")
    return text


def fail() -> None:
    """A job that fails."""
    raise RuntimeError("no")


def pid() -> int:
    """A job that tells which process ran it."""
    return os.getpid()


def hold(directory: str) -> None:
    """A job that says by a file that it has begun, and ends when there is another: it needs no Redis for that."""
    Path(directory, "begun").touch()
    wait(Path(directory, "go").exists)


def notes(redis: Redis) -> list[str]:
    return [raw.decode() for raw in redis.lrange("notes", 0, -1)]


def work(url: str, queues: list[str], worker_class: type[ReliableWorker], options: dict[str, Any]) -> None:
    life = {name: options.pop(name) for name in ("burst", "max_jobs") if name in options}
    with Redis.from_url(url) as redis:
        worker_class(queues, connection=redis, **options).work(**life)


def start(
    url: str,
    queues: list[str],
    worker_class: type[ReliableWorker] = ReliableWorker,
    **options: Any,
) -> Any:
    process = FORK.Process(target=work, args=(url, queues, worker_class, options))
    process.start()
    STARTED.append(process)
    return process


def end_all() -> None:
    """Kill the workers that a test has left, so that they don't work for the next one."""
    while STARTED:
        process = STARTED.pop()
        if process.is_alive():
            process.kill()
        process.join(10)
        process.close()


@contextmanager
def made(redis: Redis, **options: Any) -> Iterator[ReliableWorker]:
    """Yield a worker in this process; then end its horse, if it has one, and close what it opened."""
    worker = ReliableWorker(["default"], connection=redis, **options)
    try:
        yield worker
    finally:
        if worker.horse_pid:
            os.kill(worker.horse_pid, signal.SIGKILL)
            os.waitpid(worker.horse_pid, 0)
        worker.leave()


def wait_until_no_horse_is_left(redis: Redis) -> None:
    """Wait until no horse of an earlier test asks this Redis for jobs: it would tidy up in the midst of the next one.

    One whose worker was killed is killed by the kernel; one whose worker is in this process would never go.
    """
    wait(lambda: not any(client["name"] == doorbell.NAME for client in redis.client_list()), 30)


def wait(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    """Wait until it is true; ``seconds`` are for a machine that has much more to do."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def child_of(process: Any) -> int:
    """Return the pid of a worker's horse, as soon as it has one."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    wait(lambda: children.read_text().split())
    return int(children.read_text().split()[0])


def gone(number: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{number}/stat").read_text().rpartition(") ")[2].startswith("Z")
    return True


def expire_registration(redis: Redis) -> None:
    """Do what the short life of a registration does by itself, to all that have one."""
    for name in redis.smembers("rq:takers"):
        redis.delete(b"rq:worker:" + name)
    redis.set("rq:steady", 1, px=4000)  # signs of life have come since long ago


def attempts(redis: Redis, job_id: str) -> list[tuple[str, str]]:
    """Return what came of each attempt at a job, the first one first: (type, text)."""
    results = JsonJob.fetch(job_id, connection=redis).results()
    return [(Result.Type(one.type).name, one.exc_string or "") for one in reversed(results)]


def leftovers(redis: Redis) -> list[bytes]:
    """Return what no job may leave behind."""
    patterns = ("rq:taken:*", "rq:wip:*", "rq:execution*", "rq:worker:*:executions", "rq:followups:*", "rq:unsettled")
    return [key for pattern in patterns for key in redis.keys(pattern)]
