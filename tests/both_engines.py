"""Runs jobs on stock RQ and on our engine, so that a test can put the same question to both."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from typing import Any

from redis import Redis
from rq import SimpleWorker, Worker
from rq.serializers import JSONSerializer
from rq.worker import BaseWorker

from mastowatch.reliable.serializer import JsonJob, JsonQueue
from mastowatch.reliable.worker import ReliableWorker
from tests.engine import FORK

STOCK, OURS = "stock", "ours"
_STOCK_OPTIONS: dict[str, Any] = {"serializer": JSONSerializer, "job_class": JsonJob, "queue_class": JsonQueue}


class _QuietWorker(SimpleWorker):
    """Hears no commands, for which it would need a thread."""

    def subscribe(self) -> None:
        pass


class _BriefWorker(Worker):
    """Does not wait a second for the thread that hears commands, at its end."""

    def unsubscribe(self) -> None:
        pass


def worker_of(engine: str, redis: Redis, *queues: str, **options: Any) -> BaseWorker:
    """A worker for this process; a stock one runs its jobs in it, too."""
    names = list(queues or ("default",))
    if engine == OURS:
        return ReliableWorker(names, connection=redis, **options)
    return _QuietWorker(names, connection=redis, **_STOCK_OPTIONS, **options)


def drain(worker: BaseWorker, **options: Any) -> bool:
    """Have it work until its queues are empty, or as ``options`` say."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        return bool(worker.work(burst=True, logging_level="WARNING", **options))
    finally:
        worker.kill_horse()  # none is left, unless it broke
        for number, handler in before.items():
            signal.signal(number, handler)


def run(engine: str, redis: Redis, *queues: str, **options: Any) -> BaseWorker:
    """Work on ``queues`` in this process until they are empty; returns the worker."""
    worker = worker_of(engine, redis, *queues, **options)
    drain(worker)
    return worker


@contextmanager
def running(engine: str, url: str, queues: Sequence[str] = ("default",), **options: Any) -> Iterator[BaseProcess]:
    """A worker as a process of its own, stopped at the end."""
    process = FORK.Process(target=_work, args=(engine, url, list(queues), options))
    process.start()
    try:
        yield process
    finally:
        end(process)


def end(process: BaseProcess) -> None:
    with suppress(ProcessLookupError):
        os.kill(process.pid or 0, signal.SIGTERM)
    process.join(60)
    if process.is_alive():
        process.kill()
        process.join(5)
        raise AssertionError("the worker did not stop")


def _work(engine: str, url: str, queues: list[str], options: dict[str, Any]) -> None:
    with Redis.from_url(url) as redis:
        if engine == OURS:
            ReliableWorker(queues, connection=redis, **options).work()
        else:
            _BriefWorker(queues, connection=redis, **_STOCK_OPTIONS, **options).work(logging_level="WARNING")
