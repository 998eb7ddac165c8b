"""RQ's own upkeep of its registries, in the horse: it may call what users wrote, which has no place in the parent."""

from __future__ import annotations

import logging
import random
import time
from typing import TYPE_CHECKING, Any

from redis import Redis
from redis.exceptions import RedisError
from rq.group import Group
from rq.queue import Queue
from rq.registry import clean_registries
from rq.worker_registration import clean_worker_registry

from mastowatch.logs import event
from mastowatch.reliable import scripts
from mastowatch.reliable.lock import OwnedLock
from mastowatch.reliable.serializer import JsonJob

if TYPE_CHECKING:
    from mastowatch.reliable.worker import ReliableWorker

log = logging.getLogger(__name__)

EVERY_S = 30


class _SilentJob(JsonJob):
    """A job that calls nobody: with ``only``, its callback and its webhooks are by another hand."""

    failure_callback = success_callback = stopped_callback = None

    def send_webhooks(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 -- RQ's
        """Send none."""


def tidying_lock(redis: Redis, owner: str) -> OwnedLock:
    """Return the lock of whoever tidies up; the parent lets it go for a horse that died meanwhile."""
    return OwnedLock(redis, "rq:maintenance", owner, ttl_s=30)


class Tidying:
    """Cleans the registries of the worker's queues every half minute, one worker at a time."""

    def __init__(self, worker: ReliableWorker) -> None:
        self._worker = worker
        self._prolong = worker.connection.register_script(scripts.PROLONG)
        self._lock = tidying_lock(worker.connection, worker.name)
        self._next = time.monotonic() + random.uniform(1, EVERY_S)  # noqa: S311 -- so that not all come at once

    def due(self) -> bool:
        """Tell whether it is time, for a horse that has none of its own to lose."""
        return time.monotonic() >= self._next

    def overdue(self) -> bool:
        """Tell whether it is time even for one that is busy."""
        return time.monotonic() >= self._next + EVERY_S

    def put_off(self) -> None:
        """Wait after trouble with Redis: until the others have shown signs of life, their jobs look abandoned."""
        self._next = time.monotonic() + EVERY_S

    def run(self) -> None:
        """Clean up, if nobody else does; with Redis away, later."""
        self.put_off()
        try:
            if self._lock.hold():
                self._clean()
        except RedisError as error:
            event(log, logging.DEBUG, "tidying_put_off", error=type(error).__name__)

    def _clean(self) -> None:
        try:
            now = int(time.time())
            for queue in self._worker.queues:
                self._prolong(keys=[queue.started_job_registry.key], args=[now + EVERY_S, now + 3 * EVERY_S])
                # RQ fails what its worker has left behind, and calls back for it.
                clean_registries(self._as_cleaned(queue), self._worker.exception_handlers)
                clean_worker_registry(queue)
            Group.clean_registries(connection=self._worker.connection)
        except RedisError:
            raise
        except Exception as error:  # noqa: BLE001 -- said below
            # One damaged record must not keep the rest untidy, nor end the horse.
            event(log, logging.ERROR, "tidying_failed", error=f"{type(error).__name__}: {error}", exc_info=error)
        finally:
            self._lock.release()

    def _as_cleaned(self, queue: Queue) -> Queue:
        if self._worker.only is None:
            return queue
        return self._worker.queue_class(
            queue.name, connection=queue.connection, serializer=queue.serializer, job_class=_SilentJob
        )
