"""Small charts as SVG attributes: no script, and no inline style that the CSP would forbid."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mastowatch.web.dashboard.trends import Trend, Values

# The box of a sparkline, and that of a chart; a chart is stretched to the room there is.
WIDTH, HEIGHT = 120, 24
CHART_WIDTH, CHART_HEIGHT = 600, 100


@dataclass(frozen=True, slots=True)
class Sparkline:
    """The waiting jobs of a queue over time. ``line`` is a polyline's points in a WIDTH x HEIGHT box."""

    line: str
    highest: int
    span_s: float


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart in a CHART_WIDTH x CHART_HEIGHT box; ``top`` is the value at its upper edge, 0 stands at the lower one.

    ``lines`` are the paths of what is known without a gap, ``areas`` what lies below them, ``band`` what is usual,
    ``bars`` rectangles (x, y, width, height) in their place. ``peak`` is the highest value shown.
    """

    top: float
    peak: float
    lines: Sequence[str] = ()
    areas: Sequence[str] = ()
    band: str = ""
    bars: Sequence[tuple[float, float, float, float]] = ()


def sparkline(points: Sequence[tuple[float, float]]) -> Sparkline | None:
    """Return the line through (time, value) points, oldest first; None for fewer than two."""
    if len(points) < 2 or points[-1][0] <= points[0][0]:
        return None
    start, span_s = points[0][0], points[-1][0] - points[0][0]
    highest = max(value for _, value in points)
    # One pixel is left above and below, so that the line's own width is never cut.
    line = " ".join(
        f"{(at - start) / span_s * WIDTH:.1f},{HEIGHT - 1 - value / max(highest, 1) * (HEIGHT - 2):.1f}"
        for at, value in points
    )
    return Sparkline(line, int(highest), span_s)


def line_chart(trend: Trend, least_top: float = 1.0) -> Chart:
    """Return the values as lines over the band of what is usual; the scale goes to ``least_top`` at least."""
    peak = max((one for one in trend.values if one is not None), default=0.0)
    usual = max((high for one in trend.usual if one is not None for high in one[1:]), default=0.0)
    top = nice(max(peak, usual, least_top))
    runs = list(_runs(trend.values, top))
    return Chart(
        top=top,
        peak=peak,
        lines=[_path(run) for run in runs],
        areas=[f"{_path(run)} L{run[-1][0]:.1f},{CHART_HEIGHT} L{run[0][0]:.1f},{CHART_HEIGHT} Z" for run in runs],
        band=_band(trend.usual, top),
    )


def bar_chart(values: Values, least_top: float = 4.0) -> Chart:
    """Return the values as bars, none for 0."""
    peak = max((one for one in values if one is not None), default=0.0)
    top, width = nice(max(peak, least_top)), CHART_WIDTH / max(1, len(values))
    bars = [
        (round(number * width + width * 0.1, 2), *_upright(value, top), round(width * 0.8, 2))
        for number, value in enumerate(values)
        if value
    ]
    return Chart(top=top, peak=peak, bars=[(x, y, wide, high) for x, y, high, wide in bars])


def nice(value: float) -> float:
    """Return the next number from ``value`` upwards that reads well as the end of a scale: 1, 2, 4, 5, 8, 10, 20..."""
    if value <= 0:
        return 1.0
    size = 10.0 ** math.floor(math.log10(value))
    return next(step * size for step in (1, 2, 4, 5, 8, 10) if step * size >= value - size * 1e-9)


def _upright(value: float, top: float) -> tuple[float, float]:
    # A single failure is seen, however many there were at another time.
    high = max(2.0, value / top * CHART_HEIGHT)
    return round(CHART_HEIGHT - high, 2), round(high, 2)


def _runs(values: Values, top: float) -> Iterator[list[tuple[float, float]]]:
    """Yield what is known without a gap, as points in the box; a value stands at the end of its step."""
    run: list[tuple[float, float]] = []
    step = CHART_WIDTH / max(1, len(values))
    for number, value in enumerate([*values, None]):
        if value is not None:
            run.append(((number + 1) * step, _down(value, top)))
        elif run:
            yield run if len(run) > 1 else [(run[0][0] - step, run[0][1]), run[0]]
            run = []


def _band(usual: Sequence[tuple[float, float] | None], top: float) -> str:
    step = CHART_WIDTH / max(1, len(usual))
    known = [((number + 0.5) * step, one) for number, one in enumerate(usual) if one is not None]
    if len(known) < 2 or any(after - before > 1.5 * step for (before, _), (after, _) in pairwise(known)):
        return ""
    # What is known of the first and the last step holds to their ends.
    known = [(known[0][0] - step / 2, known[0][1]), *known, (known[-1][0] + step / 2, known[-1][1])]
    above = [(x, _down(high, top)) for x, (_, high) in known]
    below = [(x, _down(low, top)) for x, (low, _) in reversed(known)]
    return f"{_path([*above, *below])} Z"


def _down(value: float, top: float) -> float:
    return CHART_HEIGHT - value / top * CHART_HEIGHT


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in points)
