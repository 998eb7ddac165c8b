"""``python -m benchmarks.queue.producer ENGINE``: enqueues as it is told, one order in JSON a line, until end of file.

A process of its own, as celery lives in another virtual environment; it answers each order with the seconds it took.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Sequence
from typing import Any, Protocol

from benchmarks.queue.board import board
from benchmarks.queue.engines import QUEUES, REDIS_ENV

BULK = 500  # jobs in one call, where the engine has such a call
Arguments = Sequence[Any]


class Client(Protocol):
    """How an engine's users enqueue."""

    def put(self, queue: str, job: str, args: Arguments) -> None:
        """Enqueue one job, as most callers do."""

    def put_many(self, queue: str, job: str, many: Sequence[Arguments]) -> None:
        """Enqueue many, in the fastest way that the engine offers."""


class RqClient:
    """RQ's way; ours too, with our own queue class."""

    def __init__(self, *, ours: bool) -> None:
        from redis import Redis
        from rq.queue import Queue
        from rq.serializers import JSONSerializer

        from mastowatch.reliable.serializer import JsonQueue

        redis = Redis.from_url(os.environ[REDIS_ENV])
        kind: type[Queue] = JsonQueue if ours else Queue
        self._queues = {name: kind(name, connection=redis, serializer=JSONSerializer) for name in QUEUES}

    def put(self, queue: str, job: str, args: Arguments) -> None:
        """Enqueue one job."""
        self._queues[queue].enqueue(f"benchmarks.queue.jobs.{job}", args=args)

    def put_many(self, queue: str, job: str, many: Sequence[Arguments]) -> None:
        """Enqueue all in one pipeline."""
        made = [self._queues[queue].prepare_data(f"benchmarks.queue.jobs.{job}", args=tuple(args)) for args in many]
        self._queues[queue].enqueue_many(made)


class CeleryClient:
    """Celery's way."""

    def __init__(self) -> None:
        from benchmarks.queue import celery_app

        self._app, self._tasks = celery_app.app, celery_app.TASKS

    def put(self, queue: str, job: str, args: Arguments) -> None:
        """Enqueue one job; celery takes a connection from its pool each time."""
        self._tasks[job].apply_async(args, queue=queue)

    def put_many(self, queue: str, job: str, many: Sequence[Arguments]) -> None:
        """Enqueue all by one producer on one connection: celery has no call for many."""
        with self._app.producer_or_acquire() as producer:
            for args in many:
                self._tasks[job].apply_async(args, queue=queue, producer=producer)


def _each(client: Client, job: str, many: Sequence[Arguments]) -> None:
    for number, args in enumerate(many):
        client.put(QUEUES[number % len(QUEUES)], job, args)


def _bulk(client: Client, job: str, many: Sequence[Arguments]) -> None:
    for number, queue in enumerate(QUEUES):
        share = many[number :: len(QUEUES)]
        for start in range(0, len(share), BULK):
            client.put_many(queue, job, share[start : start + BULK])


def _spaced(client: Client, job: str, many: Sequence[Arguments]) -> None:
    """Enqueue on a random queue every 50 to 150 ms, so that nothing can fall in step with a worker's own rhythm."""
    chance = random.Random(len(many))
    for args in many:
        time.sleep(chance.uniform(0.05, 0.15))
        board().ask(args[0])
        client.put(chance.choice(QUEUES), job, args)


HOW = {"each": _each, "bulk": _bulk, "spaced": _spaced}


def main(engine: str) -> None:
    """Serve orders: {"how": ..., "job": ..., "first": slot, "count": jobs, "args": what follows the slot}."""
    client: Client = CeleryClient() if engine.startswith("celery") else RqClient(ours=engine == "ours")
    for line in sys.stdin:
        order = json.loads(line)
        slots = range(order["first"], order["first"] + order["count"])
        many = [[slot, *order["args"]] for slot in slots]
        begun = time.perf_counter()
        HOW[order["how"]](client, order["job"], many)
        print(json.dumps(time.perf_counter() - begun), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
