"""The three runs, in two sizes: CHAOS=long, or else the form for every day."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """A run: ``strikes`` hits at least, one every ``interval_s`` on average, while ``jobs`` are enqueued and worked.

    ``settle_s``: within this time of the last hit everything must be finished. ``limit_s``: hits end by then.
    """

    name: str
    jobs: int
    strikes: int
    interval_s: float
    workers: int = 3
    watchdog_s: float = 4.0
    settle_s: float = 30.0
    limit_s: float = 240.0
    may_interrupt: bool = True

    @property
    def pause_s(self) -> float:
        """The pause after each job enqueued, so that jobs come all the time and not at the strikes' pleasure."""
        return 0.8 * self.interval_s * self.strikes / self.jobs


def long_form() -> bool:
    """Return whether the long form is asked for."""
    return os.environ.get("CHAOS") == "long"


def plans() -> dict[str, Plan]:
    """Return the runs by name."""
    chosen = _LONG if long_form() else _SHORT
    return {plan.name: plan for plan in chosen}


_SHORT = (
    Plan("kills", jobs=1000, strikes=65, interval_s=0.4),
    Plan("sigterm", jobs=300, strikes=40, interval_s=0.25, may_interrupt=False),
    Plan("redis", jobs=600, strikes=6, interval_s=2.0),
)
_LONG = (
    Plan("kills", jobs=10_000, strikes=520, interval_s=0.45, limit_s=900),
    Plan("sigterm", jobs=5_000, strikes=500, interval_s=0.25, limit_s=900, may_interrupt=False),
    Plan("redis", jobs=5_000, strikes=40, interval_s=2.0, limit_s=900),
)
