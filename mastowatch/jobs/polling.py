"""Looks at the accounts a server knows: the newest page first, then the gap below it, then a slow sweep.

Only accounts for which some rule wants to see more cost a request of their own: ``RuleSet.screen`` decides from
the page itself, and a fingerprint remembers what was judged already. Cursors: ``<origin>:head`` is the highest
id below which no newcomer is missing, ``<origin>:sweep`` where the sweep goes on.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from mastowatch import metrics
from mastowatch.errors import BudgetExhausted
from mastowatch.jobs.context import Context
from mastowatch.logs import event
from mastowatch.ports.types import Account, Origin

log = logging.getLogger(__name__)

# A poll may take this long; the lock of a poll that died is free again after it.
POLL_LOCK_S = 330
# A wave larger than this many pages goes on in the next poll, so that no poll runs into its time limit.
WALK_PAGES_MAX = 50


@dataclass
class Progress:
    """What a poll did: accounts seen on pages, accounts handed on for judgement, pages walked."""

    seen: int = 0
    handed_on: int = 0
    walked_pages: int = 0
    swept_pages: int = 0
    ended: str = "complete"

    def as_result(self) -> dict[str, int | str]:
        """Return it as the job's JSON result."""
        return {
            "seen": self.seen,
            "handed_on": self.handed_on,
            "walked_pages": self.walked_pages,
            "swept_pages": self.swept_pages,
            "ended": self.ended,
        }


def fingerprint(account: Account, rules_digest: str) -> str:
    """Return what tells whether anything a rule can see has changed since the last judgement."""
    seen = (
        account.display_name,
        account.note_html,
        *(f"{field.name}={field.value_html}" for field in account.fields),
        str(account.statuses),
        str(account.last_status_at),
        rules_digest,
    )
    return hashlib.sha256("\0".join(seen).encode(errors="replace")).hexdigest()[:16]


def poll(context: Context, origin: Origin) -> Progress:
    """Look once; raises MastodonError for what the next poll can't simply make good."""
    context.ensure_running()
    progress = Progress()
    lock, owner = f"poll:{origin}", _owner(context)
    if not context.locks.acquire(lock, owner, POLL_LOCK_S):
        progress.ended = "another poll of this origin runs"
        return progress
    try:
        _look(context, origin, progress)
    except BudgetExhausted as error:
        # The cursors are saved: the next poll goes on from them.
        progress.ended = f"no budget: {error}"
    finally:
        context.locks.release(lock, owner)
    event(log, logging.DEBUG, "polled", origin=origin, **progress.as_result())
    return progress


def _look(context: Context, origin: Origin, progress: Progress) -> None:
    newest = context.mastodon("poll").newest_accounts(origin)
    _hand_on(context, newest.accounts, progress)
    if not newest.accounts:
        return
    _close_gap(context, origin, newest.accounts, progress)
    if newest.full:
        _sweep(context, origin, _lowest(newest.accounts), progress)


def _close_gap(context: Context, origin: Origin, newest: tuple[Account, ...], progress: Progress) -> None:
    """Walk up from the head until it meets the newest page, saving each step."""
    name = f"{origin}:head"
    head = context.cursors.get(name)
    if head is None or _number(head) >= _number(_lowest(newest)):
        context.cursors.set(name, _highest(newest))
        return
    while _number(head) < _number(_lowest(newest)):
        if progress.walked_pages >= WALK_PAGES_MAX:
            progress.ended = "more accounts than one poll may walk; the next goes on"
            return
        context.ensure_running()
        page = context.mastodon("poll").accounts_above(origin, head)
        _hand_on(context, page.accounts, progress)
        progress.walked_pages += 1
        if not page.accounts:
            break
        head = _highest(page.accounts)
        context.cursors.set(name, head)
    context.cursors.set(name, max(head, _highest(newest), key=_number))


def _sweep(context: Context, origin: Origin, top: str, progress: Progress) -> None:
    """Go on through all known accounts, a few pages each time, and begin anew at the end."""
    name = f"{origin}:sweep"
    for _ in range(context.settings.sweep_pages_per_poll):
        context.ensure_running()
        page = context.mastodon("sweep").accounts_below(origin, context.cursors.get(name) or top)
        _hand_on(context, page.accounts, progress)
        progress.swept_pages += 1
        if not page.accounts or not page.full:
            context.cursors.clear(name)
            context.tally.add(f"sweeps_{origin}")
            return
        context.cursors.set(name, _lowest(page.accounts))


def _hand_on(context: Context, accounts: Iterable[Account], progress: Progress) -> None:
    """Queue the judgement of those that a rule wants to see and that have changed since the last one."""
    seen = [account for account in accounts if not account.suspended]
    now = datetime.fromtimestamp(context.clock(), UTC)
    wanted = [account for account in seen if not account.staff and context.rules.screen(account, now)]
    known = context.judged.fingerprints(account.id for account in wanted)
    fresh = [one for one in wanted if known.get(one.id) != fingerprint(one, context.rules.digest)]
    handed_on = sum(context.jobs.analyze(account.id) for account in fresh)
    progress.seen += len(seen)
    progress.handed_on += handed_on
    context.tally.add(metrics.ACCOUNTS_SEEN, len(seen))
    context.tally.add(metrics.ACCOUNTS_SCREENED, handed_on)


def _owner(context: Context) -> str:
    return f"{id(context)}-{context.clock()!r}"


def _number(account_id: str) -> int:
    return int(account_id)


def _lowest(accounts: tuple[Account, ...]) -> str:
    return min((account.id for account in accounts), key=_number)


def _highest(accounts: tuple[Account, ...]) -> str:
    return max((account.id for account in accounts), key=_number)
