"""Counts reports in sliding windows, and holds accounts, in memory: as redis_quotas does, gone with the process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock

from mastowatch.adapters.redis_quotas import DAY_S, HELD_MAX, HOUR_S
from mastowatch.ports.types import Full, Quota


class MemoryQuotas:
    """Times by report, by scope; kept for good, as no rehearsal lasts a day."""

    def __init__(self) -> None:
        self._taken: dict[str, dict[str, float]] = {}
        self._lock = Lock()

    def take(self, key: str, quotas: Sequence[Quota], now: float) -> tuple[Full, ...]:
        """See the port."""
        with self._lock:
            missing = [one for one in quotas if key not in self._taken.get(one.scope, {})]
            full = tuple(found for one in missing if (found := self._full(one, now)) is not None)
            if not full:
                for one in missing:
                    self._taken.setdefault(one.scope, {})[key] = now
            return full

    def clear(self, scope: str) -> None:
        """See the port."""
        with self._lock:
            self._taken.pop(scope, None)

    def _full(self, quota: Quota, now: float) -> Full | None:
        times = self._taken.get(quota.scope, {}).values()
        if sum(at > now - HOUR_S for at in times) >= quota.per_hour:
            return Full(quota.scope, "hour", quota.per_hour)
        if sum(at > now - DAY_S for at in times) >= quota.per_day:
            return Full(quota.scope, "day", quota.per_day)
        return None


class MemoryHeld:
    """Account ids by scope, by when they were held last; the newest ``at_most`` of each."""

    def __init__(self, *, at_most: int = HELD_MAX) -> None:
        self._at_most = at_most
        self._held: dict[str, dict[str, float]] = {}

    def hold(self, scope: str, account_id: str, now: float) -> None:
        """See the port."""
        held = self._held.setdefault(scope, {})
        held[account_id] = max(now, held.get(account_id, now))
        while len(held) > self._at_most:
            del held[min(held, key=lambda one: (held[one], one))]

    def waiting(self, scope: str) -> Mapping[str, float]:
        """See the port."""
        held = self._held.get(scope, {})
        return {one: held[one] for one in sorted(held, key=lambda one: (held[one], one))}

    def release(self, scope: str, account_id: str, held_at: float) -> None:
        """See the port."""
        held = self._held.get(scope, {})
        if held.get(account_id, held_at) <= held_at:
            held.pop(account_id, None)
