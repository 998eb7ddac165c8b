"""The worker, by the names that users of the job guide know: create_worker, get_queue."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from mastowatch.config import Settings
from mastowatch.errors import MastoWatchError
from mastowatch.jobs.context import GATES, Context
from mastowatch.jobs.queues import TASKS, get_queue
from mastowatch.reliable.recovery import is_passing
from mastowatch.reliable.worker import ReliableWorker, fresh_name

# What a worker calls, by path; tests that want a job to do something else take it away.
ONLY: Collection[str] | None = frozenset(task.path for task in TASKS.values())

__all__ = ["adjust_worker", "create_worker", "get_queue"]


def create_worker(
    redis: Redis,
    context: Context,
    queues: Sequence[str],
    *,
    instance: str = "",
    alive: Callable[[], None] | None = None,
) -> ReliableWorker:
    """Return a worker that serves ``queues`` in this order and takes nothing while the panic stop is on."""
    return ReliableWorker(
        queues,
        connection=redis,
        name=fresh_name(instance),
        gates=GATES,
        may_take=_may_take(context.settings),
        is_interruption=is_of_redis,
        alive=alive or (lambda: None),
        only=ONLY,
        **_adjustable(context),
    )


def is_of_redis(error: BaseException | None) -> bool:
    """Tell whether a job ended as Redis was away, full or no primary: no fault of the job's, and it passes."""
    while isinstance(error, MastoWatchError) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, ResponseError):
        return is_passing(error)
    return isinstance(error, (RedisConnectionError, RedisTimeoutError))


def adjust_worker(worker: ReliableWorker, context: Context) -> None:
    """Have ``worker`` follow the settings of ``context`` from the next job on; its queues and name stay."""
    worker.may_take = _may_take(context.settings)
    worker.adjust(**_adjustable(context))


def _may_take(settings: Settings) -> Callable[[], bool]:
    return lambda: not settings.panic_stop


def _adjustable(context: Context) -> dict[str, Any]:
    settings = context.settings
    return {
        # The dashboard shows what is in force here, where reports are filed, not in its own settings.
        "labels": {"dry_run": str(settings.dry_run).lower(), "rules": context.rules.digest},
        "horse_jobs": settings.worker_jobs_per_process,
        "horse_mib": settings.worker_memory_limit,
        "stop_s": settings.worker_stop_timeout,
    }
