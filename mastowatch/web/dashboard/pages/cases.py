"""The cases: what was judged and why, what was filed, and what moderators made of it."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse

from mastowatch.domain import comment
from mastowatch.jobs.cases_view import CaseDetail, ReasonRow, list_cases, read_case
from mastowatch.jobs.places import LENGTH_MAX
from mastowatch.jobs.rules_on_disk import rules_on_disk
from mastowatch.web.dashboard.access import Form
from mastowatch.web.dashboard.pages.audit import NAMES
from mastowatch.web.dashboard.site import Site

CASES_A_PAGE = 50
_OUTCOMES = (
    ("", "Any"),
    ("filed", "Filed"),
    ("rehearsed", "Rehearsed"),
    ("held", "Held back"),
    ("watched", "Watched"),
    ("exempt", "Exempt"),
    ("refused", "Refused"),
    ("gone", "Gone"),
)
_LEVELS = (("", "Any"), ("report", "Report"), ("watch", "Watch"), ("none", "Noted"))
_DECISIONS = (("", "Any"), ("open", "Open"), ("kept", "Kept"), ("rejected", "Rejected"), ("unknown", "Unknown"))
Text = Annotated[str, Query(max_length=300)]


def add(app: FastAPI, site: Site) -> None:
    """Add them."""
    view = site.view

    @app.get("/cases", response_class=HTMLResponse)
    def cases(
        request: Request,
        outcome: Text = "",
        rule: Text = "",
        level: Text = "",
        decision: Text = "",
        account: Text = "",
        cursor: Annotated[str, Query(max_length=LENGTH_MAX)] = "",
    ) -> HTMLResponse:
        """List the latest judgements."""
        where = {"outcome": outcome, "rule": rule, "level": level, "decision": decision, "account": account.strip()}
        found = list_cases(view, limit=CASES_A_PAGE, cursor=cursor or None, **where)
        given = {name: value for name, value in where.items() if value}
        ids = {one.id for one in rules_on_disk(view.settings.rules_dir).rules} | ({rule} if rule else set())
        return site.page(
            request,
            "cases.html",
            at="/cases",
            found=found,
            where=where,
            filtered=bool(given),
            first=_link(site, given) if cursor else "",
            older=_link(site, {**given, "cursor": found.next_cursor}) if found.next_cursor else "",
            outcomes=_OUTCOMES,
            levels=_LEVELS,
            decisions=_DECISIONS,
            rules=[("", "Any"), *((one, one) for one in sorted(ids))],
        )

    @app.get("/cases/{account_id}", response_class=HTMLResponse)
    def case(request: Request, account_id: str) -> HTMLResponse:
        """Show one judgement, rule by rule."""
        found = read_case(view, account_id)
        return site.page(
            request,
            "case.html",
            at="/cases",
            case=found,
            sums=_sums(found),
            thresholds=(comment.exact(view.settings.watch_threshold), comment.exact(view.settings.report_threshold)),
            dropped=view.rule_switches.shadowed(),
            known={one.id for one in rules_on_disk(view.settings.rules_dir).rules},
            kept=view.posts.get(account_id) is not None,
            names=NAMES,
        )

    @app.post("/cases/{account_id}/judge")
    def judge(
        request: Request,
        account_id: str,
        form: Form = Depends(site.changing("act")),  # noqa: B008 -- FastAPI's way
    ) -> Response:
        """Have the account judged again."""
        del form
        found = read_case(view, account_id)
        job_id = site.actions(request).trigger("analyze_and_maybe_report", {"account_id": found.account_id})
        return site.done(request, f"/cases/{found.account_id}", f"It is judged again: job {job_id} waits for a worker.")


def _link(site: Site, given: dict[str, str]) -> str:
    return f"{site.base}/cases" + (f"?{urlencode(given)}" if given else "")


def _sums(case: CaseDetail) -> list[tuple[str, list[ReasonRow], str, str]]:
    """Return the tables of the sum: caption, reasons, total, and what rounding adds, both as the comment has them."""
    present = [one for one in case.reasons if not one.past]
    counted, shadow = [one for one in present if not one.shadow], [one for one in present if one.shadow]
    past = [one for one in case.reasons if one.past]
    return [
        ("Rules that count", counted, comment.exact(case.score), _rest(case.score, counted)),
        (
            "Rules in shadow, which do not count",
            shadow,
            comment.exact(case.shadow_score),
            _rest(case.shadow_score, shadow),
        ),
        ("Rules that hit before, and no longer", past, "", ""),
    ]


def _rest(total: float, reasons: list[ReasonRow]) -> str:
    rest = comment.remainder(total, [one.weight for one in reasons])
    return comment.exact(rest) if rest else ""
