"""The marks that a job leaves when it begins, takes effect and ends: which job, in which process, when.

They are on a redis-server of their own: what happened must stay known whatever is done to the queues' Redis.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace

from redis import Redis
from rq.utils import as_text

from tests.chaos.ledger import Execution

KEY = "marks"


def leave(redis: Redis, what: str, job: str, life: str) -> None:
    """Note that ``job`` has come to ``what`` (begin, effect, end). The time is taken before it is sent."""
    redis.rpush(KEY, f"{what} {job} {life} {os.getpid()} {time.monotonic():.6f}")


def executions(redis: Redis) -> list[Execution]:
    """Return all runs of all jobs, as far as they came."""
    found: list[Execution] = []
    latest: dict[tuple[str, str, int], int] = {}
    for raw in redis.lrange(KEY, 0, -1):
        what, job, life, pid, at = as_text(raw).split()
        key = (job, life, int(pid))
        if what == "begin":
            latest[key] = len(found)
            found.append(Execution(job, life, int(pid), float(at)))
        elif what == "effect":
            found[latest[key]] = replace(found[latest[key]], effect=float(at))
        else:
            found[latest[key]] = replace(found[latest[key]], end=float(at))
    return found
