"""Which rules have been dropped to shadow, in memory: as redis_rule_switches does, gone with the process."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock

from mastowatch.adapters.redis_rule_switches import WHY_MAX
from mastowatch.ports.types import EVERY_RULE, Dropped, DroppedBy


class MemoryRuleSwitches:
    """Dropped rules by id, and when each was last re-armed."""

    def __init__(self) -> None:
        self._dropped: dict[str, Dropped] = {}
        self._rearmed: dict[str, float] = {}
        self._told: dict[str, float] = {}
        self._lock = Lock()

    def shadowed(self) -> Mapping[str, Dropped]:
        """See the port."""
        with self._lock:
            return {rule_id: one for rule_id, one in self._dropped.items() if rule_id != EVERY_RULE}

    def paused(self) -> Dropped | None:
        """See the port."""
        return self._dropped.get(EVERY_RULE)

    def drop(self, rule_id: str, why: str, by: DroppedBy, now: float) -> bool:
        """See the port."""
        with self._lock:
            one = Dropped(rule_id, why[:WHY_MAX], by, now)
            return self._dropped.setdefault(rule_id, one) is one

    def rearm(self, rule_id: str, now: float) -> bool:
        """See the port."""
        with self._lock:
            if self._dropped.pop(rule_id, None) is None:
                return False
            self._rearmed[rule_id] = now
            return True

    def rearmed_at(self, rule_id: str) -> float:
        """See the port."""
        return self._rearmed.get(rule_id, 0.0)

    def rearmed(self) -> frozenset[str]:
        """See the port."""
        return frozenset(self._rearmed)

    def untold(self) -> tuple[Dropped, ...]:
        """See the port."""
        with self._lock:
            return tuple(one for one in self._dropped.values() if self._told.get(one.rule_id) != one.at)

    def told(self, dropped: Dropped) -> None:
        """See the port."""
        self._told[dropped.rule_id] = dropped.at
