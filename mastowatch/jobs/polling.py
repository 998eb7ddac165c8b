"""Looks at the accounts a server knows: the newest page first, then the gap below it, then a slow sweep.

Only accounts for which some rule wants to see more cost a request of their own: ``RuleSet.screen`` decides from
the page itself, and a fingerprint remembers what was judged already. Cursors: ``<origin>:head`` is the highest
id below which no newcomer is missing, ``<origin>:sweep`` where the sweep goes on.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from mastowatch import metrics
from mastowatch.errors import BudgetExhausted
from mastowatch.jobs.context import Context
from mastowatch.jobs.queues import LOCAL_MORE, is_id
from mastowatch.logs import event
from mastowatch.ports.types import Account, Origin

log = logging.getLogger(__name__)

# Longer than one page can take with all its tries; each page begins it anew. A poll that died blocks no longer.
POLL_LOCK_S = 60
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


def fingerprint(account: Account, judged_by: str) -> str:
    """Return what tells whether anything has changed since the last judgement; see ``Context.judged_by``."""
    seen = (
        account.display_name,
        account.note_html,
        *(f"{field.name}={field.value_html}" for field in account.fields),
        str(account.statuses),
        str(account.last_status_at),
        judged_by,
    )
    return hashlib.sha256("\0".join(seen).encode(errors="replace")).hexdigest()[:16]


def poll(context: Context, origin: Origin) -> Progress:
    """Look once; raises MastodonError for what the next poll can't simply make good."""
    context.ensure_running()
    one = _Poll(context, origin)
    if not one.still_mine():
        one.progress.ended = "another poll of this origin runs"
        return one.progress
    try:
        one.look()
    except BudgetExhausted as error:
        # The cursors are saved: the next poll goes on from them.
        one.progress.ended = f"no budget: {error}"
    finally:
        context.locks.release(one.lock, one.owner)
    event(log, logging.DEBUG, "polled", origin=origin, progress=one.progress.as_result())
    return one.progress


class _Poll:
    """One look at the accounts of an origin."""

    def __init__(self, context: Context, origin: Origin) -> None:
        self.context, self.origin = context, origin
        self.progress = Progress()
        self.lock, self.owner = f"poll:{origin}", uuid.uuid4().hex
        self.head, self.sweep_at = f"{origin}:head", f"{origin}:sweep"

    def still_mine(self) -> bool:
        """Hold the lock for another page."""
        return self.context.locks.acquire(self.lock, self.owner, POLL_LOCK_S)

    def look(self) -> None:
        """Look at the newest page, close the gap below it, and sweep on."""
        full = self._full()
        if full and (self.origin != "local" or self.context.jobs.full(LOCAL_MORE)):
            return
        newest = self.context.mastodon("poll").newest_accounts(self.origin)
        # Whoever signs up here comes before what has filled the queue from elsewhere.
        _hand_on(self.context, newest.accounts, self.progress, at_front=full)
        if full:
            return
        if not newest.accounts:
            if self._cursor(self.head) is None:
                # Nobody is known yet: whoever comes is a newcomer, however many come at once.
                self.context.cursors.set(self.head, "0")
            return
        self._close_gap(newest.accounts)
        if newest.full:
            self._sweep(_lowest(newest.accounts))

    def _close_gap(self, newest: tuple[Account, ...]) -> None:
        """Walk up from the head until it meets the newest page, saving each step."""
        cursors, lowest = self.context.cursors, _number(_lowest(newest))
        head = self._cursor(self.head)
        if head is None or _number(head) >= lowest:
            cursors.set(self.head, _highest(newest))
            return
        while _number(head) < lowest:
            if self.progress.walked_pages >= WALK_PAGES_MAX:
                self.progress.ended = "more accounts than one poll may walk; the next goes on"
                return
            if not self._may_go_on():
                return
            page = self.context.mastodon("poll").accounts_above(self.origin, head)
            _hand_on(self.context, page.accounts, self.progress)
            self.progress.walked_pages += 1
            if not page.accounts:
                break
            head = _highest(page.accounts)
            cursors.set(self.head, head)
        cursors.set(self.head, max(head, _highest(newest), key=_number))

    def _sweep(self, top: str) -> None:
        """Go on through all known accounts, a few pages each time, and begin anew at the end."""
        cursors = self.context.cursors
        for _ in range(self.context.settings.sweep_pages_per_poll):
            if not self._may_go_on():
                return
            page = self.context.mastodon("sweep").accounts_below(self.origin, self._cursor(self.sweep_at) or top)
            _hand_on(self.context, page.accounts, self.progress)
            self.progress.swept_pages += 1
            if not page.accounts or not page.full:
                cursors.clear(self.sweep_at)
                self.context.tally.add(metrics.sweeps_of(self.origin))
                return
            cursors.set(self.sweep_at, _lowest(page.accounts))

    def _cursor(self, name: str) -> str | None:
        """Return a saved cursor; one that is no id would end every poll, so it is taken for none."""
        saved = self.context.cursors.get(name)
        return saved if saved is not None and is_id(saved) else None

    def _full(self) -> bool:
        """Tell whether so many judgements wait that no more are looked for; the cursors tell where to go on."""
        if full := self.context.jobs.full():
            self.progress.ended = f"{full}; a later poll goes on"
        return bool(full)

    def _may_go_on(self) -> bool:
        self.context.ensure_running()
        if self._full():
            return False
        if self.still_mine():
            return True
        self.progress.ended = "another poll of this origin has taken over"
        return False


def _hand_on(context: Context, accounts: Iterable[Account], progress: Progress, *, at_front: bool = False) -> None:
    """Queue the judgement of those that a rule wants to see and that have changed since the last one."""
    seen = [account for account in accounts if not account.suspended and is_id(account.id)]
    now = datetime.fromtimestamp(context.clock(), UTC)
    wanted = [account for account in seen if not account.staff and context.rules.screen(account, now)]
    known = context.judged.fingerprints(account.id for account in wanted)
    judged_by = context.judged_by()
    fresh = [one for one in wanted if known.get(one.id) != fingerprint(one, judged_by)]
    handed_on = sum(context.jobs.analyze(account.id, at_front=at_front) for account in fresh)
    progress.seen += len(seen)
    progress.handed_on += handed_on
    context.tally.add(metrics.ACCOUNTS_SEEN, len(seen))
    context.tally.add(metrics.ACCOUNTS_SCREENED, handed_on)


def _number(account_id: str) -> int:
    return int(account_id)


def _lowest(accounts: tuple[Account, ...]) -> str:
    return min((account.id for account in accounts), key=_number)


def _highest(accounts: tuple[Account, ...]) -> str:
    return max((account.id for account in accounts), key=_number)
