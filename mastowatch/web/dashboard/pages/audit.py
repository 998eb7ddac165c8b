"""What was decided and done, when, by whom, and why."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse

from mastowatch.jobs.audit_view import EVENTS, read_audit
from mastowatch.jobs.places import LENGTH_MAX
from mastowatch.web.dashboard.site import Site

ENTRIES_A_PAGE = 100
NAMES = {
    "judged": "Judged",
    "annotated": "Looked at a report",
    "dropped": "Rule dropped",
    "rearmed": "Rule re-armed",
    "enforced": "Measure taken",
    "undone": "Measure undone",
    "action": "Action",
}
Text = Annotated[str, Query(max_length=300)]


def add(app: FastAPI, site: Site) -> None:
    """Add it."""

    @app.get("/audit", response_class=HTMLResponse)
    def audit(
        request: Request,
        event: Text = "",
        by: Text = "",
        account: Text = "",
        cursor: Annotated[str, Query(max_length=LENGTH_MAX)] = "",
    ) -> HTMLResponse:
        """List the entries, newest first."""
        where = {"event": event, "by": by.strip(), "account": account.strip()}
        found = read_audit(
            site.view,
            limit=ENTRIES_A_PAGE,
            cursor=cursor or None,
            event=event or None,
            account_id=where["account"] or None,
            by=where["by"] or None,
        )
        given = {name: value for name, value in where.items() if value}
        people = given == {"by": "*"}
        return site.page(
            request,
            "audit.html",
            at="/audit",
            found=found,
            where=where,
            filtered=bool(given),
            people=people,
            first=_link(site, given) if cursor else "",
            older=_link(site, {**given, "cursor": found.next_cursor}) if found.next_cursor else "",
            events=[("", "Any"), *((one, NAMES.get(one, one)) for one in EVENTS)],
            names=NAMES,
        )


def _link(site: Site, given: dict[str, str]) -> str:
    return f"{site.base}/audit" + (f"?{urlencode(given)}" if given else "")
