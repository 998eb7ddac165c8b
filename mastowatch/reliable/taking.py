"""Takes a job from the first queue that has one, in one atomic step: it is never in no list.

The id moves into a list that belongs to the worker and stays there until the job has ended, so that whatever
happens to the worker, ``recovery`` finds it. Keys: ``rq:taken:<worker>`` (a list) and ``rq:takers`` (the set of
workers that may have one).
"""

from __future__ import annotations

from collections.abc import Sequence

from redis import Redis
from rq.utils import as_text

TAKERS = "rq:takers"

_TAKE = """
for i = 2, #KEYS do
  local id = redis.call('LMOVE', KEYS[i], KEYS[1], 'LEFT', 'LEFT')
  if id then return {KEYS[i], id} end
end
return false
"""


def taken_key(worker_name: str) -> str:
    """Return the key of the worker's list."""
    return f"rq:taken:{worker_name}"


class Taker:
    """One worker's hand: takes from ``queue_keys``, the most urgent first."""

    def __init__(self, redis: Redis, worker_name: str, queue_keys: Sequence[str]) -> None:
        self._redis, self._name = redis, worker_name
        self._keys = [taken_key(worker_name), *queue_keys]
        self._take = redis.register_script(_TAKE)

    def register(self) -> None:
        """Say that this worker may hold jobs; before the first take, so that none is overlooked."""
        self._redis.sadd(TAKERS, self._name)

    def take(self) -> tuple[str, str] | None:
        """Return (queue key, job id), or None if all queues are empty."""
        found = self._take(keys=self._keys)
        return (as_text(found[0]), as_text(found[1])) if found else None

    def held(self) -> list[str]:
        """Return the ids of the jobs in hand."""
        return [as_text(job_id) for job_id in self._redis.lrange(self._keys[0], 0, -1)]

    def done(self, job_id: str) -> None:
        """Let go of a job that has ended or is on a queue again."""
        self._redis.lrem(self._keys[0], 0, job_id)

    def unregister(self) -> None:
        """Leave, if nothing is in hand; with a job in hand the name stays for recovery."""
        if not self._redis.exists(self._keys[0]):
            self._redis.srem(TAKERS, self._name)
