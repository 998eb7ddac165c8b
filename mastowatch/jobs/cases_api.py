"""The /cases API: what was judged, why, what was filed, and what moderators made of it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from mastowatch.jobs.cases_view import (
    ACCOUNT_MAX,
    LEVELS,
    OUTCOMES,
    STATES,
    CaseDetail,
    CasePage,
    list_cases,
    read_case,
)
from mastowatch.jobs.context import View
from mastowatch.jobs.described import LINK, told
from mastowatch.jobs.parameters import CaseCursor, Limit, link_next

_REASON = {
    "rule_id": "casino-words",
    "rule_name": "Casino advertising",
    "weight": 5.0,
    "shadow": False,
    "evidence": "“online casino” in a post with a link to casino.example",
    "past": False,
}
_ROW: dict[str, Any] = {
    "account_id": "109302",
    "acct": "win_big@spam.example",
    "url": "https://spam.example/@win_big",
    "level": "report",
    "outcome": "filed",
    "why": "score 5.0 reaches the threshold of 3.0",
    "score": 5.0,
    "shadow_score": 0.0,
    "judged_at": "2026-03-01T11:40:12Z",
    "reasons": [_REASON],
    "report_id": "4711",
    "report_url": "https://mastodon.example/admin/reports/4711",
    "account_url": "https://mastodon.example/admin/accounts/109302",
    "marker": "mw-7f3a",
    "generation": 1,
    "reported": ["casino-words"],
    "later": [],
    "resolved": True,
    "status_ids": ["112233"],
    "decision": "kept",
    "filed_at": "2026-03-01T11:40:12Z",
    "decided_at": "2026-03-01T12:02:40Z",
}
_ENTRY = {
    "at": "2026-03-01T11:40:12Z",
    "event": "judged",
    "outcome": "filed",
    "why": "score 5.0 reaches the threshold of 3.0",
    "by": "",
    "account_id": "109302",
    "acct": "win_big@spam.example",
    "level": "report",
    "score": 5.0,
    "shadow_score": 0.0,
    "rules": {"casino-words": 5.0},
    "shadow_rules": {},
    "report_id": "4711",
}
_PAGE = {"cases": [_ROW], "count": 1, "total": 812, "scanned": 1, "next_cursor": "Y2FzZTox"}


def _one_of(allowed: tuple[str, ...]) -> dict[str, Any]:
    return {"enum": list(allowed)}


def router(view: View) -> APIRouter:
    """Return the routes under /cases."""
    routes = APIRouter(prefix="/cases", tags=["cases"])

    @routes.get("", **told("List the cases", "list_cases", _PAGE, headers=LINK))
    def cases(
        request: Request,
        response: Response,
        limit: Limit = 50,
        cursor: CaseCursor = None,
        outcome: Annotated[
            str | None, Query(json_schema_extra=_one_of(OUTCOMES), description="What was done about it.")
        ] = None,
        level: Annotated[str | None, Query(json_schema_extra=_one_of(LEVELS), description="The verdict.")] = None,
        decision: Annotated[
            str | None, Query(json_schema_extra=_one_of(STATES), description="What moderators made of the report.")
        ] = None,
        rule: Annotated[str | None, Query(max_length=64, description="The id of a rule that hit.")] = None,
        account: Annotated[
            str | None, Query(max_length=ACCOUNT_MAX, description="The account's id, or a part of its name.")
        ] = None,
    ) -> CasePage:
        """List the latest judgement of each account, the newest first; the latest 5,000 are kept.

        A filter is a search among at most 1,000 cases a request: a page may be empty and still have a `next_cursor`.
        """
        page = list_cases(
            view,
            limit=limit,
            cursor=cursor,
            outcome=outcome,
            rule=rule,
            level=level,
            decision=decision,
            account=account,
        )
        link_next(request, response, page.next_cursor)
        return page

    @routes.get(
        "/{account_id}",
        **told(
            "Show a case",
            "get_case",
            {**_ROW, "measure": None, "audit": [_ENTRY]},
            problems={404: "there is no case of this account; the latest 5,000 are kept"},
        ),
    )
    def case(account_id: Annotated[str, Path(description="The account's id.", examples=["109302"])]) -> CaseDetail:
        """Show the verdict on an account with its reasons, what was filed, and the report in Mastodon's moderation."""
        return read_case(view, account_id)

    return routes
