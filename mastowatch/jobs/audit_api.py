"""The /audit API: every decision of MastoWatch, and everything that a person did."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from mastowatch.jobs.audit_view import BY_MAX, EVENTS, AuditPage, read_audit
from mastowatch.jobs.context import View
from mastowatch.jobs.described import LINK, told
from mastowatch.jobs.parameters import AuditCursor, Limit, link_next

_ENTRY = {
    "at": "2026-03-01T12:00:00Z",
    "event": "action",
    "outcome": "queued again",
    "why": "job analyze_and_maybe_report-109302",
    "by": "the API",
    "account_id": "",
    "acct": "",
    "level": "",
    "score": 0.0,
    "shadow_score": 0.0,
    "rules": {},
    "shadow_rules": {},
    "report_id": "",
}
_PAGE = {"entries": [_ENTRY], "count": 1, "total": 90211, "scanned": 1, "next_cursor": "YXVkaXQ6MS0w"}


def router(view: View) -> APIRouter:
    """Return the route /audit."""
    routes = APIRouter(tags=["audit"])

    @routes.get("/audit", **told("Read the audit", "read_audit", _PAGE, headers=LINK))
    def audit(
        request: Request,
        response: Response,
        limit: Limit = 50,
        cursor: AuditCursor = None,
        event: Annotated[
            str | None, Query(json_schema_extra={"enum": list(EVENTS)}, description="What kind of entry.")
        ] = None,
        account_id: Annotated[
            str | None, Query(pattern="^[0-9]{1,20}$", description="Entries about this account.")
        ] = None,
        by: Annotated[
            str | None,
            Query(max_length=BY_MAX, description="A part of who did it; `*` for whatever a person did."),
        ] = None,
    ) -> AuditPage:
        """List what was decided and done, the newest first; about 100,000 entries are kept.

        A filter is a search among at most 5,000 entries a request.
        """
        page = read_audit(view, limit=limit, cursor=cursor, event=event, account_id=account_id, by=by)
        link_next(request, response, page.next_cursor)
        return page

    return routes
