"""Every decision, in memory: as redis_audit keeps them, gone with the process."""

from __future__ import annotations

from collections import deque

from mastowatch.adapters.redis_audit import ENTRIES_MAX
from mastowatch.ports.types import AuditEntry


class MemoryAudit:
    """The newest ``at_most`` entries."""

    def __init__(self, *, at_most: int = ENTRIES_MAX) -> None:
        self._entries: deque[AuditEntry] = deque(maxlen=at_most)

    def add(self, entry: AuditEntry) -> None:
        """See the port."""
        self._entries.append(entry)

    def recent(self, limit: int) -> tuple[AuditEntry, ...]:
        """See the port."""
        newest_first = tuple(reversed(self._entries))
        return newest_first[: max(0, limit)]

    def older(self, than: str | None, limit: int) -> tuple[tuple[str, AuditEntry], ...]:
        """See the port. A place is the number of an entry, written as Redis writes its own."""
        placed = [(f"{number}-0", one) for number, one in enumerate(self._entries, start=1)]
        before = len(placed) + 1 if than is None else int(than.partition("-")[0])
        return tuple(reversed(placed[: before - 1]))[: max(0, limit)]

    def count(self) -> int:
        """See the port."""
        return len(self._entries)
