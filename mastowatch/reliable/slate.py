"""What the horse writes down for its parent, in memory that both share: what it does, since when, how long it may.

A system call a job would be too slow, and a pipe could fill up; a page of shared memory is neither, and it outlives
the horse. The parent reads while the horse writes, so a counter that is odd during a write tells a torn page.
Times are CLOCK_MONOTONIC, in seconds, which all processes of a host share.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from enum import IntEnum

_ID_BYTES = 3000  # what is longer is cut; RQ sets no limit
_PAGE = struct.Struct(f"=QBdddQH{_ID_BYTES}sH64s")
_COUNTER = struct.Struct("=Q")
_WISH_AT = 4095  # the parent's byte; everything before it is the horse's
_TRIES = 5


class Doing(IntEnum):
    """What a horse does. Only RUNNING is bound by a job's own limit."""

    STARTING = 0
    WAITING = 1  # for a job
    HELD = 2  # waiting as well: work is suspended
    RUNNING = 3
    RECORDING = 4  # what came of a job, for as long as Redis is away
    TIDYING = 5
    # How it ended; an exit status won't do, since a job may end the process with any.
    CLEAN = 6  # as it was told to, with nothing in hand
    EMPTY = 7  # the same, because there is nothing to do
    LEFTOVER = 8  # with something in hand that it knows nothing of


class Wish(IntEnum):
    """What the parent wants of its horse."""

    WORK = 0
    END = 1  # after the job at hand


@dataclass(frozen=True, slots=True)
class Entry:
    """What stood on the slate. ``limit_s`` counts from ``since``; 0 is no limit. ``seen``: the last sign of life."""

    doing: Doing
    since: float
    limit_s: float
    seen: float
    jobs: int
    job_id: str
    execution_id: str


def cut(job_id: str) -> str:
    """Return the id as it reads on a slate."""
    return job_id.encode()[:_ID_BYTES].decode(errors="replace")


class Slate:
    """One page between a parent and its horse, made by the parent before it forks."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, mmap.PAGESIZE)
        self._count = 0  # each side begins where the other has left it at the fork

    # --- the horse's side --------------------------------------------------------------------------------

    def write(self, entry: Entry) -> None:
        """Replace what stands there."""
        job, execution = entry.job_id.encode()[:_ID_BYTES], entry.execution_id.encode()[:64]
        self._count += 1
        _COUNTER.pack_into(self._page, 0, self._count)
        values = (entry.doing, entry.since, entry.limit_s, entry.seen, entry.jobs)
        _PAGE.pack_into(self._page, 0, self._count, *values, len(job), job, len(execution), execution)
        self._count += 1
        _COUNTER.pack_into(self._page, 0, self._count)

    @property
    def wish(self) -> Wish:
        """What the parent wants now."""
        return Wish(self._page[_WISH_AT])

    # --- the parent's side -------------------------------------------------------------------------------

    def read(self) -> Entry:
        """Return what stands there; what a horse left half written when it died is returned as it is."""
        values = _PAGE.unpack_from(self._page, 0)
        for _ in range(_TRIES):
            (count,) = _COUNTER.unpack_from(self._page, 0)
            if count == values[0] and count % 2 == 0:
                break
            values = _PAGE.unpack_from(self._page, 0)
        _, doing, since, limit_s, seen, jobs, job_length, job, execution_length, execution = values
        return Entry(
            doing=Doing(doing),
            since=since,
            limit_s=limit_s,
            seen=seen,
            jobs=jobs,
            job_id=job[:job_length].decode(errors="replace"),
            execution_id=execution[:execution_length].decode(errors="replace"),
        )

    def ask(self, wish: Wish) -> None:
        """Tell the horse what is wanted; it looks before each job and several times a second while it waits."""
        self._page[_WISH_AT] = wish
