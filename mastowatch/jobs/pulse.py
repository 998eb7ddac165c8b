"""The few numbers that stand on every page and in the live stream: two round trips, whatever is in Redis."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from redis import Redis
from redis.exceptions import RedisError

from mastowatch.jobs.listing import all_queues
from mastowatch.reliable.facts import queue_facts

# A job of ours takes seconds; one that has waited this long shows that work comes in faster than it is done.
BEHIND_S = 120.0
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
    queues = queue_facts(redis, all_queues(redis), now)
    workers = int(redis.scard("rq:workers"))
    alive = bool(redis.exists("rq:scheduler_lock"))
    oldest = max((one.oldest_s for one in queues), default=0.0)
    failed = sum(one.failed for one in queues)
    well = bool(workers) and alive and oldest <= BEHIND_S
    return Pulse(
        waiting=sum(one.depth for one in queues),
        running=sum(one.started for one in queues),
        failed=failed,
        scheduled=sum(one.scheduled for one in queues),
        workers=workers,
        oldest_s=oldest,
        finished_total=sum(one.finished_total for one in queues),
        failed_total=sum(one.failed_total for one in queues),
        level="bad" if not well else "note" if failed else "ok",
    )
