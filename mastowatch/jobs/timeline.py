"""Looks at the public timeline: instead of the stream where there is none, and for what it missed after a break.

How far all is seen is a mark in time, under one lock: whoever holds it sees to the timeline, the stream or a look.
A remote post's id carries the time at which its author wrote it, and it may come in later, so that a walk begins some
time before the mark. What was handed on already is not handed on again. See docs/explanation/request-budget.md.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass

from mastowatch import metrics
from mastowatch.errors import BudgetExhausted, MastodonAuthError, MastodonNotFound, MastodonRefused
from mastowatch.jobs import sifting
from mastowatch.jobs.context import Context
from mastowatch.jobs.queues import is_id
from mastowatch.logs import event
from mastowatch.ports.types import Sighted

log = logging.getLogger(__name__)

# Longer than one page can take with all its tries, and than the stream takes from one renewal to the next.
LOCK_S = 60.0
# How far before the mark a walk begins: after a break of the stream, and between two looks.
OVERLAP_S, SHORT_OVERLAP_S = 600.0, 120.0
# A gap longer than this is left to the polls of accounts.
GAP_MAX_S = 3600.0
# A longer walk goes on at the next look.
PAGES_MAX = 10
TELL_EVERY_S = 86_400.0


@dataclass
class Progress:
    """What a look did: posts seen and handed on, pages walked beside the newest."""

    seen: int = 0
    handed_on: int = 0
    pages: int = 0
    ended: str = "complete"

    def as_result(self) -> dict[str, int | str]:
        """Return it as the job's JSON result."""
        return {"seen": self.seen, "handed_on": self.handed_on, "pages": self.pages, "ended": self.ended}


class Marks:
    """Until when (epoch seconds) the public posts were all seen, kept apart for stream and looks."""

    def __init__(self, context: Context) -> None:
        which = context.settings.public_posts
        self._context = context
        self.lock = f"timeline:{which}"
        self._streamed, self._looked, self._walk = (
            f"timeline:{which}:{name}" for name in ("streamed", "looked", "walk")
        )

    @property
    def streamed(self) -> float:
        """When the stream had seen all, or 0."""
        return self._time(self._streamed)

    @property
    def seen(self) -> float:
        """When either had, or 0."""
        return max(self.streamed, self._time(self._looked))

    @property
    def walk(self) -> int:
        """The id that a walk which could not be finished has reached, or 0."""
        saved = self._context.cursors.get(self._walk)
        return int(saved) if saved is not None and is_id(saved) else 0

    def set_streamed(self, at: float) -> None:
        """Note that the stream has seen all until then."""
        self._context.cursors.set(self._streamed, repr(at))

    def set_looked(self, at: float) -> None:
        """Note that a look, whose walk is over, has seen all until then."""
        self._context.cursors.set(self._looked, repr(at))
        self._context.cursors.clear(self._walk)

    def set_walk(self, reached: int) -> None:
        """Let the walk go on from here."""
        self._context.cursors.set(self._walk, str(reached))

    def _time(self, name: str) -> float:
        try:
            return float(self._context.cursors.get(name) or 0)
        except ValueError:
            return 0.0


def look(context: Context) -> Progress:
    """Look once; raises Stopped, and MastodonError for what the next look can't simply make good."""
    context.ensure_running()
    one = _Look(context)
    if full := context.jobs.full():
        # The mark stands where it stood: a later look begins there.
        one.progress.ended = f"{full}; a later look goes on"
        return one.progress
    if not one.still_mine():
        one.progress.ended = "the stream, or another look, sees to it"
        return one.progress
    try:
        one.run()
    except BudgetExhausted as error:
        # How far it came is saved: the next look goes on from there.
        one.progress.ended = f"no budget: {error}"
    except (MastodonAuthError, MastodonNotFound, MastodonRefused) as error:
        # Some servers show their timelines to nobody, or to staff alone: no reason for an error each minute.
        one.progress.ended = f"refused: {error}"
        if context.locks.acquire(f"{one.marks.lock}:refused", one.owner, TELL_EVERY_S):
            hint = "POLL_PUBLIC_TIMELINE_INTERVAL=0 ends these looks"
            event(log, logging.WARNING, "timeline_refused", error=str(error), hint=hint)
    finally:
        context.locks.release(one.marks.lock, one.owner)
    event(log, logging.DEBUG, "looked_at_timeline", progress=one.progress.as_result())
    return one.progress


class Coverage:
    """The stream's side: while it has missed nothing it holds the lock and moves the mark on; else it asks for a look.

    ``owner`` names the process.
    """

    def __init__(self, context: Context, owner: str) -> None:
        self._context, self._owner, self._marks = context, owner, Marks(context)

    def extend(self, since: float, now: float) -> bool:
        """Note that all posts from ``since`` to ``now`` came in; return whether nothing before them is missing."""
        seen = self._marks.seen
        if (seen and seen < since) or not self._context.locks.acquire(self._marks.lock, self._owner, LOCK_S):
            self._context.jobs.submit("poll_public_timeline")
            return False
        self._marks.set_streamed(now)
        return True

    def end(self) -> None:
        """Leave it to others: something will be missing from now on."""
        self._context.locks.release(self._marks.lock, self._owner)


class _Look:
    """One look at the public timeline."""

    def __init__(self, context: Context) -> None:
        self.context, self.marks = context, Marks(context)
        self.progress = Progress()
        self.owner = uuid.uuid4().hex
        which = context.settings.public_posts
        self.local, self.remote = which != "remote", which != "local"

    def still_mine(self) -> bool:
        """Hold the lock for another page."""
        return self.context.locks.acquire(self.marks.lock, self.owner, LOCK_S)

    def run(self) -> None:
        """Look at the newest page, then walk up to it from some time before the mark."""
        began, seen = self.context.clock(), self.marks.seen
        newest = self._page(None)
        if newest and seen and not self._walk(self._start(began, seen), int(newest[-1].status.id)):
            return
        self.marks.set_looked(began)

    def _start(self, began: float, seen: float) -> int:
        overlap = OVERLAP_S if seen == self.marks.streamed else SHORT_OVERLAP_S
        earliest = began - GAP_MAX_S
        if seen < earliest:
            event(log, logging.INFO, "timeline_gap_cut", gap_s=round(began - seen), looked_at_s=round(GAP_MAX_S))
        return max(id_at(max(seen - overlap, earliest)), self.marks.walk)

    def _walk(self, reached: int, top: int) -> bool:
        """Walk up from an id to another, saving each step; return whether it came there."""
        while reached < top:
            if self.progress.pages >= PAGES_MAX:
                self.progress.ended = "more posts than one look may walk; the next goes on"
                return False
            self.context.ensure_running()
            if not self.still_mine():
                self.progress.ended = "another look has taken over"
                return False
            page = self._page(str(reached))
            self.progress.pages += 1
            if not page:
                break
            reached = int(page[0].status.id)
            self.marks.set_walk(reached)
        return True

    def _page(self, min_id: str | None) -> tuple[Sighted, ...]:
        mastodon = self.context.mastodon("timeline")
        page = mastodon.public_timeline(local=self.local, remote=self.remote, min_id=min_id)
        self.progress.seen += len(page)
        self.progress.handed_on += sifting.hand_on(self.context, sifting.wanted(self.context, page))
        if page:
            self.context.tally.add(metrics.POSTS_SEEN, len(page))
        return page


def id_at(at: float) -> int:
    """Return the least id that Mastodon gives a post of that time (epoch seconds): the upper bits are milliseconds.

    A server whose ids carry no time has smaller ones: there a look is at the newest page alone.
    """
    return int(at * 1000) << 16
