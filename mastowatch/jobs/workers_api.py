"""The workers: what each does, when it was last heard of, and how to stop one."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel

from mastowatch.jobs.actions import Actions
from mastowatch.jobs.context import View
from mastowatch.jobs.described import told
from mastowatch.jobs.refusals import Unknown
from mastowatch.jobs.workforce import WorkerRow, read_workers

_NAME = "mod-1-4711-3f2a9c"
_ROW = {
    "name": _NAME,
    "state": "busy",
    "queues": ["high", "default", "low"],
    "hostname": "mod-1",
    "pid": 4711,
    "current_job_id": "analyze_and_maybe_report-109302",
    "started_at": "2026-03-01T08:00:00Z",
    "last_heartbeat": "2026-03-01T12:00:00Z",
    "finished": 4102,
    "failed": 3,
    "working_s": 6120.5,
    "dry_run": False,
    "rules": "3f0c6d1be2a4",
}
_UNKNOWN = {404: "there is no worker 'w9'; there are: mod-1-4711-3f2a9c"}
Name = Annotated[str, Path(description="The worker's name.", examples=[_NAME])]


class Workers(BaseModel):
    """All registered workers."""

    workers: list[WorkerRow]


class Stopping(BaseModel):
    """A worker that ends after the job at hand."""

    name: str
    status: Literal["stopping"]


def router(view: View, actions: Actions) -> APIRouter:
    """Return the routes under /workers."""
    routes = APIRouter(prefix="/workers", tags=["workers"])

    @routes.get("", **told("List the workers", "list_workers", {"workers": [_ROW]}))
    def workers() -> Workers:
        """List the registered workers and what each is doing."""
        return Workers(workers=read_workers(view.redis))

    @routes.get("/{name}", **told("Show a worker", "get_worker", _ROW, problems=_UNKNOWN))
    def worker(name: Name) -> WorkerRow:
        """Show one worker with its current job and when it was last heard of."""
        found = read_workers(view.redis)
        for one in found:
            if one.name == name:
                return one
        raise Unknown(f"there is no worker {name!r}; there are: {', '.join(one.name for one in found) or 'none'}")

    @routes.post(
        "/{name}/stop",
        **told("Stop a worker", "stop_worker", {"name": _NAME, "status": "stopping"}, status=202, problems=_UNKNOWN),
    )
    def stop(name: Name) -> Stopping:
        """Have the worker finish the job at hand and end; its unit stays stopped until somebody starts it."""
        actions.stop_worker(name)
        return Stopping(name=name, status="stopping")

    return routes
