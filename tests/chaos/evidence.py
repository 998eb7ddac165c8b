"""Reads from Redis where the jobs of a run stand, without a call of RQ's: some of those clean up as they read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from redis import Redis
from rq.utils import as_text

from tests.chaos.ledger import JobState

_SUCCESSFUL = b"1"  # rq.results.Result.Type


def waiting(redis: Redis, queues: Sequence[str]) -> int:
    """Return how many jobs wait on the queues."""
    return sum(redis.llen(f"rq:queue:{name}") for name in queues)


def unfinished(redis: Redis, job_ids: Iterable[str]) -> list[str]:
    """Return those of the jobs that are not finished."""
    ids = list(job_ids)
    return [job_id for job_id, status in zip(ids, _statuses(redis, ids), strict=True) if status != "finished"]


def job_states(redis: Redis, acknowledged: Mapping[str, str], repeated: Collection[str]) -> list[JobState]:
    """Return how each acknowledged job (id: queue) stands; for the ``repeated`` also how often it succeeded."""
    ids = list(acknowledged)
    statuses = dict(zip(ids, _statuses(redis, ids), strict=True))
    places = _places(redis, {job_id for job_id in ids if statuses[job_id] != "finished"})
    return [
        JobState(
            job_id,
            acknowledged[job_id],
            statuses[job_id],
            tuple(places[job_id]),
            _successes(redis, job_id) if job_id in repeated else 0,
            {} if statuses[job_id] == "finished" else _record(redis, job_id),
        )
        for job_id in ids
    ]


def _statuses(redis: Redis, ids: Sequence[str]) -> list[str]:
    with redis.pipeline(transaction=False) as pipe:
        for job_id in ids:
            pipe.hget(f"rq:job:{job_id}", "status")
        return [as_text(raw) if raw else "no record" for raw in pipe.execute()]


def _places(redis: Redis, ids: Collection[str]) -> dict[str, list[str]]:
    """Return which lists, sets and registries name each of the jobs, whatever engine made them."""
    places: dict[str, list[str]] = defaultdict(list)
    if not ids:
        return places
    for kind in ("list", "set", "zset"):
        for raw in redis.scan_iter("rq:*", count=5000, _type=kind):
            key = as_text(raw)
            for member in () if key.startswith("rq:finished:") else _members(redis, kind, key):
                job_id = member.partition(":")[0]  # a started job is named with its execution
                if job_id in ids:
                    places[job_id].append(key)
    return places


def _members(redis: Redis, kind: str, key: str) -> list[str]:
    if kind == "list":
        found: Iterable[Any] = redis.lrange(key, 0, -1)
    else:
        found = redis.smembers(key) if kind == "set" else redis.zrange(key, 0, -1)
    return [raw.decode(errors="replace") for raw in found]


def _successes(redis: Redis, job_id: str) -> int:
    """Return how many executions are recorded as successful. The record of one may have been written twice."""
    results: list[Any] = redis.xrange(f"rq:results:{job_id}") or []
    return len({fields.get(b"execution_id", at) for at, fields in results if fields.get(b"type") == _SUCCESSFUL})


def _record(redis: Redis, job_id: str) -> dict[str, str]:
    wanted = ("enqueued_at", "started_at", "ended_at", "last_heartbeat", "worker_name", "retries_left")
    values: list[Any] = redis.hmget(f"rq:job:{job_id}", wanted)
    return {name: raw.decode(errors="replace") for name, raw in zip(wanted, values, strict=True) if raw}
