"""The stores of ``mastowatch.ports.store`` in memory, for tests and rehearsals: gone with the process, never away.

One suite holds these and the ones in Redis to the same behaviour: tests/contract/test_stores.py.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from threading import Lock

from mastowatch.ports.types import Case, Claim, Counters, QueuePoint, SwitchName, SwitchState

CASES_MAX = 5000
POINTS_MAX = 20160


class MemoryClaims:
    """Claims by account id; safe between threads, as the ones in Redis are between processes."""

    def __init__(self) -> None:
        self._claims: dict[str, Claim] = {}
        self._lock = Lock()

    def get(self, account_id: str) -> Claim | None:
        """See the port."""
        return self._claims.get(account_id)

    def plan(self, account_id: str, marker: str, now: float) -> Claim:
        """See the port."""
        return self._claims.setdefault(account_id, Claim(account_id, marker, "planned", now))

    def steady_since(self, now: float) -> float:
        """See the port: memory is lost with its process, never behind its back."""
        del now
        return 0.0

    def send(self, expect: Claim, sending: Claim) -> Claim | None:
        """See the port."""
        with self._lock:
            found = self._claims.get(expect.account_id)
            if found is None or _step(found) != _step(expect):
                return None
            self._claims[expect.account_id] = sending
            return sending

    def filed(self, claim: Claim, report_id: str, now: float) -> None:
        """See the port."""
        filed = replace(claim, state="filed", report_id=report_id, changed_at=now)
        with self._lock:
            found = self._claims.get(claim.account_id)
            if found is None or found.generation <= claim.generation:
                self._claims[claim.account_id] = filed

    def failed(self, claim: Claim, reason: str, now: float) -> None:
        """See the port."""
        with self._lock:
            found = self._claims.get(claim.account_id)
            if found is not None and (found.state, found.owner) == ("sent", claim.owner):
                self._claims[claim.account_id] = replace(found, state="failed", reason=reason, changed_at=now)


def _step(claim: Claim) -> tuple[str, float, str]:
    return claim.state, claim.changed_at, claim.owner


class MemoryCursors:
    """Ids by the name of a walk."""

    def __init__(self) -> None:
        self._cursors: dict[str, str] = {}

    def get(self, name: str) -> str | None:
        """See the port."""
        return self._cursors.get(name)

    def set(self, name: str, value: str) -> None:
        """See the port."""
        self._cursors[name] = value

    def clear(self, name: str) -> None:
        """See the port."""
        self._cursors.pop(name, None)


class MemoryLocks:
    """Owners and ends by the name of a lock; ``clock`` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: dict[str, tuple[str, float]] = {}
        self._lock = Lock()

    def acquire(self, name: str, owner: str, ttl_s: float) -> bool:
        """See the port."""
        with self._lock:
            holder, until = self._held.get(name, (owner, 0.0))
            if holder != owner and until > self._clock():
                return False
            self._held[name] = owner, self._clock() + ttl_s
            return True

    def release(self, name: str, owner: str) -> None:
        """See the port."""
        with self._lock:
            if self._held.get(name, ("", 0.0))[0] == owner:
                del self._held[name]


class MemoryJudged:
    """Fingerprints by account id; kept for good, as no rehearsal lasts a week."""

    def __init__(self) -> None:
        self._fingerprints: dict[str, str] = {}

    def fingerprints(self, account_ids: Iterable[str]) -> dict[str, str]:
        """See the port."""
        return {one: self._fingerprints[one] for one in account_ids if one in self._fingerprints}

    def remember(self, account_id: str, fingerprint: str) -> None:
        """See the port."""
        self._fingerprints[account_id] = fingerprint


class MemoryCases:
    """Cases by account id, the newest ``at_most`` of them."""

    def __init__(self, *, at_most: int = CASES_MAX) -> None:
        self._at_most = at_most
        self._cases: dict[str, Case] = {}

    def put(self, case: Case) -> None:
        """See the port."""
        self._cases[case.account_id] = case
        for old in self.latest(len(self._cases), self._at_most):
            del self._cases[old.account_id]

    def get(self, account_id: str) -> Case | None:
        """See the port."""
        return self._cases.get(account_id)

    def latest(self, limit: int, offset: int = 0) -> tuple[Case, ...]:
        """See the port."""
        # Redis sorts equals by their name as well.
        newest = sorted(self._cases.values(), key=lambda case: (case.judged_at, case.account_id), reverse=True)
        return tuple(newest[offset : offset + max(0, limit)])

    def older(self, than: tuple[float, str] | None, limit: int) -> tuple[Case, ...]:
        """See the port."""
        newest = self.latest(len(self._cases))
        return tuple(one for one in newest if than is None or (one.judged_at, one.account_id) < than)[: max(0, limit)]

    def count(self) -> int:
        """See the port."""
        return len(self._cases)


class MemorySwitches:
    """How each switch stands, by its name; absent until somebody turns it."""

    def __init__(self) -> None:
        self._states: dict[SwitchName, SwitchState] = {}

    def panic_stop(self) -> bool:
        """See the port."""
        return self._is_on("panic_stop")

    def set_panic_stop(self, *, on: bool, by: str, now: float) -> None:
        """See the port."""
        self._states["panic_stop"] = SwitchState(on, by, now)

    def describe_panic_stop(self) -> str:
        """See the port."""
        state = self._states.get("panic_stop")
        if state is None or not state.on:
            return "off"
        return f"on since {datetime.fromtimestamp(state.at, UTC):%Y-%m-%d %H:%M:%S} UTC by {state.by}"

    def dry_run(self) -> bool:
        """See the port."""
        return self._is_on("dry_run")

    def set_dry_run(self, *, on: bool, by: str, now: float) -> None:
        """See the port."""
        self._states["dry_run"] = SwitchState(on, by, now)

    def state(self, name: SwitchName) -> SwitchState | None:
        """See the port."""
        return self._states.get(name)

    def _is_on(self, name: SwitchName) -> bool:
        state = self._states.get(name)
        return state is not None and state.on


class MemoryTally:
    """Counters by name."""

    def __init__(self) -> None:
        self._counters: Counter[str] = Counter()

    def add(self, name: str, amount: int = 1) -> None:
        """See the port."""
        self._counters[name] += amount

    def add_all(self, amounts: Counters) -> None:
        """See the port."""
        self._counters.update(amounts)

    def read(self) -> Counters:
        """See the port."""
        return dict(self._counters)


class MemoryHistory:
    """Points by queue, the newest POINTS_MAX of each."""

    def __init__(self) -> None:
        self._points: dict[str, deque[QueuePoint]] = {}

    def record(self, points: Iterable[QueuePoint]) -> None:
        """See the port."""
        for point in points:
            self._points.setdefault(point.queue, deque(maxlen=POINTS_MAX)).append(point)

    def recent(self, queue: str, limit: int) -> tuple[QueuePoint, ...]:
        """See the port."""
        points = self._points.get(queue, ())
        return tuple(points)[-limit:] if limit > 0 else ()
