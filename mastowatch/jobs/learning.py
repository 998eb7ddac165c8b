"""Keeps what a judgement teaches: how the account looked, which rules hit it, and which report was filed."""

from __future__ import annotations

from mastowatch.jobs.context import Context
from mastowatch.jobs.filing import Judgement
from mastowatch.ports.types import Case, OpenReport

# The first look at what became of a report; moderators sleep, and the budget is for judging.
FIRST_LOOK_S = 600


def note(context: Context, judgement: Judgement, case: Case) -> None:
    """Keep it. Called last: who dies before it judges the account again, and all of this counts once."""
    now = context.clock()
    context.posts.remember(judgement.account, judgement.statuses, now)
    hits = {reason.rule_id: reason.shadow for reason in case.reasons}
    if hits:
        context.rule_stats.hits(case.account_id, hits, now)
    if case.outcome == "filed" and case.report_id:
        reported = tuple(rule_id for rule_id, shadow in hits.items() if not shadow)
        status_id = case.status_ids[0] if case.status_ids else ""
        context.rule_stats.filed(
            OpenReport(case.report_id, case.account_id, reported, now, status_id), now + FIRST_LOOK_S
        )
