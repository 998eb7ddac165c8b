"""Keeps what a judgement teaches: how the account looked, which rules hit it, and which report was filed."""

from __future__ import annotations

from mastowatch.domain.enforcement import in_force
from mastowatch.jobs.context import Context
from mastowatch.jobs.filing import Judgement
from mastowatch.ports.types import Case, OpenReport

# The first look at what became of a report; moderators sleep, and the budget is for judging.
FIRST_LOOK_S = 600


def note(context: Context, judgement: Judgement, case: Case) -> None:
    """Keep it. Called last: who dies before it judges the account again, and all of this counts once."""
    now = context.clock()
    context.posts.remember(judgement.account, judgement.statuses, now)
    hits = {reason.rule_id: reason.shadow for reason in judgement.verdict.reasons}
    if hits:
        context.rule_stats.hits(case.account_id, hits, now)
    # What hit after the report was filed is in the case, and not in what moderators decide on.
    if case.report_id and case.reported:
        status_id = case.status_ids[0] if case.status_ids else ""
        before = tuple(sorted(in_force(judgement.account)))
        report = OpenReport(case.report_id, case.account_id, case.reported, now, status_id, before)
        context.rule_stats.filed(report, now + FIRST_LOOK_S)
