"""Reads how long the jobs at hand have run, and how long each may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redis import Redis

from mastowatch.jobs.records import read_rows, text


@dataclass(frozen=True, slots=True)
class Run:
    """A run that has not ended. ``ran_s``: seconds so far; ``timeout_s``: how many it may take, None if unknown."""

    ran_s: float | None
    timeout_s: int | None


def read_runs(redis: Redis, job_ids: Sequence[str], now: float) -> Mapping[str, Run]:
    """Return the runs of the jobs that are started, by job id; three round trips. ``now`` is epoch seconds."""
    rows = [row for row in read_rows(redis, job_ids, now) if row and row.status == "started"]
    if not rows:
        return {}
    with redis.pipeline(transaction=False) as pipe:
        for row in rows:
            pipe.hget(f"rq:job:{row.id}", "timeout")
        limits = [text(raw or "") for raw in pipe.execute()]
    return {
        row.id: Run(row.duration_s, int(limit) if limit.isdigit() else None)
        for row, limit in zip(rows, limits, strict=True)
    }
