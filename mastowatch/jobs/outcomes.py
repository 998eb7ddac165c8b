"""Reads back what moderators made of the reports, and drops rules that were wrong too often.

How an outcome is told, and why so: docs/explanation/learning.md.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from mastowatch import metrics
from mastowatch.errors import BudgetExhausted, MastodonError, MastodonNotFound
from mastowatch.jobs import guarding
from mastowatch.jobs.context import Context
from mastowatch.jobs.learning import FIRST_LOOK_S
from mastowatch.logs import event
from mastowatch.ports.types import OpenReport, Outcome

log = logging.getLogger(__name__)

# Reports looked at in one run; with the second request that one may need, a fifth of what a token may ask in 5 minutes.
LOOKS_MAX = 30
# After so many that Mastodon fails at, a run ends: it is not about the report.
FAILURES_MAX = 3
# An older report is looked at less often: after a quarter of its age, at most a day.
_SELDOM_S = 86_400
# What nobody has decided on by then, nobody will.
GIVE_UP_S = 90 * 86_400


@dataclass
class Progress:
    """What a run did."""

    looked_at: int = 0
    kept: int = 0
    rejected: int = 0
    dropped: int = 0
    ended: str = "complete"

    def as_result(self) -> dict[str, int | str]:
        """Return it as the job's JSON result."""
        return {
            "looked_at": self.looked_at,
            "kept": self.kept,
            "rejected": self.rejected,
            "dropped": self.dropped,
            "ended": self.ended,
        }


def read(context: Context) -> Progress:
    """Look at the reports that are due, then at the rules; raises MastodonError for what the next run makes good.

    A report at which Mastodon fails is put off: it keeps neither the others waiting nor a rule from being dropped.
    """
    context.ensure_running()
    progress, errors = Progress(), list[MastodonError]()
    try:
        for report in context.rule_stats.due(context.clock(), LOOKS_MAX):
            try:
                _look(context, report, progress)
            except BudgetExhausted:
                raise
            except MastodonError as error:
                errors.append(error)
                _put_off(context, report)
            if len(errors) == FAILURES_MAX:
                break
    except BudgetExhausted as error:
        progress.ended = f"no budget: {error}"
    # Each time for all rules: whoever died between a decision and the drop is made good.
    progress.dropped = sum(guarding.drop(context, rule_id, why, "precision") for rule_id, why in _imprecise(context))
    if errors:
        raise errors[0]
    return progress


def _look(context: Context, report: OpenReport, progress: Progress) -> None:
    now = context.clock()
    outcome = _outcome(context, report, now)
    progress.looked_at += 1
    if outcome is None:
        _put_off(context, report)
        return
    rearmed_at = {rule_id: context.rule_switches.rearmed_at(rule_id) for rule_id in report.rule_ids}
    if not context.rule_stats.decided(report, outcome, rearmed_at, now):
        return
    if outcome == "kept":
        progress.kept += 1
        context.tally.add(metrics.REPORTS_KEPT)
    elif outcome == "rejected":
        progress.rejected += 1
        context.tally.add(metrics.REPORTS_REJECTED)
    event(log, logging.INFO, "report_decided", report_id=report.report_id, outcome=outcome, rules=report.rule_ids)


def _put_off(context: Context, report: OpenReport) -> None:
    now = context.clock()
    wait_s = min(max((now - report.filed_at) / 4, FIRST_LOOK_S), _SELDOM_S)
    context.rule_stats.look_again(report.report_id, now + wait_s)


def _outcome(context: Context, report: OpenReport, now: float) -> Outcome | None:
    """Return what became of the report, or None while it is open."""
    mastodon = context.mastodon("sweep")
    try:
        found = mastodon.report(report.report_id)
    except MastodonNotFound:
        # A report goes with its account, and the account of a suspended one goes after 30 days.
        return "kept" if _is_account_gone(context, report) else "unknown"
    if not found.resolved:
        return "unknown" if now - report.filed_at > GIVE_UP_S else None
    if found.in_force - set(report.before) or _is_post_gone(context, report):
        return "kept"
    # Nobody limits twice: whoever closed it may have found that enough had been done.
    return "unknown" if found.in_force else "rejected"


def _is_account_gone(context: Context, report: OpenReport) -> bool:
    try:
        return context.mastodon("sweep").account(report.account_id).suspended
    except MastodonNotFound:
        return True


def _is_post_gone(context: Context, report: OpenReport) -> bool:
    """Tell whether the first of its posts was deleted: moderators may delete posts and leave the account alone."""
    if not report.status_id:
        return False
    try:
        context.mastodon("sweep").status(report.status_id)
    except MastodonNotFound:
        return True
    return False


def _imprecise(context: Context) -> Iterator[tuple[str, str]]:
    """Yield the rules of whose reports moderators have kept too few, and how few."""
    reporting = {rule.id: rule for rule in context.rules.rules if rule.mode == "report"}
    for rule_id, record in context.rule_stats.read(reporting).items():
        limits = reporting[rule_id].limits
        if record.kept + record.rejected < limits.precision_after:
            continue
        rearmed_at = context.rule_switches.rearmed_at(rule_id)
        decided, precision = record.decided_since(rearmed_at), record.precision_since(rearmed_at)
        if precision is not None and decided >= limits.precision_after and precision < limits.precision_min:
            share = f"{precision:.0%}, and at least {limits.precision_min:.0%} are asked for"
            yield rule_id, f"moderators kept {record.kept_since} of its {decided} decided reports: {share}"
