"""The first page: whether all is well."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from mastowatch.web.dashboard.overview import OverviewReader
from mastowatch.web.dashboard.site import Site
from mastowatch.web.dashboard.trends import Span


def add(app: FastAPI, site: Site) -> None:
    """Add it."""
    reader = OverviewReader(site.view, site.schedule)

    @app.get("/", response_class=HTMLResponse)
    def first(request: Request, span: Span = "hour") -> HTMLResponse:
        """Answer whether all is well."""
        return site.page(request, "overview.html", at="/", live=True, all=reader.read(span, site.view.clock()))
