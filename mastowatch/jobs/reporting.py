"""Carries a decision out, and records it: the account's case, and one closing line in the journal."""

from __future__ import annotations

import logging

from mastowatch import metrics
from mastowatch.jobs import filing
from mastowatch.jobs.context import Context
from mastowatch.jobs.filing import ATTACHED_MAX, Judgement
from mastowatch.logs import event
from mastowatch.ports.types import Case, CaseOutcome, CaseReason

log = logging.getLogger(__name__)


def act(context: Context, judgement: Judgement) -> Case:
    """Carry the decision out, record it as the account's case, and return the case."""
    outcome, report_id, marker = _carry_out(context, judgement)
    case = case_of(judgement, outcome, context.clock(), report_id=report_id, marker=marker)
    if case.level != "none" or case.reasons or report_id:
        context.cases.put(case)
    _log(case)
    return case


def _carry_out(context: Context, judgement: Judgement) -> tuple[CaseOutcome, str, str]:
    action = judgement.decision.action
    if action == "report":
        return filing.file(context, judgement)
    if action == "rehearse":
        context.tally.add(metrics.REPORTS_REHEARSED)
        return "rehearsed", "", ""
    if action == "exempt":
        context.tally.add(metrics.EXEMPT)
        return "exempt", "", ""
    if action == "watch":
        context.tally.add(metrics.WATCHED)
    return "watched", "", ""


def case_of(judgement: Judgement, outcome: CaseOutcome, now: float, *, report_id: str = "", marker: str = "") -> Case:
    """Return what the judgement makes of the account's case."""
    verdict, account = judgement.verdict, judgement.account
    return Case(
        account_id=account.id,
        acct=account.acct,
        url=account.url,
        level=verdict.level,
        score=verdict.score,
        shadow_score=verdict.shadow_score,
        outcome=outcome,
        why=judgement.decision.why,
        judged_at=now,
        reasons=tuple(
            CaseReason(reason.rule_id, reason.rule_name, reason.weight, reason.shadow, reason.evidence)
            for reason in verdict.reasons
        ),
        report_id=report_id,
        marker=marker,
        status_ids=verdict.status_ids[:ATTACHED_MAX],
    )


def _log(case: Case) -> None:
    """Write the one closing line of a judged account; one that nothing was found on is worth a debug line."""
    level = logging.DEBUG if case.level == "none" and not case.reasons else logging.INFO
    event(
        log,
        level,
        "account_judged",
        account_id=case.account_id,
        acct=case.acct,
        verdict=case.level,
        score=case.score,
        outcome=case.outcome,
        why=case.why,
        rules=[reason.rule_id for reason in case.reasons],
        report_id=case.report_id,
    )
