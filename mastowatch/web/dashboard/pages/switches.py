"""The switches: dry run, panic stop, breakers, paused queues."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from mastowatch.web.dashboard.site import Site


def add(app: FastAPI, site: Site) -> None:
    """Add it."""

    @app.get("/switches", response_class=HTMLResponse)
    def switches(request: Request) -> HTMLResponse:
        """Show it."""
        return site.page(request, "switches.html", at="/switches")
