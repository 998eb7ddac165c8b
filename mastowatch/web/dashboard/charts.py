"""A small line chart as SVG attributes: no script, and no inline style that the CSP would forbid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mastowatch.ports.types import QueuePoint

WIDTH, HEIGHT = 120, 24


@dataclass(frozen=True, slots=True)
class Sparkline:
    """The waiting jobs of a queue over time. ``line`` is a polyline's points in a WIDTH x HEIGHT box."""

    line: str
    highest: int
    span_s: float
    per_minute: float


def sparkline(points: Sequence[QueuePoint]) -> Sparkline | None:
    """Return the chart of a queue's history, oldest first; None for fewer than two points."""
    if len(points) < 2 or points[-1].at <= points[0].at:
        return None
    start, span_s = points[0].at, points[-1].at - points[0].at
    highest = max(point.depth for point in points)
    # One pixel is left above and below, so that the line's own width is never cut.
    line = " ".join(
        f"{(point.at - start) / span_s * WIDTH:.1f},{HEIGHT - 1 - point.depth / max(highest, 1) * (HEIGHT - 2):.1f}"
        for point in points
    )
    done = max(0, points[-1].finished - points[0].finished)
    return Sparkline(line, highest, span_s, done / span_s * 60)
