"""The queues: how they stand, pause, resume, and empty what failed."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from mastowatch.jobs.actions import Actions, BulkResult
from mastowatch.jobs.context import View
from mastowatch.jobs.described import told
from mastowatch.jobs.listing import all_queues
from mastowatch.jobs.parameters import DryRun
from mastowatch.jobs.queue_control import known
from mastowatch.jobs.refusals import WrongState
from mastowatch.reliable.facts import QueueFacts, queue_facts

_ROW = {
    "name": "default",
    "depth": 12,
    "oldest_s": 3.2,
    "started": 2,
    "finished": 410,
    "failed": 1,
    "scheduled": 0,
    "deferred": 0,
    "canceled": 0,
    "workers": 2,
    "finished_total": 90412,
    "failed_total": 17,
    "paused": None,
}
_NO_QUEUE = {404: "there is no queue 'hihg'; there are: high, default, low"}
Name = Annotated[str, Path(description="The queue's name.", examples=["default"])]


class PausedQueue(BaseModel):
    """Who paused a queue, and when."""

    by: str
    at: datetime


class QueueRow(BaseModel):
    """How a queue stands; counts are of records that are still kept, totals of all ever."""

    name: str
    depth: int = Field(description="Jobs that wait.")
    oldest_s: float = Field(description="Seconds that the first of them has waited; 0 when none waits.")
    started: int
    finished: int
    failed: int = Field(description="Failed and stopped jobs.")
    scheduled: int
    deferred: int
    canceled: int
    workers: int
    finished_total: int
    failed_total: int
    paused: PausedQueue | None = Field(default=None, description="Who paused it and when; null while its jobs run.")


class Queues(BaseModel):
    """All queues, most urgent first."""

    queues: list[QueueRow]


class QueuePaused(BaseModel):
    """Whether a queue is paused."""

    model_config = ConfigDict(frozen=True)

    queue: str
    paused: bool


def router(view: View, actions: Actions) -> APIRouter:
    """Return the routes under /queues."""
    routes = APIRouter(prefix="/queues", tags=["queues"])

    @routes.get("", **told("List the queues", "list_queues", {"queues": [_ROW]}))
    def queues() -> Queues:
        """Tell how each queue stands, the most urgent first."""
        facts = queue_facts(view.redis, all_queues(view.redis), view.clock())
        return Queues(queues=[_row(one) for one in facts])

    @routes.post(
        "/{queue}/pause",
        **told("Pause a queue", "pause_queue", {"queue": "default", "paused": True}, problems=_NO_QUEUE),
    )
    def pause(queue: Name) -> QueuePaused:
        """Have no worker take a job of the queue, also over restarts; what runs goes on. Paused already: stays so."""
        with contextlib.suppress(WrongState):
            actions.pause_queue(queue)
        return QueuePaused(queue=queue, paused=True)

    @routes.post(
        "/{queue}/resume",
        **told("Resume a queue", "resume_queue", {"queue": "default", "paused": False}, problems=_NO_QUEUE),
    )
    def resume(queue: Name) -> QueuePaused:
        """Let the queue's jobs be taken again."""
        with contextlib.suppress(WrongState):
            actions.resume_queue(queue)
        return QueuePaused(queue=queue, paused=False)

    example = {
        "action": "empty_failed",
        "matched": 3,
        "done": 3,
        "skipped": 0,
        "left": False,
        "scanned": 3,
        "next_cursor": None,
    }

    @routes.post(
        "/{queue}/empty-failed",
        **told("Delete a queue's failed jobs", "empty_failed", example, problems=_NO_QUEUE),
    )
    def empty_failed(queue: Name, *, dry_run: DryRun = False) -> BulkResult:
        """Delete the failed and stopped jobs of the queue; with `dry_run=true` count them only.

        While `left` is true there are more than one request deletes: ask again.
        """
        return actions.empty_failed(known(view.redis, queue), dry_run=dry_run)

    return routes


def _row(facts: QueueFacts) -> QueueRow:
    values = {name: getattr(facts, name) for name in QueueRow.model_fields if name != "paused"}
    paused = facts.paused
    at = datetime.fromtimestamp(paused.at, UTC) if paused else None
    return QueueRow(**values, paused=PausedQueue(by=paused.by, at=at) if paused and at else None)
