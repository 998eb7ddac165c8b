r"""Files exactly one report: claim, act, record. Every state survives a crash; see docs/explanation/filing-once.md.

planned --send--> sent --answer--> filed
   ^                |  \--refused--> failed
   |                '--no answer: stays sent; looked up at Mastodon before it may be sent again
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from mastowatch import metrics
from mastowatch.domain.comment import render
from mastowatch.domain.policy import Decision
from mastowatch.domain.verdict import Verdict
from mastowatch.errors import BudgetExhausted, FilingInDoubt, MastodonNotFound, MastodonRefused
from mastowatch.jobs import guarding
from mastowatch.jobs.context import Context
from mastowatch.logs import event
from mastowatch.ports.types import Account, CaseOutcome, Claim, FiledReport, Receipt, ReportRequest, Status

log = logging.getLogger(__name__)

# Posts attached to a report: enough to judge by, few enough to read.
ATTACHED_MAX = 20
# A report in flight may still arrive this long after its time-out; only then is "not found" believed.
SETTLE_S = 30.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """An account, its posts, and what the rules and the policy made of them."""

    account: Account
    statuses: Sequence[Status]
    verdict: Verdict
    decision: Decision


def file(context: Context, judgement: Judgement) -> tuple[CaseOutcome, str, str]:
    """Return (outcome, report id, marker) of the one report on the account, filed now or before."""
    account_id = judgement.account.id
    claim = context.claims.plan(account_id, uuid.uuid4().hex[:8], context.clock())
    if claim.state == "filed":
        return "filed", claim.report_id, claim.marker
    if claim.state == "sent":
        found = _look_up(context, claim)
        if found is not None:
            context.claims.filed(claim, found.id, context.clock())
            context.tally.add(metrics.REPORTS_FOUND)
            return "filed", found.id, claim.marker
    return _send(context, judgement, claim)


def _look_up(context: Context, claim: Claim) -> FiledReport | None:
    """Return the report that was sent without an answer; raises FilingInDoubt while it may still arrive."""
    for found in context.mastodon("report").own_reports(claim.account_id):
        if found.comment.endswith(f"[mw:{claim.marker}]"):
            return found
    settled_at = claim.changed_at + context.settings.request_timeout + SETTLE_S
    if context.clock() < settled_at:
        raise FilingInDoubt(f"the report on account {claim.account_id} was sent and may still arrive", settled_at)
    return None


def _send(context: Context, judgement: Judgement, claim: Claim) -> tuple[CaseOutcome, str, str]:
    context.ensure_running()
    guarding.admit(context, judgement.account, judgement.verdict, claim.marker)
    account_id, now = judgement.account.id, context.clock()
    sent = context.claims.send(claim, uuid.uuid4().hex, now)
    if sent is None:
        raise FilingInDoubt(f"another worker files the report on account {account_id}", now + SETTLE_S)
    try:
        receipt = _file(context, _request(context, judgement, claim.marker))
    except BudgetExhausted as error:
        # Not sent, or answered with 429: nothing was filed, so nothing needs to be looked up later.
        context.claims.failed(sent, str(error), context.clock())
        raise
    except (MastodonNotFound, MastodonRefused) as error:
        context.claims.failed(sent, str(error), context.clock())
        context.tally.add(metrics.REPORTS_REFUSED)
        event(log, logging.WARNING, "report_refused", account_id=account_id, reason=str(error))
        return ("gone" if isinstance(error, MastodonNotFound) else "refused"), "", claim.marker
    context.claims.filed(sent, receipt.report_id, context.clock())
    context.tally.add(metrics.REPORTS_FILED)
    return "filed", receipt.report_id, claim.marker


def _file(context: Context, request: ReportRequest) -> Receipt:
    """File it; if a post is gone by now, once more without posts (Mastodon then refuses the whole report)."""
    mastodon = context.mastodon("report")
    try:
        return mastodon.file_report(request)
    except (MastodonNotFound, MastodonRefused):
        if not request.status_ids:
            raise
        return mastodon.file_report(replace(request, status_ids=()))


def _request(context: Context, judgement: Judgement, marker: str) -> ReportRequest:
    verdict = judgement.verdict
    attached = verdict.status_ids[:ATTACHED_MAX]
    comment = render(
        verdict,
        judgement.account,
        report_at=context.settings.report_threshold,
        marker=marker,
        attached=len(attached),
        posts_seen=len(judgement.statuses),
        now=datetime.fromtimestamp(context.clock(), UTC),
    )
    return ReportRequest(
        account_id=judgement.account.id,
        comment=comment,
        marker=marker,
        status_ids=attached,
        category=verdict.category,
        rule_ids=verdict.rule_ids,
        forward=verdict.forward and judgement.account.domain is not None,
    )
