"""The lists in Redis that hold jobs, and how each is walked: where it begins, what comes next, how much there is.

A queue is a Redis list, walked by number. All else are sorted sets, and those of one kind, one a queue, are walked as
one: merged by score as they are read, so that the newest failure comes first whatever its queue. A place among them is
a score and not a number, so that jobs which come or go before it shift nothing.
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from redis import Redis
from redis.client import Pipeline

from mastowatch.jobs.filters import JobFilter, bounds
from mastowatch.jobs.records import answers, moment, text

PLANNED = "rq:scheduler:scheduled_jobs"
# How many entries tell how long records of ended jobs are kept; and by how many seconds scores differ from records.
SAMPLES, SLACK_S = 16, 2.0

Order = Literal["listed", "soonest", "newest"]
# Which list of a queue holds jobs of a status. Failed and stopped ones share theirs.
_KINDS = {"queued": "queue", "started": "wip", "stopped": "failed", "ready_to_enqueue": "ready"}
# What waits is walked with the next one first; the scores of these grow with the time at which a job ended.
_NEWEST_FIRST = frozenset({"failed", "finished", "canceled"})
# The score of these is the moment when the job is due, or was canceled; of _KEPT_TILL, when its record runs out.
_SCORED_BY_TIME = frozenset({"scheduled", "planned", "canceled"})
_KEPT_TILL = frozenset({"failed", "finished"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a walk stands in a source: ``number`` entries of a list lie before it.

    In sorted sets: all entries lie before it that come before ``score`` or, with the same score, are of a key before
    number ``key``; and the first ``number`` entries of that key with that score.
    """

    number: int = 0
    score: float | None = None
    key: int = 0

    def __str__(self) -> str:
        """Return it as a cursor holds it."""
        return str(self.number) if self.score is None else f"{self.number}:{self.score!r}:{self.key}"


_PLACE = re.compile(r"([0-9]{1,12})(?::(-?(?:inf|[0-9.e+-]{1,30})):([0-9]{1,4}))?", re.ASCII)


def parse_place(written: str) -> Place:
    """Return the place that a cursor holds; raises ValueError."""
    found = _PLACE.fullmatch(written)
    if not found:
        raise ValueError(written)
    number, score, key = found.groups()
    return Place(int(number)) if score is None else Place(int(number), float(score), int(key))


@dataclass(frozen=True, slots=True)
class Source:
    """Keys of one kind and the statuses of the jobs that belong there; ``shared`` with jobs of other queues.

    ``low`` and ``high`` bound the scores that are meant.
    """

    name: str
    keys: tuple[str, ...]
    statuses: frozenset[str]
    order: Order
    shared: bool = False
    low: float = -math.inf
    high: float = math.inf

    @property
    def kind(self) -> str:
        """What the keys are lists of: queue, wip, failed..."""
        return self.name.partition(":")[0]

    @property
    def scored_by_time(self) -> bool:
        """Whether the score of an entry is the time by which it is asked for."""
        return self.kind in _SCORED_BY_TIME


@dataclass(frozen=True, slots=True)
class Entry:
    """A job's entry in a source; ``after`` is the place behind it."""

    job_id: str
    score: float | None
    after: Place


def sources(redis: Redis, where: JobFilter, queues: Sequence[str], limiters: Sequence[str]) -> list[Source]:
    """Return the sources of the jobs that are meant, each once, in the order of the statuses.

    ``limiters`` are the names of RQ's rate limits.
    """
    wanted: dict[str, set[str]] = {}
    for status in where.statuses:
        for kind in _kinds(status):
            wanted.setdefault(kind, set()).add(status)
    found: list[Source] = []
    for kind, statuses in wanted.items():
        found += _of_kind(kind, frozenset(statuses), queues, limiters)
    return [_bounded(redis, source, where) for source in found] if where.timed else found


def _kinds(status: str) -> list[str]:
    if status == "created":
        return ["planned"]
    # A recurring job that has never run is planned, but in no list of its queue.
    return ["scheduled", "planned"] if status == "scheduled" else [_KINDS.get(status, status)]


def _of_kind(kind: str, statuses: frozenset[str], queues: Sequence[str], limiters: Sequence[str]) -> Iterator[Source]:
    if kind == "queue":
        for queue in queues:
            yield Source(f"queue:{queue}", (f"rq:queue:{queue}",), statuses, "listed")
    elif kind == "planned":
        yield Source(kind, (PLANNED,), statuses, "soonest", shared=True)
    elif kind == "rate_limited":
        yield Source(kind, tuple(f"rq:rl:{one}:rate_limited" for one in limiters), statuses, "soonest", shared=True)
    else:
        order: Order = "newest" if kind in _NEWEST_FIRST else "soonest"
        yield Source(kind, tuple(f"rq:{kind}:{queue}" for queue in queues), statuses, order)


def _bounded(redis: Redis, source: Source, where: JobFilter) -> Source:
    """Return the source without what its scores tell to lie outside the time that is meant."""
    low, high = bounds(where)
    if source.scored_by_time:
        return replace(source, low=low, high=high)
    if source.kind in _KEPT_TILL:
        kept = _kept_s(redis, source)
        if kept:
            return replace(source, low=low + min(kept) - SLACK_S, high=high + max(kept) + SLACK_S)
    return source


def _kept_s(redis: Redis, source: Source) -> list[float]:
    """Return for how many seconds records of ended jobs are kept, as some all over the source show; none: unknown.

    Those that are kept for ever stand at the ends, which are among them; then nothing is known.
    """
    with redis.pipeline(transaction=False) as pipe:
        for key in source.keys:
            pipe.zcard(key)
        sizes = [size or 0 for size in answers(pipe)]
        for key, size in zip(source.keys, sizes, strict=True):
            for rank in sorted({number * (size - 1) // (SAMPLES - 1) for number in range(SAMPLES)} if size else ()):
                pipe.zrange(key, rank, rank, withscores=True)
        scored = [(text(raw), score) for found in answers(pipe) for raw, score in found or ()]
        for job_id, _ in scored:
            pipe.hget(f"rq:job:{job_id}", "ended_at")
        ended = [moment(raw) for raw in answers(pipe)]
    kept = [score - at.timestamp() for (_, score), at in zip(scored, ended, strict=True) if at]
    return kept if all(0 <= score < math.inf for _, score in scored) else []


class Extent:
    """What there is of a source right now: where its entries that are meant begin and end, key by key."""

    def __init__(self, source: Source, begins: Sequence[int], ends: Sequence[int]) -> None:
        self.source = source
        self.begins, self.ends = list(begins), list(ends)
        self.size = sum(max(0, end - begin) for begin, end in zip(begins, ends, strict=True))


def extents(redis: Redis, found: Sequence[Source]) -> list[Extent]:
    """Return what there is of each source, in one round trip."""
    with redis.pipeline(transaction=False) as pipe:
        for source in found:
            for key in source.keys:
                _ask_extent(pipe, source, key)
        numbers = iter(answers(pipe))
    counted = []
    for source in found:
        begins, ends = [], []
        for _ in source.keys:
            begins.append((next(numbers) or 0) if _begins_late(source) else 0)
            ends.append(next(numbers) or 0)
        counted.append(Extent(source, begins, ends))
    return counted


def _begins_late(source: Source) -> bool:
    return math.isfinite(source.high if source.order == "newest" else source.low)


def _ask_extent(pipe: Pipeline, source: Source, key: str) -> None:
    if source.order == "listed":
        pipe.llen(key)
    elif source.order == "newest":
        if _begins_late(source):
            pipe.zcount(key, f"({source.high!r}", "+inf")
        pipe.zcount(key, source.low, "+inf") if math.isfinite(source.low) else pipe.zcard(key)
    else:
        if _begins_late(source):
            pipe.zcount(key, "-inf", f"({source.low!r}")
        pipe.zcount(key, "-inf", source.high) if math.isfinite(source.high) else pipe.zcard(key)


class Walk:
    """A walk through one source, from a place on; each ``window`` goes on from the one before."""

    def __init__(self, redis: Redis, extent: Extent, start: Place) -> None:
        self._redis, self.source, self._ends = redis, extent.source, extent.ends
        self._at = [max(one, begin) for one, begin in zip(self._found(start), extent.begins, strict=True)]
        self._start = start

    @property
    def left(self) -> int:
        """How many entries are left."""
        return sum(max(0, end - at) for at, end in zip(self._at, self._ends, strict=True))

    def window(self, width: int) -> list[Entry]:
        """Return the next entries, at most ``width``; none where there are no more."""
        lists = self.source.order == "listed"
        with self._redis.pipeline(transaction=False) as pipe:
            for key, at, end in zip(self.source.keys, self._at, self._ends, strict=True):
                last = min(at + width, end) - 1
                if last < at:
                    continue
                if lists:
                    pipe.lrange(key, at, last)
                else:
                    pipe.zrange(key, at, last, desc=self.source.order == "newest", withscores=True)
            answered = iter(answers(pipe))
        slices: list[Sequence[Any]] = [
            (next(answered) or ()) if end > at else () for at, end in zip(self._at, self._ends, strict=True)
        ]
        return self._numbered(slices[0]) if lists else self._merged(slices, width)

    def _numbered(self, ids: Sequence[Any]) -> list[Entry]:
        begin = self._at[0]
        self._at[0] = begin + len(ids) if ids else self._ends[0]  # none: the list has shrunk meanwhile
        return [Entry(text(raw), None, Place(number)) for number, raw in enumerate(ids, begin + 1)]

    def _merged(self, slices: Sequence[Sequence[tuple[Any, float]]], width: int) -> list[Entry]:
        sign = -1 if self.source.order == "newest" else 1
        streams = [[(sign * score, number, raw, score) for raw, score in found] for number, found in enumerate(slices)]
        merged: list[Entry] = []
        for _, number, raw, score in heapq.merge(*streams, key=lambda entry: entry[:2]):
            if len(merged) == width:
                break
            merged.append(Entry(self._job_id(raw), score, self._behind(score, number)))
            self._at[number] += 1
        if not merged:
            self._at = list(self._ends)
        return merged

    def _behind(self, score: float, key: int) -> Place:
        before = self._start
        ties = before.number if (before.score, before.key) == (score, key) else 0
        self._start = Place(ties + 1, score, key)
        return self._start

    def _job_id(self, raw: Any) -> str:  # noqa: ANN401 -- redis-py gives bytes or str
        # A started job's entry is "job:execution".
        return text(raw).partition(":")[0] if self.source.kind == "wip" else text(raw)

    def _found(self, start: Place) -> list[int]:
        """Return how many entries of each key lie before the place, in one round trip."""
        if start.score is None:
            return [start.number if self.source.order == "listed" else 0] * len(self.source.keys)
        with self._redis.pipeline(transaction=False) as pipe:
            for key in self.source.keys:
                for bound in (f"({start.score!r}", repr(start.score)):
                    low, high = (bound, "+inf") if self.source.order == "newest" else ("-inf", bound)
                    pipe.zcount(key, low, high)
            counts = [one or 0 for one in answers(pipe)]
        # Of the same score, all of the keys before have been seen, and none of those after.
        return [
            through if number < start.key else before if number > start.key else min(before + start.number, through)
            for number, (before, through) in enumerate(zip(counts[::2], counts[1::2], strict=True))
        ]
