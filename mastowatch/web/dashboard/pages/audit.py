"""What was decided and done, and by whom."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from mastowatch.web.dashboard.site import Site


def add(app: FastAPI, site: Site) -> None:
    """Add it."""

    @app.get("/audit", response_class=HTMLResponse)
    def audit(request: Request) -> HTMLResponse:
        """Show it."""
        return site.page(request, "audit.html", at="/audit")
