"""Which jobs are meant: the one filter of lists, searches and what is done to many jobs at once."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from datetime import datetime

from rq.job import JobStatus

from mastowatch.jobs.failure_names import named, whole_name
from mastowatch.jobs.records import ENDED, WITH_ERROR, JobRow
from mastowatch.jobs.refusals import BadParameter

# What needs a look comes first; all eleven of RQ's statuses are here.
STATUSES = (
    "started",
    "queued",
    "scheduled",
    "deferred",
    "rate_limited",
    "ready_to_enqueue",
    "failed",
    "stopped",
    "canceled",
    "finished",
    "created",
)
assert frozenset(STATUSES) == frozenset(status.value for status in JobStatus)  # noqa: S101


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs are meant; all of them where nothing is named. Case does not matter in ``error`` and ``text``.

    ``function`` is the import path of the job's function, or the last part of it; ``error`` is looked for in the first
    line of the last error, ``text`` in id and description. ``since`` and ``until`` are epoch seconds, both included:
    about when a job ended; where it is scheduled, when it is due; else when it was queued. ``failure`` is the whole
    name of a group of failures, with N for numbers and ids.
    """

    queue: str | None = None
    status: str | None = None
    function: str | None = None
    error: str | None = None
    text: str | None = None
    since: float | None = None
    until: float | None = None
    failure: str | None = None

    @property
    def statuses(self) -> Sequence[str]:
        """The statuses that a job of these can have: only what failed or was stopped has an error."""
        wanted = [self.status] if self.status else STATUSES
        return [status for status in wanted if not (self.error or self.failure) or status in WITH_ERROR]

    @property
    def timed(self) -> bool:
        """Whether a time is named."""
        return self.since is not None or self.until is not None

    @property
    def searches(self) -> bool:
        """Whether each record has to be read to tell whether it is meant."""
        return bool(self.function or self.error or self.text or self.failure) or self.timed

    @property
    def any(self) -> bool:
        """Whether all jobs are meant, as nothing is named; an empty text names nothing."""
        return not (self.queue or self.status or self.searches)

    @property
    def digest(self) -> str:
        """Eight characters that stand for just this filter."""
        return hashlib.sha256(repr(astuple(self)).encode("utf-8", "backslashreplace")).hexdigest()[:8]

    def matches(self, row: JobRow) -> bool:
        """Tell whether the job is meant, leaving aside queue and status."""
        return (
            (not self.function or _is_function(self.function, row.function))
            and (not self.error or self.error.casefold() in (row.error or "").casefold())
            and (not self.failure or self.failure == whole_name(*named(row.error or "")))
            and (not self.text or self._has_text(row))
            and (not self.timed or self._in_time(_time_of(row)))
        )

    def _has_text(self, row: JobRow) -> bool:
        text = (self.text or "").casefold()
        return text in row.id.casefold() or text in row.description.casefold()

    def _in_time(self, at: datetime | None) -> bool:
        if at is None:
            return False
        low, high = bounds(self)
        return low <= at.timestamp() <= high


def bounds(where: JobFilter) -> tuple[float, float]:
    """Return the first and the last moment that are meant, in epoch seconds; infinite where none is named."""
    return (
        -math.inf if where.since is None else where.since,
        math.inf if where.until is None else where.until,
    )


def checked(where: JobFilter, queues: Sequence[str]) -> JobFilter:
    """Return the filter with empty texts as none; raises BadParameter that names what is allowed."""
    if where.status and where.status not in STATUSES:
        raise BadParameter(f"status: {where.status!r} is not a status; allowed: {', '.join(STATUSES)}")
    if where.queue and where.queue not in queues:
        raise BadParameter(f"queue: {where.queue!r} is not a queue; allowed: {', '.join(queues)}")
    for name, value in (("since", where.since), ("until", where.until)):
        if value is not None and math.isnan(value):
            raise BadParameter(f"{name}: is not a number; allowed: seconds since 1970")
    low, high = bounds(where)
    if low > high:
        raise BadParameter("since: is after until; the time between them is meant")
    return replace(
        where,
        queue=where.queue or None,
        status=where.status or None,
        function=where.function or None,
        error=where.error or None,
        text=where.text or None,
        failure=where.failure or None,
    )


def _is_function(wanted: str, path: str | None) -> bool:
    return path is not None and wanted in (path, path.rpartition(".")[2])


def _time_of(row: JobRow) -> datetime | None:
    if row.status in ENDED:
        return row.ended_at
    return row.due_at or row.enqueued_at or row.created_at
