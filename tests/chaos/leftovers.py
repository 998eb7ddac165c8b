"""Looks for what must be gone from Redis once all work is done."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from redis import Redis
from rq.utils import as_text

# What names jobs that wait, are held or run: it must be empty when all work is done.
_LISTS = "queue|wip|taken|execution|executions|scheduled|deferred|ready|failed|canceled|followups"
_WORK = re.compile(rf"rq:(({_LISTS}):|unsettled$)")
_OF_WORKER = re.compile(r"rq:worker:([^:]+)(:executions)?$")


def leftovers(redis: Redis, live_pids: Collection[int]) -> list[str]:
    """Return what should be gone once all work is done: work in any list, and workers without a process."""
    keys = [as_text(raw) for raw in redis.scan_iter("rq:*", count=5000)]
    work = [key for key in keys if _WORK.match(key)]
    return work + _of_workers(redis, keys, live_pids) + _dead_workers(redis, keys, live_pids)


def _of_workers(redis: Redis, keys: Iterable[str], live_pids: Collection[int]) -> list[str]:
    """Return what says wrongly that a living worker runs a job, and what of the dead doesn't expire by itself."""
    found = []
    for key in keys:
        match = _OF_WORKER.match(key)
        if match is None:
            continue
        lives = _pid(redis, match[1]) in live_pids
        if (lives and match[2]) or (not lives and redis.ttl(key) == -1):
            found.append(key)
    return found


def _dead_workers(redis: Redis, keys: Iterable[str], live_pids: Collection[int]) -> list[str]:
    found = []
    for key in keys:
        if key == "rq:workers" or key.startswith("rq:workers:") or key == "rq:takers":
            names = (as_text(raw).removeprefix("rq:worker:") for raw in redis.smembers(key))
            found += [f"{name} in {key}" for name in names if _pid(redis, name) not in live_pids]
    return found


def _pid(redis: Redis, name: str) -> int:
    return int(redis.hget(f"rq:worker:{name}", "pid") or 0)
