"""The failed jobs, grouped by what went wrong."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from mastowatch.web.dashboard.site import Site


def add(app: FastAPI, site: Site) -> None:
    """Add it."""

    @app.get("/failures", response_class=HTMLResponse)
    def failures(request: Request) -> HTMLResponse:
        """Show it."""
        return site.page(request, "failures.html", at="/failures")
