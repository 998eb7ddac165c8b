"""The pages. Each is a GET that reads and renders; nothing here can change anything."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from fastapi import FastAPI, Query
from fastapi.responses import HTMLResponse

from mastowatch.jobs.context import View
from mastowatch.jobs.detail import read_job
from mastowatch.jobs.listing import CURSOR_MAX, STATUSES, JobFilter, all_queues, list_jobs
from mastowatch.jobs.recurrence import recurring_rows, scheduler_alive
from mastowatch.jobs.refusals import Unknown
from mastowatch.jobs.workforce import read_workers
from mastowatch.reliable.scheduler import Recurring
from mastowatch.web.dashboard.overview import overview
from mastowatch.web.dashboard.rendering import Pages

CASES_A_PAGE = 50
_ACCOUNT_ID = re.compile(r"[0-9]{1,20}")
# With ?refresh=off in the URL a page stands still.
Refresh = Annotated[str, Query(pattern="^(on|off)$")]


def add_pages(app: FastAPI, view: View, schedule: Sequence[Recurring], pages: Pages) -> None:
    """Add all pages to ``app``."""
    _add_first(app, view, schedule, pages)
    _add_jobs(app, view, pages)
    _add_people(app, view, pages)


def _add_first(app: FastAPI, view: View, schedule: Sequence[Recurring], pages: Pages) -> None:
    @app.get("/", response_class=HTMLResponse)
    def first(refresh: Refresh = "on") -> HTMLResponse:
        """Answer whether all is well."""
        return pages.page("overview.html", at="/", refresh=refresh, all=overview(view, schedule, view.clock()))

    @app.get("/recurring", response_class=HTMLResponse)
    def recurring(refresh: Refresh = "on") -> HTMLResponse:
        """Show the recurring jobs."""
        rows, alive = recurring_rows(view.redis, schedule, view.clock()), scheduler_alive(view.redis)
        return pages.page("recurring.html", at="/recurring", refresh=refresh, rows=rows, scheduler=alive)

    @app.get("/workers", response_class=HTMLResponse)
    def workers(refresh: Refresh = "on") -> HTMLResponse:
        """Show the workers."""
        return pages.page("workers.html", at="/workers", refresh=refresh, workers=read_workers(view.redis))


def _add_jobs(app: FastAPI, view: View, pages: Pages) -> None:
    @app.get("/jobs", response_class=HTMLResponse)
    def jobs(
        queue: str | None = None,
        status: str | None = None,
        cursor: Annotated[str | None, Query(max_length=CURSOR_MAX)] = None,
    ) -> HTMLResponse:
        """List jobs."""
        found = list_jobs(view.redis, view.clock(), JobFilter(queue or None, status or None), cursor=cursor)
        queues = all_queues(view.redis)
        return pages.page("jobs.html", at="/jobs", found=found, queues=queues, statuses=STATUSES, first=cursor is None)

    @app.get("/jobs/{job_id}", response_class=HTMLResponse)
    def job(job_id: str) -> HTMLResponse:
        """Show one job."""
        return pages.page("job.html", at="/jobs", job=read_job(view.redis, job_id, view.clock()))


def _add_people(app: FastAPI, view: View, pages: Pages) -> None:
    @app.get("/cases", response_class=HTMLResponse)
    def cases(page: Annotated[int, Query(ge=1, le=100_000)] = 1) -> HTMLResponse:
        """List the latest judgements."""
        found, total = view.cases.latest(CASES_A_PAGE, (page - 1) * CASES_A_PAGE), view.cases.count()
        more = page * CASES_A_PAGE < total
        return pages.page("cases.html", at="/cases", cases=found, total=total, number_of_page=page, more=more)

    @app.get("/cases/{account_id}", response_class=HTMLResponse)
    def case(account_id: str) -> HTMLResponse:
        """Show one judgement, rule by rule."""
        found = view.cases.get(account_id) if _ACCOUNT_ID.fullmatch(account_id) else None
        if found is None:
            raise Unknown("there is no case of this account; the latest 5,000 are kept")
        thresholds = (view.settings.watch_threshold, view.settings.report_threshold)
        return pages.page("case.html", at="/cases", case=found, thresholds=thresholds)
