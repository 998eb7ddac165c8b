"""The figures that stand in the header of every page."""

from __future__ import annotations

from dataclasses import dataclass

from redis import Redis

from mastowatch.jobs.listing import all_queues
from mastowatch.reliable.facts import queue_facts


@dataclass(frozen=True, slots=True)
class HeaderCounters:
    """Sums over all queues; ``oldest_s`` is the age of the job that has waited longest, in seconds."""

    waiting: int
    running: int
    failed: int
    workers: int
    oldest_s: float


def read_counters(redis: Redis, now: float) -> HeaderCounters:
    """Return the counters as of ``now`` (epoch seconds): a few round trips, nothing written."""
    facts = queue_facts(redis, all_queues(redis), now)
    return HeaderCounters(
        waiting=sum(one.depth for one in facts),
        running=sum(one.started for one in facts),
        failed=sum(one.failed for one in facts),
        workers=int(redis.scard("rq:workers")),
        oldest_s=max((one.oldest_s for one in facts if one.depth), default=0.0),
    )
