"""Adds MastoWatch's verdict to the case of an account that somebody else has reported; never files a report itself.

Whoever looks at the report finds on the dashboard, and in the audit, what the rules make of its target.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial

from mastowatch import metrics
from mastowatch.errors import MastodonNotFound
from mastowatch.jobs import judging, reporting
from mastowatch.jobs.context import Context
from mastowatch.jobs.filing import Judgement
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
    why = f"somebody else reported it (report {report_id}); MastoWatch only adds its verdict"
    case = replace(reporting.case_of(judgement, "watched", context.clock()), why=why)
    known = context.cases.get(case.account_id)
    if known is not None and known.report_id:
        # What the bot has filed stays in the case: this is about another report.
        case = replace(
            case,
            outcome=known.outcome,
            report_id=known.report_id,
            marker=known.marker,
            status_ids=known.status_ids,
        )
    context.cases.put(case)
    context.audit.add(_entry(case, report_id))
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


def _entry(case: Case, report_id: str) -> AuditEntry:
    return AuditEntry(
        at=case.judged_at,
        event="annotated",
        outcome=case.outcome,
        why=case.why,
        account_id=case.account_id,
        acct=case.acct,
        level=case.level,
        score=case.score,
        shadow_score=case.shadow_score,
        rules={one.rule_id: one.weight for one in case.reasons if not one.shadow},
        shadow_rules={one.rule_id: one.weight for one in case.reasons if one.shadow},
        report_id=report_id,
    )
