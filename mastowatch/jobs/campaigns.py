"""Counts what accounts have in common, and has those judged again that came before enough others had."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial

from mastowatch.jobs.context import Context
from mastowatch.logs import event
from mastowatch.ports.types import Account, Sighting, Status

log = logging.getLogger(__name__)


def note(
    context: Context, account: Account, statuses: Sequence[Status], now: datetime
) -> Mapping[Sighting, tuple[str, ...]]:
    """Note what the account shows, and return which accounts showed the same.

    Where the account makes a campaign of it, the others are queued: they were judged when they were too few.
    """
    sightings = context.rules.sightings(account, statuses, now)
    if not sightings:
        return {}
    known = context.campaigns.note(sightings, account.id, now.timestamp())
    reached = context.rules.reached(known)
    woken = context.campaigns.woken(reached) if reached else frozenset()
    for one in reached:
        if one not in woken:
            others = [member for member in known[one] if member != account.id]
            context.campaigns.wake(one, partial(_queue, context, others))
            event(log, logging.INFO, "campaign_found", rule=one.rule_id, same=one.same, accounts=len(known[one]))
    return known


def _queue(context: Context, account_ids: Iterable[str]) -> None:
    for account_id in account_ids:
        context.jobs.analyze_again(account_id)
