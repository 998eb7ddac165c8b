"""Sets a job aside whose record can't be read: failed, out of every list, and left as it is for whoever looks.

RQ's own classes can't do that, as they would have to read the record first; and a worker that dies of it would die
again and again, since a dead worker's job goes back to the front of its queue.
"""

from __future__ import annotations

import logging

from redis import Redis
from rq.results import Result

from mastowatch.logs import event
from mastowatch.reliable.serializer import JsonJob

log = logging.getLogger(__name__)

KEPT_S = 86400


def set_aside(redis: Redis, job_id: str, queue: str, reason: str, now: float) -> None:
    """Fail the job ``job_id`` of ``queue`` for ``reason``; ``now`` is epoch seconds. Kept for a day."""
    with redis.pipeline() as pipe:
        pipe.hset(f"rq:job:{job_id}", "status", "failed")
        pipe.expire(f"rq:job:{job_id}", KEPT_S)
        pipe.zadd(f"rq:failed:{queue}", {job_id: now + KEPT_S})
        job = JsonJob(id=job_id, connection=redis)  # the id alone: nothing of the record is read
        Result.create_failure(job, KEPT_S, exc_string=f"Refused: {reason}.", worker_name="", pipeline=pipe)
        pipe.execute()
    event(log, logging.ERROR, "job_refused", job_id=job_id, queue=queue, reason=reason)
