"""``mastowatch cases [ID]``: whom MastoWatch judged, why, and what moderators made of it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from mastowatch.cli.records import answer
from mastowatch.cli.tables import NOTHING, ago, moment, plain, print_json, print_table
from mastowatch.config import Loaded
from mastowatch.jobs.cases_view import CaseDetail, CaseRow, list_cases, read_case
from mastowatch.jobs.context import View

_HEADS = ("account", "id", "score", "outcome", "decision", "judged", "rules")


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Print a page of cases, or one in full; 1 if there is none."""
    return answer(loaded, lambda view: _show(view, arguments) if arguments.id else _list(view, arguments))


def _list(view: View, arguments: argparse.Namespace) -> int:
    page = list_cases(
        view,
        limit=arguments.limit,
        cursor=arguments.cursor,
        outcome=arguments.outcome,
        rule=arguments.rule,
        account=arguments.account,
    )
    if arguments.json:
        print_json(page)
        return 0
    if page.cases:
        print_table(_HEADS, [_row(one, view.clock()) for one in page.cases], right=("score",))
    else:
        print(f"No case found among {page.scanned} looked through.")
    if page.next_cursor is not None:
        print(f"{page.count} of at most {page.total}; the next ones: --cursor {page.next_cursor}")
    return 0


def _row(one: CaseRow, now: float) -> tuple[str, ...]:
    rules = ", ".join(reason.rule_id for reason in one.reasons if not reason.past)
    score, decision = f"{one.score:.1f}", one.decision or NOTHING
    return (one.acct, one.account_id, score, one.outcome, decision, ago(one.judged_at, now), rules)


def _show(view: View, arguments: argparse.Namespace) -> int:
    case = read_case(view, arguments.id)
    if arguments.json:
        print_json(case)
        return 0
    facts = [(name, value) for name, value in _facts(case, view.clock()) if value]
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        print(f"{name:<{width}}  {plain(value)}")
    for reason in case.reasons:
        apart = (", shadow" if reason.shadow else "") + (", past" if reason.past else "")
        print(f"  {plain(reason.rule_id)} ({reason.weight:g}{apart}): {plain(reason.evidence)}")
    return 0


def _facts(case: CaseDetail, now: float) -> Iterator[tuple[str, str]]:
    yield "account", f"{case.acct} ({case.account_id})"
    yield "outcome", f"{case.outcome}: {case.why}" if case.why else case.outcome
    yield "score", f"{case.score:g}" + (f", {case.shadow_score:g} in shadow" if case.shadow_score else "")
    yield "judged", f"{moment(case.judged_at)} ({ago(case.judged_at, now)})"
    yield "report", f"{case.report_id} {case.report_url or ''}".strip()
    yield "decision", case.decision or ""
    yield "account page", case.account_url or ""
    if case.measure is not None:
        yield "measure", f"{case.measure.measure}, {case.measure.state}, until {moment(case.measure.expires_at)}"
