"""Reads the workers that are registered: what each does, when it was last heard of, how much it has done."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from redis import Redis
from rq.command import send_shutdown_command

from mastowatch.jobs.context import DRY_RUN_SWITCH
from mastowatch.jobs.control import ensure_listening
from mastowatch.jobs.records import answers, moment, text
from mastowatch.jobs.refusals import Unknown

_FIELDS = (
    "state",
    "queues",
    "hostname",
    "pid",
    "birth",
    "last_heartbeat",
    "successful_job_count",
    "failed_job_count",
    "total_working_time",
    "dry_run",
    "rules",
)
_COUNT = re.compile(r"[0-9]{1,15}", re.ASCII)
_SECONDS_MAX = 1e12


class WorkerRow(BaseModel):
    """A registered worker."""

    model_config = ConfigDict(frozen=True)

    name: str
    state: str = Field(description="idle, busy or suspended (the panic stop).")
    queues: list[str] = Field(description="Most urgent first.")
    hostname: str
    pid: int | None
    current_job_id: str | None
    started_at: datetime | None
    last_heartbeat: datetime | None
    finished: int = Field(description="Jobs that it has finished since its start.")
    failed: int
    working_s: float = Field(description="Seconds that it has worked since its start.")
    dry_run: bool | None = Field(default=None, description="Whether it rehearses: judges, but files nothing.")
    rules: str | None = Field(default=None, description="The digest of the rules that it has in force.")


def read_workers(redis: Redis) -> list[WorkerRow]:
    """Return the registered workers by name; one that died drops out within its registration's life (9 s)."""
    names = sorted(text(raw).removeprefix("rq:worker:") for raw in redis.smembers("rq:workers"))
    if not names:
        return []
    with redis.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.hmget(f"rq:worker:{name}", list(_FIELDS))
            pipe.smembers(f"rq:worker:{name}:executions")
        pipe.exists(DRY_RUN_SWITCH)
        # What is of another type where a worker's record should be is nobody's worker, and hides no other.
        *found, rehearsing = answers(pipe)
    rows = zip(names, found[::2], found[1::2], strict=True)
    return [_row(name, values, executions, bool(rehearsing)) for name, values, executions in rows if any(values or ())]


def stop_worker(redis: Redis, name: str) -> None:
    """Have the worker finish the job at hand and end; raises Unknown, or WrongState if it hears no commands."""
    if not redis.sismember("rq:workers", f"rq:worker:{name}") or not redis.exists(f"rq:worker:{name}"):
        raise Unknown(f"there is no worker {name!r}; the list of workers has those that are registered")
    ensure_listening(redis, name, "if it died, its registration runs out within 9 seconds")
    send_shutdown_command(redis, name)


def unit_of(worker: str) -> str:
    """Return the unit of a worker on its host, by its name: host-instance-pid-random."""
    parts = worker.rsplit("-", 3)
    return f"mastowatch-worker@{parts[1] if len(parts) == 4 and parts[1].isdigit() else 'N'}"


def _row(name: str, values: Sequence[Any], executions: set[Any] | None, rehearsing: bool) -> WorkerRow:  # noqa: FBT001
    fields = {key: text(raw) if raw is not None else "" for key, raw in zip(_FIELDS, values, strict=True)}
    dry_run = {"true": True, "false": False}.get(fields["dry_run"])
    jobs = sorted(text(raw).partition(":")[0] for raw in executions or ())
    return WorkerRow(
        name=name,
        state=fields["state"] or "unknown",
        queues=[queue for queue in fields["queues"].split(",") if queue],
        hostname=fields["hostname"],
        pid=_whole(fields["pid"]) or None,
        current_job_id=jobs[0] if jobs else None,
        started_at=moment(fields["birth"]),
        last_heartbeat=moment(fields["last_heartbeat"]),
        finished=_whole(fields["successful_job_count"]),
        failed=_whole(fields["failed_job_count"]),
        working_s=_seconds(fields["total_working_time"]),
        # Its settings, or the switch, which counts for all.
        dry_run=dry_run if dry_run is None else dry_run or rehearsing,
        rules=fields["rules"] or None,
    )


def _whole(written: str) -> int:
    """Return a count, 0 for what is none."""
    return int(written) if _COUNT.fullmatch(written) else 0


def _seconds(written: str) -> float:
    try:
        found = float(written or 0)
    except ValueError:
        return 0.0
    return round(found, 3) if 0 <= found < _SECONDS_MAX else 0.0
