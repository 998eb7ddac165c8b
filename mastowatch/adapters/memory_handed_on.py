"""Which posts were handed on, in memory, for tests and rehearsals."""

from __future__ import annotations

from collections.abc import Iterable

from mastowatch.adapters.redis_handed_on import AT_MOST, KEPT_S


class MemoryHandedOn:
    """Times by version of a post."""

    def __init__(self, *, at_most: int = AT_MOST) -> None:
        self._at_most = at_most
        self._known: dict[str, float] = {}

    def fresh(self, versions: Iterable[str]) -> set[str]:
        """See the port."""
        return {one for one in versions if one not in self._known}

    def remember(self, versions: Iterable[str], now: float) -> None:
        """See the port."""
        self._known.update(dict.fromkeys(versions, now))
        kept = sorted(((at, one) for one, at in self._known.items() if at >= now - KEPT_S), reverse=True)
        self._known = {one: at for at, one in kept[: self._at_most]}
