"""What accounts have in common, in memory: for tests and rehearsals. Held to tests/contract/test_campaigns.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from threading import Lock

from mastowatch.adapters.redis_campaigns import ACCOUNTS_MAX, SIGHTINGS_MAX
from mastowatch.ports.types import Sighting


class MemoryCampaigns:
    """When each account showed a thing last, by the thing."""

    def __init__(self) -> None:
        self._seen: dict[Sighting, dict[str, float]] = {}
        self._woken: set[Sighting] = set()
        self._lock = Lock()

    def note(self, sightings: Iterable[Sighting], account_id: str, now: float) -> Mapping[Sighting, tuple[str, ...]]:
        """See the port."""
        with self._lock:
            return {one: self._note(one, account_id, now) for one in list(sightings)[:SIGHTINGS_MAX]}

    def seen(self, sightings: Iterable[Sighting], now: float) -> Mapping[Sighting, tuple[str, ...]]:
        """See the port."""
        found = {one: self._seen.get(one, {}) for one in list(sightings)[:SIGHTINGS_MAX]}
        return {
            one: tuple(
                who for who, at in sorted(known.items(), key=lambda pair: pair[::-1]) if at >= now - one.within_s
            )
            for one, known in found.items()
        }

    def woken(self, sightings: Iterable[Sighting]) -> frozenset[Sighting]:
        """See the port."""
        return frozenset(self._woken.intersection(sightings))

    def wake(self, sighting: Sighting, queue: Callable[[], None]) -> None:
        """See the port."""
        queue()
        self._woken.add(sighting)

    def _note(self, one: Sighting, account_id: str, now: float) -> tuple[str, ...]:
        known = self._seen.setdefault(one, {})
        known[account_id] = max(known.get(account_id, 0.0), min(one.at, now))
        fresh = sorted((at, who) for who, at in known.items() if at >= now - one.within_s)[-ACCOUNTS_MAX:]
        self._seen[one] = {who: at for at, who in fresh}
        if not fresh:
            self._woken.discard(one)
        return tuple(self._seen[one])
