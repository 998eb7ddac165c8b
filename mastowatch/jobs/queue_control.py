"""Pauses and resumes queues, and empties their failed jobs, for people."""

from __future__ import annotations

from redis import Redis

from mastowatch.jobs.listing import all_queues
from mastowatch.jobs.refusals import Unknown, WrongState
from mastowatch.reliable import pausing
from mastowatch.reliable.pausing import Paused, paused_queues

__all__ = ["Paused", "known", "pause", "paused_queues", "resume"]


def known(redis: Redis, queue: str) -> str:
    """Return the queue's name; raises Unknown, naming the queues there are."""
    names = all_queues(redis)
    if queue not in names:
        raise Unknown(f"there is no queue {queue!r}; there are: {', '.join(names)}")
    return queue


def pause(redis: Redis, queue: str, by: str, now: float) -> None:
    """Have no worker take a job of the queue; raises Unknown, or WrongState if it is paused already."""
    if not pausing.pause(redis, known(redis, queue), by, now):
        raise WrongState(f"the queue {queue} is paused already")


def resume(redis: Redis, queue: str) -> None:
    """Let its jobs be taken again; raises Unknown, or WrongState if it is not paused."""
    # A queue that RQ has forgotten since may still be paused.
    if not pausing.resume(redis, queue):
        raise WrongState(f"the queue {known(redis, queue)} is not paused")
