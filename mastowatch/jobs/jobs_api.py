"""The jobs: lists and searches, failures by error, one job, and what can be done to one or to many."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from mastowatch.config.settings import QUEUES
from mastowatch.jobs.actions import Actions, BulkAction, BulkResult
from mastowatch.jobs.context import View
from mastowatch.jobs.described import JSON, LINK, LOCATION, also, told
from mastowatch.jobs.detail import JobDetail, read_job
from mastowatch.jobs.failures import FailureGroups, failure_groups
from mastowatch.jobs.listing import JobPage, list_jobs, page_json
from mastowatch.jobs.parameters import DryRun, Flag, JobCursor, Limit, Which, link_next, next_link
from mastowatch.jobs.records import JobRow
from mastowatch.jobs.refusals import BadParameter

_ID = "analyze_and_maybe_report-109302"
_ROW: dict[str, Any] = {**JobRow.model_config["json_schema_extra"]["example"]}  # type: ignore[index,dict-item]
_PAGE = {
    "queue": None,
    "status": "failed",
    "function": None,
    "error": None,
    "text": None,
    "failure": None,
    "since": None,
    "until": None,
    "jobs": [_ROW],
    "count": 1,
    "total": 73,
    "exact": False,
    "scanned": 1,
    "next_cursor": "YXQ6MQ",
}
_TRACEBACK = 'Traceback (most recent call last):\n  File "...", line 1, in ...\n'
_DETAIL = {
    **_ROW,
    "function": "mastowatch.jobs.tasks.analyze_and_maybe_report",
    "args": [],
    "kwargs": {"account_id": "109302"},
    "readable": True,
    "result": None,
    "result_readable": True,
    "place": None,
    "due_at": None,
    "timeout_s": 120,
    "last_heartbeat": None,
    "attempts": [
        {
            "outcome": "failed",
            "at": "2026-03-01T12:00:03.751000Z",
            "started_at": "2026-03-01T12:00:01.250000Z",
            "ended_at": "2026-03-01T12:00:03.750000Z",
            "duration_s": 2.5,
            "worker_name": "mod-1-4711-3f2a9c",
            "error": "mastowatch.errors.MastodonUnreachable: connection refused",
            "traceback": f"{_TRACEBACK}mastowatch.errors.MastodonUnreachable: connection refused",
        }
    ],
}
_GROUPS = {
    "groups": [
        {
            "error": "mastowatch.errors.MastodonUnreachable",
            "message": "connection refused",
            "count": 41,
            "functions": ["mastowatch.jobs.tasks.analyze_and_maybe_report"],
            "queues": ["default"],
            "first_at": "2026-03-01T11:58:00Z",
            "last_at": "2026-03-01T12:00:03.750000Z",
            "example_id": _ID,
        }
    ],
    "scanned": 41,
    "total": 41,
    "next_cursor": None,
}
_BULK = {
    "action": "requeue",
    "matched": 41,
    "done": 41,
    "skipped": 0,
    "left": False,
    "scanned": 41,
    "next_cursor": None,
}
_NO_JOB = "there is no job no-such-job; records of finished jobs are kept for RESULT_TTL seconds"
_UNKNOWN = {404: _NO_JOB}
Id = Annotated[str, Path(description="The job's id.", examples=[_ID])]
OneQueue = Annotated[
    str | None,
    Query(description="One queue; all when none is named.", json_schema_extra={"enum": list(QUEUES)}),
]


class Done(BaseModel):
    """What was done about a job."""

    id: str
    status: Literal["canceled", "stopping", "queued"]


def router(view: View, actions: Actions) -> APIRouter:
    """Return the routes under /jobs, /failures and /bulk."""
    routes = APIRouter(tags=["jobs"])
    _add_reading(routes, view)
    _add_acting(routes, actions)
    _add_bulk(routes, actions)
    return routes


def accepted(response: Response, job_id: str) -> Done:
    """Answer that a job was queued, and where it is shown."""
    response.headers["Location"] = f"/jobs/jobs/{job_id}"
    return Done(id=job_id, status="queued")


def _add_reading(routes: APIRouter, view: View) -> None:
    @routes.get("/jobs", response_model=JobPage, **told("List jobs", "list_jobs", _PAGE, headers=LINK))
    def jobs(request: Request, where: Which, limit: Limit = 50, cursor: JobCursor = None) -> Response:
        """List the jobs that match all that is asked for.

        A cursor is a place in the list: jobs that move meanwhile may show twice or not at all. What has to be searched
        for is looked for among at most 2,000 entries a request: a page may be empty and still have a `next_cursor`.
        """
        page = list_jobs(view.redis, view.clock(), where, limit=limit, cursor=cursor)
        return Response(page_json(page), media_type=JSON, headers=next_link(request, page.next_cursor))

    @routes.get("/failures", **told("Group the failures by error", "list_failures", _GROUPS, headers=LINK))
    def failures(
        request: Request, response: Response, queue: OneQueue = None, cursor: JobCursor = None
    ) -> FailureGroups:
        """Group failed and stopped jobs by error and message, the most frequent first; numbers and ids count as equal.

        A request looks through the newest 2,000; `next_cursor` goes on with those before.
        """
        found = failure_groups(view.redis, view.clock(), queue=queue, cursor=cursor)
        link_next(request, response, found.next_cursor)
        return found

    @routes.get("/jobs/{job_id}", **told("Show a job", "get_job", _DETAIL, problems=_UNKNOWN))
    def job(job_id: Id) -> JobDetail:
        """Show one job with its arguments, result, place in the queue, and attempts with their tracebacks."""
        return read_job(view.redis, job_id, view.clock())


def _add_acting(routes: APIRouter, actions: Actions) -> None:
    stopping = also(
        "It runs: its worker is told to stop it.", {"id": _ID, "status": "stopping"}, Done, headers=LOCATION
    )

    @routes.post(
        "/jobs/{job_id}/cancel",
        **told(
            "Cancel a job",
            "cancel_job",
            {"id": _ID, "status": "canceled"},
            problems={**_UNKNOWN, 409: f"job {_ID} is finished; only what waits or runs can be canceled"},
            more={202: stopping},
        ),
    )
    def cancel(job_id: Id, response: Response) -> Done:
        """Cancel a job that waits (200), or have its worker stop one that runs (202, `stopping`)."""
        status = actions.cancel(job_id)
        if status == "stopping":
            response.status_code = 202
            accepted(response, job_id)
        return Done(id=job_id, status=status)

    @routes.post("/jobs/{job_id}/requeue", **_queues("Queue a job again", "requeue_job", "only what has ended can be"))
    def requeue(job_id: Id, response: Response) -> Done:
        """Queue a job that has ended once more, with all its retries."""
        actions.requeue(job_id)
        return accepted(response, job_id)

    @routes.post("/jobs/{job_id}/run", **_queues("Run a job now", "run_job", "only what waits or is delayed can be"))
    def run(job_id: Id, response: Response) -> Done:
        """Bring a job that waits or is delayed to the front of its queue."""
        actions.run_now(job_id)
        return accepted(response, job_id)

    @routes.delete(
        "/jobs/{job_id}",
        **told(
            "Delete a job",
            "delete_job",
            status=204,
            problems={**_UNKNOWN, 409: f"job {_ID} is started; cancel it first"},
        ),
    )
    def delete(job_id: Id) -> None:
        """Forget a job and what it left; not one that runs, nor one that recurs."""
        actions.delete(job_id)


def _queues(summary: str, operation_id: str, why_not: str) -> dict[str, Any]:
    return told(
        summary,
        operation_id,
        {"id": _ID, "status": "queued"},
        status=202,
        headers=LOCATION,
        problems={**_UNKNOWN, 409: f"job {_ID} is started; {why_not} queued"},
    )


def _add_bulk(routes: APIRouter, actions: Actions) -> None:
    @routes.post("/bulk/{action}", **told("Do the same to many jobs", "bulk", _BULK))
    def bulk(
        action: Annotated[BulkAction, Path(description="What to do to each.", examples=["requeue"])],
        where: Which,
        *,
        dry_run: DryRun = False,
        all: Annotated[Flag, Query(description="Needed where nothing else says which jobs are meant.")] = False,  # noqa: A002
        cursor: JobCursor = None,
    ) -> BulkResult:
        """Cancel, requeue, delete or run every job that matches; with `dry_run=true` count them only.

        While `left` is true there are more than one request does: ask again, with the `next_cursor` it gave.
        """
        if where.any and not all:
            raise BadParameter("all: name the jobs that are meant (like status=failed), or say all=true")
        return actions.bulk(action, where, dry_run=dry_run, cursor=cursor)
