"""How the accounts judged of late looked, in memory: for tests and rehearsals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mastowatch.adapters.redis_posts import DAYS_MAX, POSTS_MAX, kept
from mastowatch.ports.types import Account, Look, Status


class MemoryRecentPosts:
    """Looks by account id, the oldest first."""

    def __init__(self, *, at_most: int = POSTS_MAX, days: int = DAYS_MAX) -> None:
        self._at_most, self._ttl_s = at_most, days * 86_400
        self._looks: dict[str, Look] = {}

    def remember(self, account: Account, statuses: Iterable[Status], now: float) -> None:
        """See the port."""
        self._looks.pop(account.id, None)
        self._looks[account.id] = Look(account, kept(statuses, self._at_most), now)
        self._looks = {key: one for key, one in self._looks.items() if one.at >= now - self._ttl_s}
        for key in list(self._looks):
            if self.count()[1] > self._at_most:
                del self._looks[key]

    def since(self, at: float) -> Iterator[Look]:
        """See the port."""
        yield from sorted((one for one in self._looks.values() if one.at >= at), key=lambda one: one.at)

    def get(self, account_id: str) -> Look | None:
        """See the port."""
        return self._looks.get(account_id)

    def find(self, acct: str) -> Look | None:
        """See the port."""
        return next((one for one in self._looks.values() if one.account.acct.lower() == acct.lower()), None)

    def count(self) -> tuple[int, int]:
        """See the port."""
        return len(self._looks), sum(max(1, len(one.statuses)) for one in self._looks.values())
