"""The job of all runs: it has one effect, in the middle, and sleeps around it so that hits fall in every phase."""

from __future__ import annotations

import functools
import os
import time

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.chaos.marks import leave

MARKS, TOUCHED, LIFE = "CHAOS_MARKS", "CHAOS_TOUCHED", "CHAOS_LIFE"


def effect(job: str, before_s: float, after_s: float) -> str:
    """Have the effect once. With a Redis to touch, fail if that one is away, as a job of MastoWatch would."""
    marks, life = _redis(MARKS, os.getpid()), os.environ[LIFE].partition(".")[2]
    leave(marks, "begin", job, life)
    time.sleep(before_s)
    if os.environ.get(TOUCHED):
        _redis(TOUCHED, os.getpid()).incr("touched")
    leave(marks, "effect", job, life)
    time.sleep(after_s)
    leave(marks, "end", job, life)
    return job


@functools.cache
def _redis(variable: str, pid: int) -> Redis:
    """Return a connection of this process' own: one inherited by a fork would mix up the answers."""
    del pid
    return Redis.from_url(os.environ[variable], retry=Retry(NoBackoff(), 0))
