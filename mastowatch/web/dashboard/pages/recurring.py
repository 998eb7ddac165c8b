"""The recurring jobs."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from mastowatch.jobs.recurrence import recurring_rows, scheduler_alive
from mastowatch.web.dashboard.site import Site


def add(app: FastAPI, site: Site) -> None:
    """Add it."""
    view = site.view

    @app.get("/recurring", response_class=HTMLResponse)
    def recurring(request: Request) -> HTMLResponse:
        """Show the recurring jobs."""
        rows, alive = recurring_rows(view.redis, site.schedule, view.clock()), scheduler_alive(view.redis)
        return site.page(request, "recurring.html", at="/recurring", live=True, rows=rows, scheduler=alive)
