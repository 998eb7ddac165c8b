r"""Files exactly one open report an account: claim, look, send, record. Every state survives a crash.

planned --looked up, send--> sent --answer--> filed --resolved, and new evidence--> sent (next generation)
                              |  \--refused--> failed
                              '--no answer: stays sent; looked up at Mastodon before it may be sent again

Mastodon's own reports are the record: nothing is sent before they were looked through. See
docs/explanation/filing-once.md.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from mastowatch import metrics
from mastowatch.domain import enforcement, standing
from mastowatch.domain.comment import render
from mastowatch.domain.policy import Decision
from mastowatch.domain.standing import NOTHING, News
from mastowatch.domain.verdict import Verdict
from mastowatch.errors import Deferred, FilingInDoubt, MastodonAuthError, MastodonNotFound, MastodonRefused
from mastowatch.jobs.context import Context
from mastowatch.logs import event
from mastowatch.ports.types import Account, CaseOutcome, Claim, FiledReport, Receipt, ReportRequest, Status

log = logging.getLogger(__name__)

# Posts attached to a report: enough to judge by, few enough to read.
ATTACHED_MAX = 20
# A report in flight may still arrive this long after its time-out, as a busy server works off what others have
# given up; only then is "not found" believed.
SETTLE_S = 90.0
# A claim older than this and a time-out, when its report is about to leave, belongs to a worker that stood still.
LATE_S = 20.0
_BUSY_S = 5.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """An account, its posts, and what the rules and the policy made of them.

    ``action`` says what is done to it beside reporting it, "" for nothing.
    """

    account: Account
    statuses: Sequence[Status]
    verdict: Verdict
    decision: Decision
    action: str = ""


@dataclass(frozen=True, slots=True)
class Filing:
    """What came of it. ``report_id`` is the account's latest report, ``rules`` are in it, ``news`` came after it.

    ``why`` is "" where the decision says it all. ``announced``: the report was found at Mastodon, nobody here knew of
    it, and it says that this measure was taken; what became of that is forgotten.
    """

    outcome: CaseOutcome
    report_id: str = ""
    marker: str = ""
    generation: int = 0
    rules: tuple[str, ...] = ()
    news: News = NOTHING
    resolved: bool = False
    why: str = ""
    announced: str = ""


def no_limit(marker: str) -> None:
    """Permit any report."""


@dataclass(frozen=True, slots=True)
class _Work:
    """A report to be filed, and what was found when it was looked up: ``reports`` of ours, newest first."""

    context: Context
    judgement: Judgement
    permit: Callable[[str], None]
    claim: Claim
    reports: tuple[FiledReport, ...]
    doubtful_until: float
    steady_since: float


def file(context: Context, judgement: Judgement, *, permit: Callable[[str], None] = no_limit) -> Filing:
    """Return what came of the report on the account, filed now or before.

    ``permit`` is asked with the report's marker when it is about to be sent, and not for one that is there already;
    what it raises goes through. It may be asked again about the same marker: after a crash, or a lost answer.
    Raises RehearsalBegun, and claims nothing, where the dry run was turned on meanwhile.
    """
    context.ensure_filing()
    claim = context.claims.plan(judgement.account.id, _marker(context, judgement.account.id, 1), context.clock())
    # A claim of an older version tells nothing about its report.
    if claim.state == "filed" and claim.reported_at:
        news = _news(judgement, claim)
        if not news or _is_open(context, claim):
            return _added(claim, news)
    work = _look_up(context, judgement, permit, claim)
    if claim.state == "sent":
        _settle(work)
    return _again(work) if work.reports else _send(work, None, NOTHING)


def _look_up(context: Context, judgement: Judgement, permit: Callable[[str], None], claim: Claim) -> _Work:
    now = context.clock()
    # Before the look-up: a report whose claim was lost has arrived by then, or is found in doubt.
    steady_since = context.claims.steady_since(now)
    reports = standing.ours(context.mastodon("report").own_reports(judgement.account.id))
    settled_at = steady_since + context.settings.request_timeout + SETTLE_S
    doubtful_until = settled_at if now < settled_at else 0.0
    return _Work(context, judgement, permit, claim, reports, doubtful_until, steady_since)


def _settle(work: _Work) -> None:
    """Raise FilingInDoubt while the report that was sent without an answer is not there and may still arrive."""
    claim, context = work.claim, work.context
    if any(standing.marker_in(one.comment) == claim.marker for one in work.reports):
        return
    settled_at = claim.changed_at + context.settings.request_timeout + SETTLE_S
    if context.clock() < settled_at:
        raise FilingInDoubt(f"the report on account {claim.account_id} was sent and may still arrive", settled_at)


def _again(work: _Work) -> Filing:
    """Add to the report that is open; where all are resolved, file another if there is news."""
    latest = next((one for one in work.reports if not one.resolved), work.reports[0])
    if not latest.resolved:
        known = _adopt(work, latest)
        return _added(known, _news(work.judgement, known))
    remembered = work.claim.rules if _is_about(work.claim, latest) else ()
    news = standing.news_since(work.reports, work.judgement.verdict, work.judgement.statuses, remembered)
    if news:
        return _send(work, latest, news)
    why = f"report {latest.id} was resolved, and nothing is new since"
    return replace(_added(_adopt(work, latest), NOTHING), resolved=True, why=why)


def _news(judgement: Judgement, claim: Claim) -> News:
    since = datetime.fromtimestamp(claim.reported_at, UTC)
    return standing.news(judgement.verdict, judgement.statuses, rules=claim.rules or None, since=since)


def _is_open(context: Context, claim: Claim) -> bool:
    """One request tells, and most often that it is; what else there may be is looked up when it is not."""
    try:
        return not context.mastodon("report").report(claim.report_id).resolved
    except MastodonNotFound:
        return False


def _is_about(claim: Claim, report: FiledReport) -> bool:
    if claim.state == "filed":
        return claim.report_id == report.id
    return standing.marker_in(report.comment) == claim.marker


def _added(claim: Claim, news: News) -> Filing:
    why = f"report {claim.report_id} is open; added to its case: {news}" if news else ""
    told = claim.reason if claim.state == "filed" else ""
    return Filing("filed", claim.report_id, claim.marker, claim.generation, claim.rules, news, why=why, announced=told)


def _adopt(work: _Work, report: FiledReport) -> Claim:
    """Record a report that is there as the account's, if the claim says anything else; returns the claim as it is."""
    claim, context = work.claim, work.context
    if claim.state == "filed" and claim.report_id == report.id and claim.reported_at:
        return claim
    told, whole = standing.rules_in(report.comment)
    now = context.clock()
    adopted = replace(
        claim,
        state="filed",
        changed_at=now,
        marker=standing.marker_in(report.comment),
        report_id=report.id,
        reason=(enforcement.announced(report.comment) or "") if _is_forgotten(work, report) else "",
        generation=max(len(work.reports), claim.generation),
        rules=(_is_about(claim, report) and claim.rules) or (told if whole else ()),
        reported_at=report.created_at.timestamp(),
    )
    context.claims.filed(adopted, report.id, now)
    context.tally.add(metrics.REPORTS_FOUND)
    event(log, logging.INFO, "report_found", account_id=claim.account_id, report_id=report.id)
    return adopted


def _is_forgotten(work: _Work, report: FiledReport) -> bool:
    """Tell whether a report was filed, and maybe more was done since, that Redis has no memory of."""
    claim = work.claim
    ours = claim.state == "sent" and claim.marker == standing.marker_in(report.comment)
    return not ours or work.steady_since > claim.changed_at


def _marker(context: Context, account_id: str, generation: int) -> str:
    return standing.marker(context.settings.instance_base, context.me_id(), account_id, generation)


def _next(work: _Work) -> Claim:
    """Return the claim as it is to be sent; a generation that was begun already is gone on with."""
    claim, begun = work.claim, work.claim.generation + (work.claim.state == "filed")
    generation, now = max(len(work.reports) + 1, begun), work.context.clock()
    return Claim(
        claim.account_id,
        _marker(work.context, claim.account_id, generation),
        "sent",
        changed_at=now,
        owner=uuid.uuid4().hex,
        generation=generation,
        rules=work.judgement.verdict.counting_rules,
        reported_at=now,
    )


def _send(work: _Work, before: FiledReport | None, news: News) -> Filing:
    context = work.context
    if work.doubtful_until:
        text = f"Redis was restarted: a report on account {work.claim.account_id} may be under way without its claim"
        raise FilingInDoubt(text, work.doubtful_until)
    sending = _next(work)
    work.permit(sending.marker)
    context.ensure_filing()
    sent = context.claims.send(work.claim, sending)
    if sent is None:
        text = f"another worker files the report on account {sending.account_id}"
        raise FilingInDoubt(text, context.clock() + _BUSY_S)
    try:
        receipt = _post(context, sent, _request(context, work.judgement, sent.marker, before, news))
    except (Deferred, MastodonAuthError) as error:
        # Not sent, or answered with 401, 403 or 429: nothing was filed, so nothing needs to be looked up later.
        context.claims.failed(sent, str(error), context.clock())
        raise
    except (MastodonNotFound, MastodonRefused) as error:
        context.claims.failed(sent, str(error), context.clock())
        context.tally.add(metrics.REPORTS_REFUSED)
        event(log, logging.WARNING, "report_refused", account_id=sent.account_id, reason=str(error))
        return Filing("gone" if isinstance(error, MastodonNotFound) else "refused", marker=sent.marker, why=str(error))
    context.claims.filed(sent, receipt.report_id, context.clock())
    context.tally.add(metrics.REPORTS_FILED)
    return Filing("filed", receipt.report_id, sent.marker, sent.generation, sent.rules)


def _post(context: Context, sent: Claim, request: ReportRequest) -> Receipt:
    """File it; if a post is gone by now, once more without posts (Mastodon then refuses the whole report)."""
    mastodon = context.mastodon("report")
    _in_time(context, sent)
    try:
        return mastodon.file_report(request)
    except (MastodonNotFound, MastodonRefused):
        if not request.status_ids:
            raise
    _in_time(context, sent)
    return mastodon.file_report(replace(request, status_ids=()))


def _in_time(context: Context, sent: Claim) -> None:
    """Send nothing for a claim that others will soon believe settled: this worker stood still in between."""
    if context.clock() - sent.changed_at > LATE_S + context.settings.request_timeout:
        text = f"the report on account {sent.account_id} was held up before it was sent"
        raise FilingInDoubt(text, context.clock() + _BUSY_S)


def _request(
    context: Context, judgement: Judgement, marker: str, before: FiledReport | None, news: News
) -> ReportRequest:
    verdict = judgement.verdict
    # What is new first: moderators have seen the rest.
    attached = tuple(dict.fromkeys((*news.status_ids, *verdict.status_ids)))[:ATTACHED_MAX]
    comment = render(
        verdict,
        judgement.account,
        report_at=context.settings.report_threshold,
        marker=marker,
        attached=len(attached),
        posts_seen=len(judgement.statuses),
        now=datetime.fromtimestamp(context.clock(), UTC),
        again=f"Reported before (report {before.id}, resolved). New since: {news}." if before else "",
        action=judgement.action,
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
