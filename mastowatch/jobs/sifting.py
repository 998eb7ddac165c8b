"""Which of the posts that were seen are worth a judgement, and the hand-over of those, each once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from mastowatch import metrics
from mastowatch.jobs.context import Context
from mastowatch.jobs.queues import IDS_MAX, is_id
from mastowatch.ports.types import Sighted

# Judgement fetches an author's newest posts anyway; naming a few makes sure that these are among them.
POSTS_PER_AUTHOR = 3


def wanted(context: Context, seen: Iterable[Sighted]) -> list[Sighted]:
    """Return the posts that, with what is known of their author, meet some rule's conditions; asks nobody."""
    now = datetime.fromtimestamp(context.clock(), UTC)
    return [one for one in seen if _may_be_judged(one) and context.rules.screen_posts(one.account, [one.status], now)]


def hand_on(context: Context, found: Sequence[Sighted]) -> int:
    """Queue the judgement of the posts that were not handed on before; return how many.

    They are remembered after they were queued: who dies between does it twice rather than never.
    """
    fresh = context.handed_on.fresh(one.version for one in found)
    chosen = _few_of_each([one for one in found if one.version in fresh])
    for start in range(0, len(chosen), IDS_MAX):
        batch = chosen[start : start + IDS_MAX]
        context.jobs.submit("process_new_statuses", {"status_ids": [one.status.id for one in batch]})
        context.handed_on.remember((one.version for one in batch), context.clock())
    if chosen:
        context.tally.add(metrics.POSTS_HANDED_ON, len(chosen))
    return len(chosen)


def _may_be_judged(one: Sighted) -> bool:
    account = one.account
    return not account.suspended and not account.staff and is_id(account.id) and is_id(one.status.id)


def _few_of_each(found: Iterable[Sighted]) -> list[Sighted]:
    """Return the newest few of each author, an author's together, each post once."""
    by_author: dict[str, dict[str, Sighted]] = {}
    for one in sorted(found, key=lambda one: int(one.status.id), reverse=True):
        theirs = by_author.setdefault(one.account.id, {})
        if len(theirs) < POSTS_PER_AUTHOR:
            theirs[one.status.id] = one
    return [one for theirs in by_author.values() for one in theirs.values()]
