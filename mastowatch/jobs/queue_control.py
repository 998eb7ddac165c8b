"""Pauses and resumes queues, for people."""

from __future__ import annotations

from redis import Redis

from mastowatch.jobs.listing import all_queues
from mastowatch.jobs.refusals import Unknown
from mastowatch.reliable import pausing
from mastowatch.reliable.pausing import Paused, paused_queues

__all__ = ["Paused", "known", "pause", "paused_queues", "resume"]


def known(redis: Redis, queue: str) -> str:
    """Return the queue's name; raises Unknown, naming the queues there are."""
    names = all_queues(redis)
    if queue not in names:
        raise Unknown(f"there is no queue {queue!r}; there are: {', '.join(names)}")
    return queue


def pause(redis: Redis, queue: str, by: str, now: float) -> bool:
    """Have no worker take a job of the queue; False if it is paused already, and stays as it was. Raises Unknown."""
    return pausing.pause(redis, known(redis, queue), by, now)


def resume(redis: Redis, queue: str) -> bool:
    """Let its jobs be taken again; False if it was not paused. Raises Unknown."""
    # A queue that RQ has forgotten since may still be paused.
    if pausing.resume(redis, queue):
        return True
    known(redis, queue)
    return False
