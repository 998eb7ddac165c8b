"""The failed jobs, grouped by what went wrong."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse

from mastowatch.jobs.failures import FailureGroup, failure_groups
from mastowatch.jobs.listing import CURSOR_MAX, all_queues
from mastowatch.web.dashboard.pages.filters import Asked
from mastowatch.web.dashboard.shown import visible
from mastowatch.web.dashboard.site import Site

_COLUMNS = (
    ("Jobs", "num"),
    ("Error", ""),
    ("Functions", "roomy"),
    ("Queues", "roomy"),
    ("First", "mid"),
    ("Last", ""),
)


def add(app: FastAPI, site: Site) -> None:
    """Add it."""
    view = site.view

    @app.get("/failures", response_class=HTMLResponse)
    def failures(
        request: Request,
        queue: Annotated[str, Query(max_length=300)] = "",
        cursor: Annotated[str, Query(max_length=CURSOR_MAX)] = "",
    ) -> HTMLResponse:
        """Show what went wrong, most often first, each with its jobs."""
        found = failure_groups(view.redis, view.clock(), queue=queue or None, cursor=cursor or None)
        return site.page(
            request,
            "failures.html",
            at="/failures",
            live=not cursor,
            found=found,
            asked=Asked(queue=queue),
            shortcuts=[
                (visible(name) or "All", f"{site.base}/failures{Asked(queue=name).query()}", queue == name)
                for name in ("", *all_queues(view.redis))
            ],
            columns=[*_COLUMNS, *([("Actions", "actions")] if site.access.may(request, "act") else [])],
            groups=[(group, jobs_of(group, queue).query()) for group in found.groups],
            queue=queue,
            cursor=cursor,
        )


def jobs_of(group: FailureGroup, queue: str) -> Asked:
    """Return what to ask the list of jobs for, to see those of a group."""
    return Asked(queue=queue, failure=group.name)
