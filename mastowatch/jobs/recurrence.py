"""Reads how the recurring jobs stand: next run, last run, its outcome, ticks that were left out, and pauses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from redis import Redis

from mastowatch.jobs.records import JobRow, epoch_moment, read_rows, text
from mastowatch.reliable.scheduler import INTERVALS, LAST_TICK, PAUSED, PLANNED, SKIPPED, Recurring, read_interval

_LOCK = "rq:scheduler_lock"


class RecurringRow(BaseModel):
    """A recurring job."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "example": {
                "id": "poll_admin_accounts",
                "description": "poll_admin_accounts()",
                "queue": "default",
                "interval_s": 30,
                "next_run_at": "2026-03-01T12:00:30Z",
                "last_run_at": "2026-03-01T12:00:00.200000Z",
                "last_status": "finished",
                "last_duration_s": 1.9,
                "skipped": 0,
                "paused": False,
                "default_interval_s": 30,
                "changed_by": None,
                "changed_at": None,
            }
        },
    )

    id: str
    description: str
    queue: str
    interval_s: int
    next_run_at: datetime | None = Field(description="When it goes on its queue; null while paused or not planned.")
    last_run_at: datetime | None = Field(description="When it last went on its queue.")
    last_status: str | None = Field(description="Status of that run; null before the first.")
    last_duration_s: float | None = None
    skipped: int = Field(description="Ticks left out so far, because the run before still waited or ran.")
    paused: bool = Field(default=False, description="Whether its ticks pass without a run, until it is resumed.")
    default_interval_s: int = Field(default=0, description="The interval of the settings.")
    changed_by: str | None = Field(default=None, description="Who set another interval; null: it is the settings'.")
    changed_at: datetime | None = Field(default=None, description="When that was.")


def recurring_rows(redis: Redis, schedule: Sequence[Recurring], now: float) -> list[RecurringRow]:
    """Return a row for each recurring job; ``now`` is epoch seconds."""
    ids = [one.id for one in schedule]
    if not ids:
        return []
    with redis.pipeline(transaction=False) as pipe:
        for job_id in ids:
            pipe.zscore(PLANNED, job_id)
        pipe.hmget(LAST_TICK, ids)
        pipe.hmget(SKIPPED, ids)
        pipe.smismember(PAUSED, ids)
        pipe.hmget(INTERVALS, ids)
        *planned, ticks, skipped, paused, changed = pipe.execute()
    records = read_rows(redis, ids, now)
    return [_row(*facts) for facts in zip(schedule, planned, ticks, skipped, paused, changed, records, strict=True)]


def scheduler_alive(redis: Redis) -> bool:
    """Return whether a scheduler leads: its lock runs out seconds after its last step."""
    return bool(redis.exists(_LOCK))


def _row(
    one: Recurring,
    planned: float | None,
    tick: Any,  # noqa: ANN401 -- redis-py gives bytes or str
    skipped: Any,  # noqa: ANN401 -- the same
    paused: int,
    changed: Any,  # noqa: ANN401 -- the same
    record: JobRow | None,
) -> RecurringRow:
    interval = read_interval(changed)
    return RecurringRow(
        id=one.id,
        description=one.description,
        queue=one.queue,
        interval_s=interval.every_s if interval else one.every_s,
        next_run_at=None if paused else _moment(planned),
        last_run_at=_moment(tick),
        # Before its first run the record exists already, planned by the scheduler.
        last_status=record.status if record and tick else None,
        last_duration_s=record.duration_s if record and tick else None,
        skipped=_count(skipped),
        paused=bool(paused),
        default_interval_s=one.every_s,
        changed_by=interval.by if interval else None,
        changed_at=_moment(interval.at) if interval else None,
    )


def _moment(epoch: Any) -> datetime | None:  # noqa: ANN401 -- redis-py gives bytes, str or float
    try:
        return epoch_moment(float(epoch)) if epoch is not None else None
    except ValueError:
        return None


def _count(raw: Any) -> int:  # noqa: ANN401 -- redis-py gives bytes or str
    written = text(raw or "")
    return int(written) if written.isascii() and written.isdigit() and len(written) < 16 else 0
