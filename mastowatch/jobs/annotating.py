"""Adds MastoWatch's verdict to the case of an account that somebody else has reported; never files a report itself.

Whoever looks at the report finds on the dashboard, and in the audit, what the rules make of its target.
"""

from __future__ import annotations

import logging
from functools import partial

from mastowatch import metrics
from mastowatch.errors import MastodonNotFound
from mastowatch.jobs import casebook, judging
from mastowatch.jobs.context import Context
from mastowatch.jobs.filing import Filing, Judgement
from mastowatch.jobs.judging import Result
from mastowatch.logs import event
from mastowatch.ports.types import AuditEntry, Case

log = logging.getLogger(__name__)


def annotate(context: Context, report_id: str) -> Result:
    """Judge the target of a report by somebody else; the bot's own reports have a case already, and it has none."""
    context.ensure_running()
    try:
        report = context.mastodon("judge").report(report_id)
    except MastodonNotFound:
        return {"outcome": "gone"}
    if context.me_id() in (report.by_account_id, report.target_account_id):
        return {"outcome": "own"}
    return judging.judge(context, report.target_account_id, act=partial(_note, report_id=report_id))


def _note(context: Context, judgement: Judgement, *, report_id: str) -> Case:
    """Put the verdict into the case, where a report that the bot has filed stays what it was."""
    why = f"somebody else reported it (report {report_id}); MastoWatch only adds its verdict"
    known = context.cases.get(judgement.account.id)
    case = casebook.grow(known, judgement, Filing("watched", why=why), context.clock())
    context.cases.put(case)
    context.audit.add(_entry(case, report_id, why))
    context.tally.add(metrics.REPORTS_ANNOTATED)
    event(
        log,
        logging.INFO,
        "report_annotated",
        account_id=case.account_id,
        acct=case.acct,
        verdict=case.level,
        score=case.score,
        rules=[reason.rule_id for reason in case.reasons],
        report_id=report_id,
    )
    return case


def _entry(case: Case, report_id: str, why: str) -> AuditEntry:
    present = [reason for reason in case.reasons if not reason.past]
    return AuditEntry(
        at=case.judged_at,
        event="annotated",
        outcome=case.outcome,
        why=why,
        account_id=case.account_id,
        acct=case.acct,
        level=case.level,
        score=case.score,
        shadow_score=case.shadow_score,
        rules={reason.rule_id: reason.weight for reason in present if not reason.shadow},
        shadow_rules={reason.rule_id: reason.weight for reason in present if reason.shadow},
        report_id=report_id,
    )
