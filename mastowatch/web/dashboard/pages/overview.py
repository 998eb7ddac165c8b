"""The first page: whether all is well."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from mastowatch.web.dashboard.overview import overview
from mastowatch.web.dashboard.site import Site


def add(app: FastAPI, site: Site) -> None:
    """Add it."""

    @app.get("/", response_class=HTMLResponse)
    def first(request: Request) -> HTMLResponse:
        """Answer whether all is well."""
        found = overview(site.view, site.schedule, site.view.clock())
        return site.page(request, "overview.html", at="/", live=True, all=found)
