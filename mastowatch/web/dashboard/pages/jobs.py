"""The list of jobs."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse

from mastowatch.jobs.listing import STATUSES, all_queues, list_jobs
from mastowatch.web.dashboard.site import Site


def add(app: FastAPI, site: Site) -> None:
    """Add it."""
    view = site.view

    @app.get("/jobs", response_class=HTMLResponse)
    def jobs(
        request: Request,
        queue: str | None = None,
        status: str | None = None,
        cursor: Annotated[str | None, Query(max_length=64)] = None,
    ) -> HTMLResponse:
        """List jobs."""
        found = list_jobs(view.redis, view.clock(), queue=queue or None, status=status or None, cursor=cursor)
        queues = all_queues(view.redis)
        return site.page(
            request, "jobs.html", at="/jobs", found=found, queues=queues, statuses=STATUSES, first=cursor is None
        )
