"""Carries a decision out, and records it: the account's case, and one closing line in the journal."""

from __future__ import annotations

import logging
from dataclasses import replace

from mastowatch import metrics
from mastowatch.errors import ReportingPaused
from mastowatch.jobs import filing
from mastowatch.jobs.context import Context
from mastowatch.jobs.filing import ATTACHED_MAX, Judgement
from mastowatch.logs import event
from mastowatch.ports.types import AuditEntry, Case, CaseOutcome, CaseReason

log = logging.getLogger(__name__)


def act(context: Context, judgement: Judgement) -> Case:
    """Carry the decision out, record it as the account's case, and return the case."""
    try:
        outcome, report_id, marker = _carry_out(context, judgement)
    except ReportingPaused as paused:
        context.tally.add(metrics.REPORTS_HELD)
        judgement = replace(judgement, decision=replace(judgement.decision, why=str(paused)))
        outcome, report_id, marker = "held", "", ""
    case = _case(judgement, outcome, context.clock(), report_id=report_id, marker=marker)
    if case.level != "none" or case.reasons or report_id:
        context.cases.put(case)
    _record(context, case)
    return case


def record_gone(context: Context, account_id: str) -> None:
    """Record that an account could not be judged, as it is not there any more."""
    why = "the account is gone, or the bot may not see it"
    context.audit.add(AuditEntry(context.clock(), "judged", "gone", why, account_id=account_id))
    event(log, logging.INFO, "account_judged", account_id=account_id, outcome="gone", why=why)


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


def _case(judgement: Judgement, outcome: CaseOutcome, now: float, *, report_id: str, marker: str) -> Case:
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


def _record(context: Context, case: Case) -> None:
    """Leave one line in the audit and one in the journal, also about an account on which nothing was found."""
    counting = {reason.rule_id: reason.weight for reason in case.reasons if not reason.shadow}
    shadow = {reason.rule_id: reason.weight for reason in case.reasons if reason.shadow}
    context.audit.add(
        AuditEntry(
            case.judged_at,
            "judged",
            case.outcome if case.level != "none" else "none",
            case.why,
            account_id=case.account_id,
            acct=case.acct,
            level=case.level,
            score=case.score,
            shadow_score=case.shadow_score,
            rules=counting,
            shadow_rules=shadow,
            report_id=case.report_id,
        )
    )
    event(
        log,
        logging.INFO,
        "account_judged",
        account_id=case.account_id,
        acct=case.acct,
        verdict=case.level,
        score=case.score,
        shadow_score=case.shadow_score,
        outcome=case.outcome,
        why=case.why,
        rules=list(counting),
        shadow_rules=list(shadow),
        report_id=case.report_id,
    )
