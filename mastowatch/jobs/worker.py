"""The worker, by the names that users of the job guide know: create_worker, get_queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from redis import Redis

from mastowatch.errors import Stopped
from mastowatch.jobs.context import Context
from mastowatch.jobs.queues import get_queue
from mastowatch.reliable.worker import ReliableWorker, fresh_name

__all__ = ["create_worker", "get_queue"]


def create_worker(
    redis: Redis,
    context: Context,
    queues: Sequence[str],
    *,
    instance: str = "",
    alive: Callable[[], None] | None = None,
) -> ReliableWorker:
    """Return a worker that serves ``queues`` in this order and takes nothing while the panic stop is on."""

    def may_take() -> bool:
        try:
            context.ensure_running()
        except Stopped:
            return False
        return True

    return ReliableWorker(
        queues,
        connection=redis,
        name=fresh_name(instance),
        may_take=may_take,
        alive=alive or (lambda: None),
        # The dashboard shows what is in force here, where reports are filed, not in its own settings.
        labels={"dry_run": str(context.settings.dry_run).lower()},
    )
