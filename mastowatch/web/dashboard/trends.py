"""How the queues have done over an hour, a day and a week, beside what is usual at that time of the day.

The history is read once, beside the first page that asks, and then only what has been added to it: a page costs
next to nothing.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from mastowatch.errors import StoreUnavailable
from mastowatch.ports.store import History
from mastowatch.ports.types import QueuePoint

Span = Literal["hour", "day", "week"]
DAY_S = 86_400.0
# How long a span is, and how wide a point of its charts, in seconds.
WIDTHS: dict[Span, tuple[float, float]] = {"hour": (3600, 60), "day": (DAY_S, 900), "week": (7 * DAY_S, 3600)}
# The band of what is usual has points so far apart; over a week it would be as wide as all days together.
USUAL_WIDTHS: dict[Span, float] = {"hour": 600, "day": 3600}
USUAL_DAYS = 7
# From how many days what is usual can be told.
USUAL_MIN = 2
# A point comes each minute; asked more often, the answer is the same.
FRESH_S = 15.0
# Eight days of minutes; with a second or so of work they are the one dear thing here.
POINTS_MAX = 11_520
# What the first page has at once.
FIRST_POINTS = 130
# A chart that has had no point for so long has a gap there.
GAP_S = 1200.0

Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Trend:
    """A value over time: ``values`` of equally wide steps up to now, None where nothing is known.

    ``usual`` are the least and the most that was seen on the days before at the same time, in fewer, wider steps.
    """

    values: Values
    usual: Sequence[tuple[float, float] | None] = ()

    @property
    def now(self) -> float | None:
        """The newest value that is known."""
        return next((one for one in reversed(self.values) if one is not None), None)


@dataclass(frozen=True, slots=True)
class Trends:
    """``done``: jobs a minute. ``failed``: jobs a step. ``waited``: seconds that the oldest job had waited, at most."""

    span: Span
    start: float
    step_s: float
    done: Trend
    failed: Trend
    waited: Trend

    @property
    def known(self) -> bool:
        """Whether there is anything to draw."""
        return sum(one is not None for one in self.done.values) > 1


# Returns the values of steps that begin and end at the given times.
_Read = Callable[[Sequence["_Series"], Sequence[float]], Values]


@dataclass(slots=True)
class _Series:
    """The history of one queue; ``finished`` and ``failed`` only ever grow, also where a counter began anew."""

    at: array[float] = field(default_factory=lambda: array("d"))
    depth: array[float] = field(default_factory=lambda: array("d"))
    waited: array[float] = field(default_factory=lambda: array("d"))
    finished: array[float] = field(default_factory=lambda: array("d"))
    failed: array[float] = field(default_factory=lambda: array("d"))
    last: QueuePoint | None = None

    def add(self, points: Iterable[QueuePoint]) -> None:
        for point in points:
            before = self.last
            if before is not None and point.at <= before.at:
                continue
            self.at.append(point.at)
            self.depth.append(point.depth)
            self.waited.append(point.oldest_s)
            self._grow(self.finished, before.finished if before else point.finished, point.finished)
            self._grow(self.failed, before.failed if before else point.failed, point.failed)
            self.last = point

    def drop_before(self, at: float) -> None:
        gone = bisect_left(self.at, at)
        for one in (self.at, self.depth, self.waited, self.finished, self.failed):
            del one[:gone]

    def knows(self, start: float, end: float) -> bool:
        """Return whether anything is known of a time: there is a point in it, or close on both sides."""
        first = bisect_left(self.at, start)
        if first < len(self.at) and self.at[first] <= end:
            return True
        return 0 < first < len(self.at) and self.at[first] - self.at[first - 1] <= GAP_S

    def between(self, totals: array[float], start: float, end: float) -> float:
        """Return how much a total has grown, taken to grow evenly from point to point."""
        return self._total(totals, end) - self._total(totals, start)

    def failures(self, start: float, end: float) -> float:
        """Return how many jobs failed, each counted where it was seen: there is no half a failure."""
        before, last = bisect_right(self.at, start) - 1, bisect_right(self.at, end) - 1
        return self.failed[last] - self.failed[before] if last > before >= 0 else 0.0

    def most_waited(self, start: float, end: float) -> float:
        first, last = bisect_left(self.at, start), bisect_right(self.at, end)
        return max(self.waited[first:last] or self.waited[max(0, first - 1) : first], default=0.0)

    def _total(self, totals: array[float], at: float) -> float:
        after = bisect_left(self.at, at)
        if after == 0:
            return totals[0]
        if after == len(totals):
            return totals[-1]
        begin, end = self.at[after - 1], self.at[after]
        return totals[after - 1] + (totals[after] - totals[after - 1]) * (at - begin) / (end - begin)

    def _grow(self, totals: array[float], before: int, now: int) -> None:
        totals.append((totals[-1] if totals else 0.0) + max(0, now - before))


class TrendReader:
    """Reads trends; one a dashboard. ``queues`` names those to add up."""

    def __init__(self, history: History, queues: Callable[[], Sequence[str]]) -> None:
        self._history, self._queues = history, queues
        self._series: dict[str, _Series] = {}
        self._read_at = 0.0
        self._reading: threading.Thread | None = None
        self._lock = threading.Lock()

    def trends(self, span: Span, now: float) -> Trends:
        """Return the trends of the ``span`` that ends ``now`` (epoch seconds)."""
        with self._lock:
            self._refresh(now)
            series = [one for one in self._series.values() if len(one.at) > 1]
            length, step = WIDTHS[span]
            now = _last_known(series, now)
            edges = _edges(now - length, now, step)
            return Trends(
                span=span,
                start=now - length,
                step_s=step,
                done=Trend(_rates(series, edges), self._usual(_rates, series, span, now)),
                failed=Trend(_failures(series, edges)),
                waited=Trend(_waits(series, edges), self._usual(_waits, series, span, now)),
            )

    def depths(self, queue: str, now: float) -> list[tuple[float, float]]:
        """Return (time, jobs waiting) of a queue over the last hour, oldest first."""
        with self._lock:
            self._refresh(now)
            one = self._series.get(queue, _Series())
            first = bisect_left(one.at, now - 3600)
            return list(zip(one.at[first:], one.depth[first:], strict=True))

    def rate(self, queue: str, now: float) -> float | None:
        """Return how many jobs of a queue finish in a minute, over the last hour; None before two points."""
        with self._lock:
            self._refresh(now)
            one = self._series.get(queue, _Series())
            first = bisect_left(one.at, now - 3600)
            if len(one.at) - first < 2:
                return None
            return (one.finished[-1] - one.finished[first]) / (one.at[-1] - one.at[first]) * 60

    def _refresh(self, now: float) -> None:
        if 0 <= now - self._read_at < FRESH_S:
            return
        queues = self._queues()
        for queue in queues:
            series = self._series.setdefault(queue, _Series())
            # Points come each minute, or each half minute at most.
            news = int((now - series.last.at) / 30) + 2 if series.last else FIRST_POINTS
            series.add(self._history.recent(queue, min(POINTS_MAX, news)))
            series.drop_before(now - (USUAL_DAYS + 1) * DAY_S)
        self._read_at = now
        if self._reading is None:
            self._reading = threading.Thread(target=self._read_all, args=(tuple(queues),), name="trends", daemon=True)
            self._reading.start()

    def _read_all(self, queues: Sequence[str]) -> None:
        """Put the whole history in the place of the last two hours."""
        try:
            for queue in queues:
                whole = _Series()
                whole.add(self._history.recent(queue, POINTS_MAX))
                with self._lock:
                    self._series[queue] = whole
        except StoreUnavailable:
            self._reading = None  # at the next page once more

    def wait(self, timeout_s: float = 60.0) -> None:
        """Wait until the whole history is there, if anybody has asked for it."""
        if self._reading is not None:
            self._reading.join(timeout_s)

    def _usual(
        self,
        read: Callable[[Sequence[_Series], Sequence[float]], Values],
        series: Sequence[_Series],
        span: Span,
        now: float,
    ) -> Sequence[tuple[float, float] | None]:
        if span not in USUAL_WIDTHS:
            return ()
        length, step = WIDTHS[span][0], USUAL_WIDTHS[span]
        days = [
            read(series, _edges(now - length - day * DAY_S, now - day * DAY_S, step))
            for day in range(1, USUAL_DAYS + 1)
        ]
        return [_range([one for one in at_once if one is not None]) for at_once in zip(*days, strict=True)]


def _last_known(series: Sequence[_Series], now: float) -> float:
    """Return where the charts end: at the newest point, as what has been done since is not known yet."""
    last = max((one.at[-1] for one in series), default=now)
    return last if now - GAP_S < last < now else now


def _range(values: Sequence[float]) -> tuple[float, float] | None:
    return (min(values), max(values)) if len(values) >= USUAL_MIN else None


def _edges(start: float, end: float, step: float) -> list[float]:
    return [start + step * number for number in range(round((end - start) / step) + 1)]


def _rates(series: Sequence[_Series], edges: Sequence[float]) -> Values:
    return _each(series, edges, lambda one, start, end: one.between(one.finished, start, end) / (end - start) * 60)


def _failures(series: Sequence[_Series], edges: Sequence[float]) -> Values:
    return _each(series, edges, lambda one, start, end: one.failures(start, end))


def _waits(series: Sequence[_Series], edges: Sequence[float]) -> Values:
    found: list[float | None] = []
    for start, end in pairwise(edges):
        waits = [one.most_waited(start, end) for one in series if one.knows(start, end)]
        found.append(max(waits) if waits else None)
    return found


def _each(
    series: Sequence[_Series], edges: Sequence[float], read: Callable[[_Series, float, float], float]
) -> list[float | None]:
    found: list[float | None] = []
    for start, end in pairwise(edges):
        values = [read(one, start, end) for one in series if one.knows(start, end)]
        found.append(sum(values) if values else None)
    return found
