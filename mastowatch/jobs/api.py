"""The /jobs API: see, cancel, requeue, trigger, pause. No GET writes anything.

Refusals come out as exceptions of ``mastowatch.jobs.refusals``; ``mastowatch.web.problems`` gives them a body.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query, Request, Response
from pydantic import BaseModel, Field

from mastowatch.jobs import control
from mastowatch.jobs.context import View
from mastowatch.jobs.detail import JobDetail, read_job
from mastowatch.jobs.listing import CURSOR_MAX, LIMIT_MAX, STATUSES, JobFilter, JobPage, all_queues, list_jobs
from mastowatch.jobs.queues import TASKS
from mastowatch.jobs.recurrence import RecurringRow, recurring_rows
from mastowatch.jobs.refusals import BadParameter, Unknown, WrongState
from mastowatch.jobs.scheduler import pause_recurring_job, schedule_recurring_jobs
from mastowatch.jobs.workforce import WorkerRow, read_workers
from mastowatch.reliable.facts import queue_facts
from mastowatch.reliable.scheduler import Recurring


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


class Workers(BaseModel):
    """All registered workers."""

    workers: list[WorkerRow]


class Schedule(BaseModel):
    """The recurring jobs. One-off jobs that wait for their time are under status=scheduled."""

    jobs: list[RecurringRow]
    count: int


class Done(BaseModel):
    """What was done about a job."""

    id: str
    status: Literal["canceled", "stopping", "queued"]


class Rescheduled(BaseModel):
    """The recurring jobs that were planned anew."""

    ids: list[str]


class Paused(BaseModel):
    """Whether a recurring job is paused."""

    id: str
    paused: bool


def router(view: View, schedule: Sequence[Recurring]) -> APIRouter:
    """Return the routes under /jobs; the caller keeps strangers out and answers Refusals."""
    routes = APIRouter(prefix="/jobs", tags=["jobs"])
    _add_reading(routes, view)
    _add_actions(routes, view)
    _add_schedule(routes, view, schedule)
    return routes


def _add_reading(routes: APIRouter, view: View) -> None:
    @routes.get("/queues")
    def queues() -> Queues:
        """Tell how each queue stands."""
        facts = queue_facts(view.redis, all_queues(view.redis), view.clock())
        return Queues(queues=[QueueRow.model_validate(one, from_attributes=True) for one in facts])

    @routes.get("/workers")
    def workers() -> Workers:
        """List the registered workers and what each is doing."""
        return Workers(workers=read_workers(view.redis))

    @routes.get("/jobs")
    def jobs(
        request: Request,
        response: Response,
        queue: Annotated[str | None, Query(description="high, default, low; all queues when none is named.")] = None,
        status: Annotated[str | None, Query(description=f"One of {', '.join(STATUSES)}; all when none.")] = None,
        limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 50,
        cursor: Annotated[
            str | None, Query(max_length=CURSOR_MAX, description="`next_cursor` of the page before.")
        ] = None,
    ) -> JobPage:
        """List jobs. A cursor is a place in the list: jobs that move meanwhile may show twice or not at all."""
        page = list_jobs(view.redis, view.clock(), JobFilter(queue, status), limit=limit, cursor=cursor)
        if page.next_cursor:
            following = request.url.include_query_params(cursor=page.next_cursor)
            response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
        return page

    @routes.get("/jobs/{job_id}")
    def job(job_id: str) -> JobDetail:
        """Show one job with its arguments, result and attempts."""
        return read_job(view.redis, job_id, view.clock())


def _add_actions(routes: APIRouter, view: View) -> None:
    @routes.post("/jobs/{job_id}/cancel", responses={202: {"model": Done, "description": "It runs: being stopped."}})
    def cancel(job_id: str, response: Response) -> Done:
        """Cancel a job that waits (200), or have its worker stop one that runs (202, `stopping`)."""
        keep_s = view.settings.failure_ttl
        status = control.cancel(view.redis, job_id, view.clock(), keep_s=keep_s)
        if status == "stopping":
            _accepted(response, job_id)
        return Done(id=job_id, status=status)

    @routes.post("/jobs/{job_id}/requeue", status_code=202)
    def requeue(job_id: str, response: Response) -> Done:
        """Queue a job that has ended once more, with all its retries."""
        control.requeue(view.redis, job_id, view.clock())
        return _queued(response, job_id)

    @routes.post("/trigger/{task_name}", status_code=202)
    def trigger(
        task_name: str,
        response: Response,
        arguments: Annotated[
            dict[str, Any] | None,
            Body(description="The task's arguments by name.", examples=[{"account_id": "109302"}]),
        ] = None,
    ) -> Done:
        """Queue a task now, unless the same work waits or runs already (409)."""
        return _queued(response, _submit(view, task_name, arguments or {}))


def _add_schedule(routes: APIRouter, view: View, schedule: Sequence[Recurring]) -> None:
    @routes.get("/scheduled")
    def scheduled() -> Schedule:
        """List the recurring jobs with their next and last runs."""
        rows = recurring_rows(view.redis, schedule, view.clock())
        return Schedule(jobs=rows, count=len(rows))

    @routes.post("/scheduled/reschedule")
    def reschedule() -> Rescheduled:
        """Plan the recurring jobs anew, now. Touches MastoWatch's own only."""
        return Rescheduled(ids=schedule_recurring_jobs(view.redis, view.settings))

    @routes.post("/recurring/{job_id}/pause")
    def pause(job_id: str) -> Paused:
        """Let the ticks of a recurring job pass, also over restarts; a run that has begun goes on."""
        return _pause(view, job_id, paused=True)

    @routes.post("/recurring/{job_id}/resume")
    def resume(job_id: str) -> Paused:
        """Let a recurring job run again, from its next tick on."""
        return _pause(view, job_id, paused=False)


def _pause(view: View, job_id: str, *, paused: bool) -> Paused:
    try:
        pause_recurring_job(view.redis, view.settings, job_id, paused=paused)
    except LookupError as error:
        raise Unknown(str(error)) from error
    return Paused(id=job_id, paused=paused)


def _submit(view: View, task_name: str, arguments: dict[str, Any]) -> str:
    if task_name not in TASKS:
        raise Unknown(f"there is no task {task_name!r}; there are: {', '.join(sorted(TASKS))}")
    try:
        job = view.jobs.submit(task_name, arguments)
    except ValueError as error:
        raise BadParameter(str(error)) from error
    if job is None:
        raise WrongState(f"{task_name} with these arguments waits, is delayed, or runs already")
    return str(job.id)


def _queued(response: Response, job_id: str) -> Done:
    _accepted(response, job_id)
    return Done(id=job_id, status="queued")


def _accepted(response: Response, job_id: str) -> None:
    response.status_code = 202
    response.headers["Location"] = f"/jobs/jobs/{job_id}"
