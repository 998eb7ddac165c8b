"""Holds posts for a moment, so that they go on in batches, and those of a busy author go on together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mastowatch.jobs.queues import IDS_MAX
from mastowatch.jobs.sifting import POSTS_PER_AUTHOR
from mastowatch.ports.types import Sighted

WAIT_S = 1.0
# An author who was handed on waits so long for the next time: each time costs two requests.
AGAIN_S = 60.0
AUTHORS_MAX = 2000


@dataclass
class Hold:
    """Posts by author. Times are seconds of any clock that never goes back."""

    authors_max: int = AUTHORS_MAX
    _held: dict[str, list[Sighted]] = field(default_factory=dict)
    _due: dict[str, float] = field(default_factory=dict)
    _handed_on: dict[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    def add(self, posts: Iterable[Sighted], now: float) -> bool:
        """Hold ``posts``; return False if some of them found no room."""
        room = True
        for one in posts:
            author = one.account.id
            if author not in self._held and len(self._held) >= self.authors_max:
                room = False
                continue
            self._due.setdefault(author, max(now + WAIT_S, self._handed_on.get(author, -AGAIN_S) + AGAIN_S))
            theirs = self._held.setdefault(author, [])
            theirs.append(one)
            del theirs[:-POSTS_PER_AUTHOR]
        return room

    def ripe(self, now: float, *, all_of_them: bool = False) -> list[Sighted]:
        """Return what is to go on now; it stays held until ``let_go``."""
        waiting = [author for author, due in self._due.items() if due <= now + WAIT_S]
        if sum(len(self._held[author]) for author in waiting) < IDS_MAX:
            waiting = [author for author in waiting if self._due[author] <= now]
        return [one for author in (self._held if all_of_them else waiting) for one in self._held[author]]

    def let_go(self, posts: Iterable[Sighted], now: float) -> None:
        """Forget ``posts``, which went on."""
        for author in {one.account.id for one in posts}:
            self._held.pop(author, None)
            self._due.pop(author, None)
            self._handed_on[author] = now
        self._handed_on = {author: at for author, at in self._handed_on.items() if at > now - AGAIN_S}
