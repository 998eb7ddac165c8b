"""One job."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from mastowatch.jobs.detail import read_job
from mastowatch.web.dashboard.site import Site


def add(app: FastAPI, site: Site) -> None:
    """Add it."""
    view = site.view

    @app.get("/jobs/{job_id}", response_class=HTMLResponse)
    def job(request: Request, job_id: str) -> HTMLResponse:
        """Show one job."""
        return site.page(request, "job.html", at="/jobs", job=read_job(view.redis, job_id, view.clock()))
