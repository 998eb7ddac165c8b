"""Carries a decision out, and records it: the account's case, and a closing line in the audit and in the journal."""

from __future__ import annotations

import logging

from mastowatch import metrics
from mastowatch.errors import ReportingPaused
from mastowatch.jobs import casebook, enforcing, filing, guarding
from mastowatch.jobs.context import Context
from mastowatch.jobs.filing import Filing, Judgement
from mastowatch.logs import event
from mastowatch.ports.types import AuditEntry, Case

log = logging.getLogger(__name__)


def act(context: Context, judgement: Judgement) -> Case:
    """Carry the decision out, record it in the account's case, and return the case.

    Raises RuleDropped where a rule of the verdict has been dropped to shadow meanwhile: judge again without it.
    """
    done = _carry_out(context, judgement)
    case = casebook.grow(context.cases.get(judgement.account.id), judgement, done, context.clock())
    if case.level != "none" or case.reasons or case.report_id:
        context.cases.put(case)
    _record(context, judgement, done, case)
    # Last, so that whatever happens to it the report stands in the record.
    enforcing.enforce(context, judgement, done)
    return case


def record_gone(context: Context, account_id: str) -> None:
    """Record that an account could not be judged, as it is not there any more."""
    why = "the account is gone, or the bot may not see it"
    context.audit.add(AuditEntry(context.clock(), "judged", "gone", why, account_id=account_id))
    event(log, logging.INFO, "account_judged", account_id=account_id, outcome="gone", why=why)


def _carry_out(context: Context, judgement: Judgement) -> Filing:
    action = judgement.decision.action
    if action == "report":
        return _file(context, judgement)
    if action == "rehearse":
        context.tally.add(metrics.REPORTS_REHEARSED)
        return Filing("rehearsed")
    if action == "exempt":
        context.tally.add(metrics.EXEMPT)
        return Filing("exempt")
    if action == "watch":
        context.tally.add(metrics.WATCHED)
    return Filing("watched")


def _file(context: Context, judgement: Judgement) -> Filing:
    def permit(marker: str) -> None:
        guarding.admit(context, judgement.account, judgement.verdict, marker)

    try:
        return filing.file(context, judgement, permit=permit)
    except ReportingPaused as paused:
        context.tally.add(metrics.REPORTS_HELD)
        return Filing("held", why=str(paused))


def _record(context: Context, judgement: Judgement, done: Filing, case: Case) -> None:
    """Leave one line in the audit and one in the journal, also about an account on which nothing was found."""
    verdict, account = judgement.verdict, judgement.account
    entry = AuditEntry(
        case.judged_at,
        "judged",
        "none" if judgement.decision.action == "none" else done.outcome,
        case.why,
        account_id=account.id,
        acct=account.acct,
        level=verdict.level,
        score=verdict.score,
        shadow_score=verdict.shadow_score,
        rules={reason.rule_id: reason.weight for reason in verdict.reasons if not reason.shadow},
        shadow_rules={reason.rule_id: reason.weight for reason in verdict.reasons if reason.shadow},
        report_id=case.report_id,
    )
    context.audit.add(entry)
    event(
        log,
        logging.INFO,
        "account_judged",
        account_id=account.id,
        acct=account.acct,
        verdict=verdict.level,
        score=verdict.score,
        shadow_score=verdict.shadow_score,
        outcome=entry.outcome,
        why=entry.why,
        rules=list(entry.rules),
        shadow_rules=list(entry.shadow_rules),
        report_id=entry.report_id,
    )
