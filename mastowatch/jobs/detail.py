"""Reads one job in full: what it was asked, what came of it, and every attempt that RQ keeps (the last ten)."""

from __future__ import annotations

from base64 import b64decode
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json, to_json
from redis import Redis

from mastowatch.jobs.control import checked_id
from mastowatch.jobs.records import (
    JobRow,
    answers,
    entry_time,
    epoch_moment,
    first_line,
    inflate,
    moment,
    read_row,
    text,
    traceback_of,
)
from mastowatch.jobs.refusals import Unknown

AttemptOutcome = Literal["finished", "failed", "stopped", "retried", "waited", "gave_up", "unknown"]
ATTEMPTS_MAX = 10
# rq.results.Result.Type; "waited" is a job that put itself back for later.
_OUTCOMES: dict[str, AttemptOutcome] = {
    "1": "finished",
    "2": "failed",
    "3": "stopped",
    "4": "waited",
    "5": "gave_up",
}


class Attempt(BaseModel):
    """One run of a job."""

    model_config = ConfigDict(frozen=True)

    outcome: AttemptOutcome
    at: datetime | None = Field(description="When the outcome was recorded.")
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration_s: float | None = None
    worker_name: str | None = None
    error: str | None = Field(default=None, description="First line of the error.")
    traceback: str | None = None


class JobDetail(JobRow):
    """One job with its arguments, result and attempts."""

    args: list[Any] = Field(default_factory=list)
    kwargs: dict[str, Any] = Field(default_factory=dict)
    readable: bool = Field(default=True, description="False where the arguments are no JSON: a pickle is never read.")
    result: Any = Field(default=None, description="What the last finished attempt returned.")
    result_readable: bool = True
    place: int | None = Field(
        default=None, description="How many jobs are before it on its queue; null if it is not there."
    )
    timeout_s: int | None = None
    last_heartbeat: datetime | None = None
    attempts: list[Attempt] = Field(
        default_factory=list, description="Oldest first, the last ten, also those that were tried again."
    )


def read_job(redis: Redis, job_id: str, now: float) -> JobDetail:
    """Return the job; raises Unknown. ``now`` is epoch seconds."""
    row = read_row(redis, checked_id(job_id), now)
    if row is None:
        raise Unknown(f"there is no job {job_id}; records of finished jobs are kept for RESULT_TTL seconds")
    with redis.pipeline(transaction=False) as pipe:
        pipe.hmget(f"rq:job:{job_id}", ["data", "timeout", "last_heartbeat"])
        pipe.xrevrange(f"rq:results:{job_id}", count=ATTEMPTS_MAX)
        pipe.lpos(f"rq:queue:{row.queue}", job_id)
        pipe.zscore(f"rq:scheduled:{row.queue}", job_id)
        pipe.zscore("rq:scheduler:scheduled_jobs", job_id)
        record, latest, place, due, planned = answers(pipe)
    data, timeout, heartbeat = record or (None, None, None)
    entries = list(reversed(latest or ()))
    return JobDetail.model_validate(
        row.model_dump()
        | _call(data)
        | _result(entries)
        | {
            "place": place,
            "due_at": _due(row, due, planned),
            "timeout_s": timeout if timeout and text(timeout).isdigit() else None,
            "last_heartbeat": moment(heartbeat) if row.status == "started" else None,
            "attempts": [_attempt(entry_id, payload) for entry_id, payload in entries],
        }
    )


def _call(data: bytes | None) -> dict[str, Any]:
    """Return function, args and kwargs out of RQ's JSON ``[function, instance, args, kwargs]``."""
    try:
        function, _, args, kwargs = _json(inflate(data or b""))
    except (ValueError, TypeError):
        return {"readable": False}
    if not (isinstance(function, str) and isinstance(args, list) and isinstance(kwargs, dict)):
        return {"readable": False}
    return {"function": function, "args": args, "kwargs": kwargs}


def _json(raw: bytes) -> Any:  # noqa: ANN401 -- whatever a job's JSON holds
    """Return the value; raises ValueError also for what can't be shown: NaN, half characters, endless nesting."""
    value = from_json(raw, allow_inf_nan=False)
    to_json(value)
    return value


def _result(entries: list[tuple[bytes, dict[bytes, bytes]]]) -> dict[str, Any]:
    finished = [payload for _, payload in entries if text(payload.get(b"type", b"")) == "1"]
    raw = finished[-1].get(b"return_value") if finished else None
    if raw is None:
        return {}
    try:
        return {"result": _json(b64decode(raw))}
    except ValueError:
        return {"result_readable": False}


def _attempt(entry_id: bytes, payload: dict[bytes, bytes]) -> Attempt:
    started, ended = (_epoch(payload.get(name)) for name in (b"execution_started_at", b"execution_ended_at"))
    traceback = traceback_of(payload)
    outcome = _OUTCOMES.get(text(payload.get(b"type", b"")), "unknown")
    return Attempt(
        # RQ's one type for both: a job that asked to go on later has no error.
        outcome="retried" if outcome == "waited" and traceback else outcome,
        at=entry_time(entry_id),
        started_at=started,
        ended_at=ended,
        duration_s=round((ended - started).total_seconds(), 3) if started and ended else None,
        worker_name=text(payload.get(b"worker_name", b"")) or None,
        error=first_line(traceback) if traceback else None,
        traceback=traceback,
    )


def _due(row: JobRow, due: float | None, planned: float | None) -> datetime | None:
    score = due if due is not None else planned
    return epoch_moment(score) if score is not None and row.status == "scheduled" else None


def _epoch(raw: bytes | None) -> datetime | None:
    try:
        return epoch_moment(float(raw)) if raw else None
    except ValueError:
        return None
