"""The workers."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from mastowatch.jobs.workforce import read_workers
from mastowatch.web.dashboard.site import Site


def add(app: FastAPI, site: Site) -> None:
    """Add it."""

    @app.get("/workers", response_class=HTMLResponse)
    def workers(request: Request) -> HTMLResponse:
        """Show the workers."""
        return site.page(request, "workers.html", at="/workers", live=True, workers=read_workers(site.view.redis))
