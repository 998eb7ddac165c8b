"""Reads the records that RQ keeps of jobs, without RQ's own classes: no read here can write, unpickle or clean up.

Data in Redis may have been written by anyone who reaches it, so each size is bounded and nothing but JSON is read.
"""

from __future__ import annotations

import re
import zlib
from base64 import b64decode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json, to_json
from redis import Redis
from redis.client import Pipeline

DESCRIPTION_MAX = 500  # characters; ours have at most about 50
ERROR_MAX = 300
TEXT_MAX = 1_000_000  # bytes of an inflated traceback or argument list; more would be somebody's bomb
FIELDS = (
    "status",
    "origin",
    "description",
    "created_at",
    "enqueued_at",
    "started_at",
    "ended_at",
    "worker_name",
    "retries_left",
)
# In these the times of an earlier run may still stand in the record and would be taken for this one's.
_WAITING = frozenset({"created", "queued", "deferred", "scheduled", "rate_limited", "ready_to_enqueue"})
WITH_ERROR = frozenset({"failed", "stopped"})
ENDED = frozenset({"finished", "failed", "stopped", "canceled"})
# An import path is the first thing in the JSON of a call, and not that long.
_PATH_BYTES = 2_000
_FIRST_TEXT = re.compile(rb'\s*\[\s*("(?:[^"\\]|\\.)*")')


class JobRow(BaseModel):
    """One job as lists show it."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "example": {
                "id": "analyze_and_maybe_report-109302",
                "description": "analyze_and_maybe_report(109302)",
                "queue": "default",
                "status": "failed",
                "created_at": "2026-03-01T12:00:00.000000Z",
                "enqueued_at": "2026-03-01T12:00:00.000000Z",
                "started_at": "2026-03-01T12:00:01.250000Z",
                "ended_at": "2026-03-01T12:00:03.750000Z",
                "duration_s": 2.5,
                "queued_for_s": 1.25,
                "worker_name": "mod-1-4711-3f2a9c",
                "retries_left": 0,
                "error": "mastowatch.errors.MastodonUnreachable: connection refused",
                "due_at": None,
                "function": None,
            }
        },
    )

    id: str
    description: str
    queue: str
    status: str
    created_at: datetime | None = None
    enqueued_at: datetime | None = None
    started_at: datetime | None = Field(default=None, description="Start of this run; null while it waits.")
    ended_at: datetime | None = None
    duration_s: float | None = Field(default=None, description="Seconds that the run took, or has taken so far.")
    queued_for_s: float | None = Field(default=None, description="Seconds that it waited, or has waited, for a worker.")
    worker_name: str | None = None
    retries_left: int | None = None
    error: str | None = Field(default=None, description="First line of the last error, for failed and stopped jobs.")
    due_at: datetime | None = Field(default=None, description="When a scheduled job goes on its queue.")
    function: str | None = Field(
        default=None,
        description="Import path of the function; null where it can't be read, and in lists that no function was "
        "asked of.",
    )


def read_rows(redis: Redis, job_ids: Sequence[str], now: float, *, functions: bool = False) -> list[JobRow | None]:
    """Return a row for each id, None where there is no record; two round trips. ``now`` is epoch seconds.

    ``functions`` tells to read what each job calls, too, which stands beside its arguments and may be long.
    """
    names = [*FIELDS, "data"] if functions else [*FIELDS]
    with redis.pipeline(transaction=False) as pipe:
        for job_id in job_ids:
            pipe.hmget(f"rq:job:{job_id}", names)
        found = answers(pipe)
    records = [
        (job_id, dict(zip(names, values, strict=True)))
        for job_id, values in zip(job_ids, found, strict=True)
        if values and any(values)
    ]
    ends = _last_ends(redis, [job_id for job_id, fields in records if text(fields["status"] or "") in WITH_ERROR])
    rows = {job_id: _row(job_id, fields, now, ends.get(job_id)) for job_id, fields in records}
    return [rows.get(job_id) for job_id in job_ids]


def answers(pipe: Pipeline) -> list[Any]:
    """Return what a pipeline answers, None where a key is of another type than it should be; raises RedisError.

    So what somebody has put in the place of a record, a list or a result spoils nothing beside it.
    """
    found = pipe.execute(raise_on_error=False)
    for one in found:
        if isinstance(one, Exception) and "WRONGTYPE" not in str(one):
            raise one
    return [None if isinstance(one, Exception) else one for one in found]


def read_row(redis: Redis, job_id: str, now: float) -> JobRow | None:
    """Return the row of one job, or None."""
    return read_rows(redis, [job_id], now)[0]


def text(raw: Any) -> str:  # noqa: ANN401 -- redis-py gives bytes or str
    """Return what Redis holds as text; a byte that is no UTF-8 shows as a replacement character."""
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)


def moment(raw: Any) -> datetime | None:  # noqa: ANN401 -- redis-py gives bytes or str
    """Return a time as RQ writes it, aware and in UTC; None for none or nonsense."""
    if not raw:
        return None
    try:
        at = datetime.fromisoformat(text(raw))
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def inflate(raw: bytes) -> bytes:
    """Return deflated bytes inflated, at most TEXT_MAX of them; what is not deflated comes back as it is."""
    try:
        return zlib.decompressobj().decompress(raw, TEXT_MAX)
    except zlib.error:
        return raw[:TEXT_MAX]


def traceback_of(payload: dict[Any, Any]) -> str | None:
    """Return the traceback in an entry of a result stream, or None."""
    raw = payload.get(b"exc_string")
    if not raw:
        return None
    try:
        return text(inflate(b64decode(raw)))
    except ValueError:
        return text(raw)[:TEXT_MAX]


def entry_time(entry_id: Any) -> datetime | None:  # noqa: ANN401 -- redis-py gives bytes or str
    """Return the time of a stream's entry: its id begins with the millisecond. None for one past all calendars."""
    return epoch_moment(int(text(entry_id).partition("-")[0]) / 1000)


def epoch_moment(seconds: float) -> datetime | None:
    """Return the moment of ``seconds`` since 1970, None for one past all calendars."""
    try:
        return _at(seconds)
    except (ValueError, OverflowError, OSError):
        return None


def first_line(traceback: str) -> str:
    """Return the line that names the error: under a traceback's frames, or the first one of any other text."""
    lines = traceback.strip().splitlines() or [""]
    heads = [number for number, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    after = lines[heads[-1] + 1 :] if heads else lines
    named = next((line for line in after if line.strip() and not line.startswith(" ")), lines[-1])
    return named.strip()[:ERROR_MAX]


_End = tuple[datetime | None, str | None]


def _row(job_id: str, fields: dict[str, Any], now: float, end: _End | None) -> JobRow:
    status = text(fields["status"] or "created")
    enqueued, started, ended = (moment(fields[name]) for name in ("enqueued_at", "started_at", "ended_at"))
    if status in _WAITING:
        started = ended = None
    if status == "started":
        ended = None
    at, error = end or (None, None)
    # RQ writes no end into the record of a job whose process was killed, as a stopped one's is.
    ended = ended or at
    return JobRow(
        id=job_id,
        description=text(fields["description"] or "")[:DESCRIPTION_MAX],
        queue=text(fields["origin"] or ""),
        status=status,
        created_at=moment(fields["created_at"]),
        enqueued_at=enqueued,
        started_at=started,
        ended_at=ended,
        duration_s=_between(started, ended or (_at(now) if status == "started" else None)),
        queued_for_s=_between(enqueued, started or (_at(now) if status == "queued" else None)),
        worker_name=text(fields["worker_name"]) if fields["worker_name"] and status not in _WAITING else None,
        retries_left=_number(fields["retries_left"]),
        error=error,
        function=function_of(fields.get("data")),
    )


def function_of(data: bytes | None) -> str | None:
    """Return the import path out of RQ's JSON ``[function, instance, args, kwargs]``, or None.

    Reads the beginning alone, however much follows; never a pickle.
    """
    if not data:
        return None
    try:
        beginning = zlib.decompressobj().decompress(data, _PATH_BYTES)
    except zlib.error:
        beginning = data[:_PATH_BYTES]
    named = _FIRST_TEXT.match(beginning)
    try:
        path = from_json(named[1]) if named else None
        return path if isinstance(path, str) and to_json(path) else None
    except ValueError:
        return None


def _last_ends(redis: Redis, job_ids: Sequence[str]) -> dict[str, _End]:
    """Return when each job last ended, and the line of its error."""
    if not job_ids:
        return {}
    with redis.pipeline(transaction=False) as pipe:
        for job_id in job_ids:
            pipe.xrevrange(f"rq:results:{job_id}", count=1)
        found = answers(pipe)
    return {job_id: _end(*entries[0]) for job_id, entries in zip(job_ids, found, strict=True) if entries}


def _end(entry_id: Any, payload: dict[Any, Any]) -> _End:  # noqa: ANN401 -- redis-py gives bytes or str
    traceback = traceback_of(payload)
    return entry_time(entry_id), first_line(traceback) if traceback else None


def _at(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def _between(start: datetime | None, end: datetime | None) -> float | None:
    return round(max(0.0, (end - start).total_seconds()), 3) if start and end else None


def _number(raw: Any) -> int | None:  # noqa: ANN401 -- redis-py gives bytes or str
    try:
        return int(raw) if raw is not None else None
    except ValueError:
        return None
