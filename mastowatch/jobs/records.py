"""Reads the records that RQ keeps of jobs, without RQ's own classes: no read here can write, unpickle or clean up.

Data in Redis may have been written by anyone who reaches it, so each size is bounded and nothing but JSON is read.
"""

from __future__ import annotations

import zlib
from base64 import b64decode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from redis import Redis

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
_WITH_ERROR = frozenset({"failed", "stopped"})


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


def read_rows(redis: Redis, job_ids: Sequence[str], now: float) -> list[JobRow | None]:
    """Return a row for each id, None where there is no record; two round trips. ``now`` is epoch seconds."""
    with redis.pipeline(transaction=False) as pipe:
        for job_id in job_ids:
            pipe.hmget(f"rq:job:{job_id}", list(FIELDS))
        found = pipe.execute()
    rows = [_row(job_id, values, now) for job_id, values in zip(job_ids, found, strict=True)]
    ends = _last_ends(redis, [row.id for row in rows if row and row.status in _WITH_ERROR])
    return [_ended(row, *ends[row.id]) if row and row.id in ends else row for row in rows]


def read_row(redis: Redis, job_id: str, now: float) -> JobRow | None:
    """Return the row of one job, or None."""
    return read_rows(redis, [job_id], now)[0]


def text(raw: Any) -> str:  # noqa: ANN401 -- redis-py gives bytes or str
    """Return what Redis holds as text; a byte that is no UTF-8 shows as a replacement character."""
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)


def moment(raw: Any) -> datetime | None:  # noqa: ANN401 -- redis-py gives bytes or str
    """Return a time as RQ writes it, aware and in UTC; None for none or nonsense."""
    try:
        at = datetime.fromisoformat(text(raw or ""))
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


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


def entry_time(entry_id: Any) -> datetime:  # noqa: ANN401 -- redis-py gives bytes or str
    """Return the time of a stream's entry: its id begins with the millisecond."""
    return _at(int(text(entry_id).partition("-")[0]) / 1000)


def first_line(traceback: str) -> str:
    """Return the line that names the error: under a traceback's frames, or the first one of any other text."""
    lines = traceback.strip().splitlines() or [""]
    heads = [number for number, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    after = lines[heads[-1] + 1 :] if heads else lines
    named = next((line for line in after if line.strip() and not line.startswith(" ")), lines[-1])
    return named.strip()[:ERROR_MAX]


def _row(job_id: str, values: Sequence[Any], now: float) -> JobRow | None:
    if not any(values):
        return None
    fields = dict(zip(FIELDS, values, strict=True))
    status = text(fields["status"] or "created")
    enqueued, started, ended = (moment(fields[name]) for name in ("enqueued_at", "started_at", "ended_at"))
    if status in _WAITING:
        started = ended = None
    if status == "started":
        ended = None
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
    )


def _last_ends(redis: Redis, job_ids: Sequence[str]) -> dict[str, tuple[datetime, str | None]]:
    """Return when each job last ended, and its traceback."""
    if not job_ids:
        return {}
    with redis.pipeline(transaction=False) as pipe:
        for job_id in job_ids:
            pipe.xrevrange(f"rq:results:{job_id}", count=1)
        found = pipe.execute()
    latest = {job_id: entries[0] for job_id, entries in zip(job_ids, found, strict=True) if entries}
    return {job_id: (entry_time(entry_id), traceback_of(payload)) for job_id, (entry_id, payload) in latest.items()}


def _ended(row: JobRow, at: datetime, traceback: str | None) -> JobRow:
    # RQ writes no end into the record of a job whose process was killed, as a stopped one's is.
    ended = row.ended_at or at
    error = first_line(traceback) if traceback else None
    changed = {"error": error, "ended_at": ended, "duration_s": _between(row.started_at, ended)}
    return row.model_copy(update=changed)


def _at(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def _between(start: datetime | None, end: datetime | None) -> float | None:
    return round(max(0.0, (end - start).total_seconds()), 3) if start and end else None


def _number(raw: Any) -> int | None:  # noqa: ANN401 -- redis-py gives bytes or str
    try:
        return int(raw) if raw is not None else None
    except ValueError:
        return None
