"""``python -m benchmarks.queue.worker stock|simple|ours``: one worker, until SIGTERM."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from redis import Redis
from rq import SimpleWorker, Worker
from rq.serializers import JSONSerializer

import benchmarks.queue.jobs  # noqa: F401 -- loaded before the first fork, so that no horse pays for it
from benchmarks.queue import instrument
from benchmarks.queue.board import board
from benchmarks.queue.engines import QUEUES, REDIS_ENV
from mastowatch.reliable.worker import ReliableWorker


def _stock(redis: Redis) -> None:
    Worker(list(QUEUES), connection=redis, serializer=JSONSerializer).work(logging_level="WARNING")


def _simple(redis: Redis) -> None:
    SimpleWorker(list(QUEUES), connection=redis, serializer=JSONSerializer).work(logging_level="WARNING")


def _ours(redis: Redis) -> None:
    ReliableWorker(list(QUEUES), connection=redis).work()


RUN: dict[str, Callable[[Redis], None]] = {"stock": _stock, "simple": _simple, "ours": _ours}

if __name__ == "__main__":
    instrument.install()
    board()  # mapped before the first fork too
    RUN[sys.argv[1]](Redis.from_url(os.environ[REDIS_ENV]))
