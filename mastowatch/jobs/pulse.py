"""The few numbers that stand on every page and in the live stream: three round trips, whatever is in Redis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from redis import Redis
from redis.exceptions import RedisError

from mastowatch.config.settings import QUEUES
from mastowatch.jobs.records import answers, moment, text
from mastowatch.reliable.scripts import TOTALS

# A job of ours takes seconds; one that has waited this long shows that work comes in faster than it is done.
BEHIND_S = 120.0
_COUNTED = ("wip", "failed", "scheduled")
Level = Literal["ok", "note", "bad"]


class Pulse(BaseModel):
    """How the jobs stand right now, over all queues."""

    model_config = ConfigDict(frozen=True)

    waiting: int = 0
    running: int = 0
    failed: int = Field(default=0, description="Failed and stopped jobs that are still on record.")
    scheduled: int = Field(default=0, description="Jobs that wait for their time.")
    workers: int = 0
    oldest_s: float = Field(default=0.0, description="How long the longest waiting job has waited, in seconds.")
    finished_total: int = Field(default=0, description="Jobs that have finished, ever.")
    failed_total: int = Field(default=0, description="Jobs that have failed, ever.")
    redis: bool = Field(default=True, description="False while Redis does not answer; then all numbers are 0.")
    level: Level = Field(
        default="ok",
        description="bad: jobs are not done (no worker, no scheduler, a queue that falls behind, no Redis); "
        "note: there are failures to look at.",
    )


def read_pulse(redis: Redis, now: float) -> Pulse:
    """Return how the jobs stand; ``now`` is epoch seconds. Says so where Redis is away, and does not raise then."""
    try:
        return _read(redis, now)
    except RedisError:
        return Pulse(redis=False, level="bad")


def _read(redis: Redis, now: float) -> Pulse:
    with redis.pipeline(transaction=False) as pipe:
        pipe.smembers("rq:queues")
        pipe.smembers("rq:workers")
        pipe.exists("rq:scheduler_lock")
        pipe.hgetall(TOTALS)
        known, workers, leads, totals = answers(pipe)
        queues = {*QUEUES, *(text(raw).removeprefix("rq:queue:") for raw in known or ())}
        # One that died stays in the list until RQ cleans up; its registration does not.
        pipe.exists("rq:worker:", *(text(raw) for raw in workers or ()))
        for queue in queues:
            pipe.llen(f"rq:queue:{queue}")
            pipe.lindex(f"rq:queue:{queue}", 0)
            for kind in _COUNTED:
                pipe.zcard(f"rq:{kind}:{queue}")
        alive, *counts = answers(pipe)
        depths, firsts, running, failed, scheduled = (
            counts[at :: 2 + len(_COUNTED)] for at in range(2 + len(_COUNTED))
        )
        waiting = [text(raw) for raw in firsts if raw]
        for job_id in waiting:
            pipe.hget(f"rq:job:{job_id}", "enqueued_at")
        since = [moment(raw) for raw in answers(pipe)] if waiting else []
    oldest_s = max((now - at.timestamp() for at in since if at), default=0.0)
    return Pulse(
        waiting=_sum(depths),
        running=_sum(running),
        failed=_sum(failed),
        scheduled=_sum(scheduled),
        workers=alive or 0,
        oldest_s=round(max(0.0, oldest_s), 3),
        finished_total=_total(totals, b":finished"),
        failed_total=_total(totals, b":failed"),
        level=_level(well=bool(alive and leads) and oldest_s <= BEHIND_S, failed=_sum(failed)),
    )


def _level(*, well: bool, failed: int) -> Level:
    if not well:
        return "bad"
    return "note" if failed else "ok"


def _sum(counts: Sequence[int | None]) -> int:
    return sum(one or 0 for one in counts)


def _total(totals: Mapping[bytes, bytes] | None, ending: bytes) -> int:
    return sum(
        int(raw) for name, raw in (totals or {}).items() if name.endswith(ending) and raw.isdigit() and len(raw) < 16
    )
