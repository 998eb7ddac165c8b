"""The cases: what was judged, and why."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse

from mastowatch.jobs.refusals import Unknown
from mastowatch.web.dashboard.site import Site

CASES_A_PAGE = 50
_ACCOUNT_ID = re.compile(r"[0-9]{1,20}")


def add(app: FastAPI, site: Site) -> None:
    """Add them."""
    view = site.view

    @app.get("/cases", response_class=HTMLResponse)
    def cases(request: Request, page: Annotated[int, Query(ge=1, le=100_000)] = 1) -> HTMLResponse:
        """List the latest judgements."""
        found, total = view.cases.latest(CASES_A_PAGE, (page - 1) * CASES_A_PAGE), view.cases.count()
        more = page * CASES_A_PAGE < total
        return site.page(request, "cases.html", at="/cases", cases=found, total=total, number_of_page=page, more=more)

    @app.get("/cases/{account_id}", response_class=HTMLResponse)
    def case(request: Request, account_id: str) -> HTMLResponse:
        """Show one judgement, rule by rule."""
        found = view.cases.get(account_id) if _ACCOUNT_ID.fullmatch(account_id) else None
        if found is None:
            raise Unknown("there is no case of this account; the latest 5,000 are kept")
        thresholds = (view.settings.watch_threshold, view.settings.report_threshold)
        return site.page(request, "case.html", at="/cases", case=found, thresholds=thresholds)
