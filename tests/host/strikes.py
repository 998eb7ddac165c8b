"""Seconds that count, measured on processors that others use as well.

What was too slow once is tried again: a fault of ours is slow each time. And what a process waited for a processor
that others had is no time of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple


class Took(NamedTuple):
    """Seconds that a strike took, and how many of them the process at work waited for a processor."""

    seconds: float
    waited: float = 0.0

    @property
    def own(self) -> float:
        """The seconds without the wait."""
        return self.seconds - self.waited


def strike(once: Callable[[], Took], limit_s: float, most: int, first: Sequence[Took] = ()) -> list[Took]:
    """Strike until it takes no longer than ``limit_s``, ``most`` times at most; ``first`` are strikes before."""
    took = list(first)
    while len(took) < most and not any(one.seconds <= limit_s for one in took):
        took.append(once())
    return took


def best(took: Sequence[Took], limit_s: float) -> float:
    """Return the seconds that count against the limit: the quickest as the clock has it, or else without the wait."""
    seconds = min(one.seconds for one in took)
    return seconds if seconds <= limit_s else min(one.own for one in took)


def told(took: Sequence[Took], limit_s: float, digits: int = 1) -> str:
    """Return all strikes as text, for the table: the last one, and what the others took before."""
    *before, last = took
    text = f"{last.seconds:.{digits}f} s"
    if last.seconds > limit_s:
        text += f" ({last.waited:.{digits}f} s waiting for a processor)"
    return text + (f", before: {', '.join(f'{one.seconds:.{digits}f}' for one in before)}" if before else "")
