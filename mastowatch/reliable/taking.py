"""Takes a job from the first queue that has one, in one atomic step: it is never in no list.

The id moves into a list that belongs to the worker and stays there until the job has ended, so that whatever
happens to the worker, ``recovery`` finds it. Keys: ``rq:taken:<worker>`` (a list) and ``rq:takers`` (the set of
workers that may have one; to take is to be in it, so that no restart of Redis can part the two).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from redis import Redis
from rq.utils import as_text

from mastowatch.logs import event

log = logging.getLogger(__name__)

TAKERS = "rq:takers"

_TAKE = """
for i = 2, #KEYS do
  local id = redis.call('LMOVE', KEYS[i], KEYS[1], 'LEFT', 'LEFT')
  if id then
    redis.call('SADD', 'rq:takers', ARGV[1])
    return {KEYS[i], id}
  end
end
return false
"""

_FORGET = "if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('SREM', KEYS[1], ARGV[1]) end"


def taken_key(worker_name: str) -> str:
    """Return the key of the worker's list."""
    return f"rq:taken:{worker_name}"


class Taker:
    """One worker's hand: takes from ``queue_keys``, the most urgent first."""

    def __init__(self, redis: Redis, worker_name: str, queue_keys: Sequence[str]) -> None:
        self._redis, self._name = redis, worker_name
        self._keys = [taken_key(worker_name), *queue_keys]
        self._take = redis.register_script(_TAKE)

    def take(self) -> tuple[str, str] | None:
        """Return (queue key, job id), or None if all queues are empty."""
        found = self._take(keys=self._keys, args=[self._name])
        if not found:
            return None
        job_id = readable(self._redis, self._keys[0], found[1])
        return (as_text(found[0]), job_id) if job_id is not None else None

    def held(self) -> list[str]:
        """Return the ids of the jobs in hand."""
        return held_by(self._redis, self._name)

    def done(self, job_id: str) -> None:
        """Let go of a job that has ended or is on a queue again."""
        self._redis.lrem(self._keys[0], 0, job_id)

    def unregister(self) -> None:
        """Leave, if nothing is in hand; with a job in hand the name stays for recovery."""
        forget_taker(self._redis, self._name)


def held_by(redis: Redis, name: str) -> list[str]:
    """Return the ids of the jobs in the hand of ``name``."""
    key = taken_key(name)
    found = (readable(redis, key, raw) for raw in redis.lrange(key, 0, -1))
    return [job_id for job_id in found if job_id is not None]


def readable(redis: Redis, key: str, raw: bytes | str) -> str | None:
    """Return the id ``raw`` as text; what is no text is no id of RQ's and is dropped from the hand ``key``."""
    try:
        return as_text(raw)
    except UnicodeDecodeError:
        redis.lrem(key, 0, raw)  # type: ignore[arg-type]  # redis-py takes bytes too
        event(log, logging.ERROR, "job_refused", hand=key, reason="its id is no text")
        return None


def forget_taker(redis: Redis, name: str) -> None:
    """Take ``name`` out of the takers if its hand is empty, in one step: it may be taking right now."""
    redis.register_script(_FORGET)(keys=[TAKERS, taken_key(name)], args=[name])
