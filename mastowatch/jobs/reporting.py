"""Carries a decision out, and records it: the account's case, and one closing line in the journal."""

from __future__ import annotations

import logging

from mastowatch import metrics
from mastowatch.jobs import casebook, filing
from mastowatch.jobs.context import Context
from mastowatch.jobs.filing import Filing, Judgement
from mastowatch.logs import event
from mastowatch.ports.types import Case

log = logging.getLogger(__name__)


def act(context: Context, judgement: Judgement) -> Case:
    """Carry the decision out, record it in the account's case, and return the case."""
    done = _carry_out(context, judgement)
    case = casebook.grow(context.cases.get(judgement.account.id), judgement, done, context.clock())
    if case.level != "none" or case.reasons or case.report_id:
        context.cases.put(case)
    _log(case)
    return case


def _carry_out(context: Context, judgement: Judgement) -> Filing:
    action = judgement.decision.action
    if action == "report":
        return filing.file(context, judgement)
    if action == "rehearse":
        context.tally.add(metrics.REPORTS_REHEARSED)
        return Filing("rehearsed")
    if action == "exempt":
        context.tally.add(metrics.EXEMPT)
        return Filing("exempt")
    if action == "watch":
        context.tally.add(metrics.WATCHED)
    return Filing("watched")


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
