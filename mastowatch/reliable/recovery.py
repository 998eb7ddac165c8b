"""Brings back the jobs of dead workers, and settles what a worker finds in its own hand after trouble.

A job in a dead worker's hand goes back to the front of its queue. If it had begun, that costs it one of its
retries, or it fails with a text that says what happened. A job that has ended is only let go.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from redis import Redis
from redis.exceptions import RedisError
from rq.exceptions import NoSuchJobError
from rq.job import Job, JobStatus
from rq.utils import as_text

from mastowatch.logs import event
from mastowatch.reliable.refusal import set_aside
from mastowatch.reliable.taking import TAKERS, forget_taker, held_by, taken_key

if TYPE_CHECKING:
    from mastowatch.reliable.worker import ReliableWorker

log = logging.getLogger(__name__)

# Back to the front of its queue, out of the dead hand, in one step. A recovery that died after a retry has left
# the id on its queue already; then it is only let go.
_PUT_BACK = """
if redis.call('LREM', KEYS[1], 0, ARGV[1]) == 0 then return 0 end
if redis.call('LPOS', KEYS[2], ARGV[1]) then return 0 end
redis.call('SADD', 'rq:queues', KEYS[2])
redis.call('LPUSH', KEYS[2], ARGV[1])
return 1
"""


def recover_dead(worker: ReliableWorker) -> int:
    """Settle the hands of workers whose registration has run out; return how many jobs were brought back."""
    redis = worker.connection
    count = 0
    for raw in redis.smembers(TAKERS):
        name = as_text(raw)
        if name == worker.name or redis.exists(f"rq:worker:{name}"):
            continue
        count += settle(worker, name, "its worker died")
        forget_taker(redis, name)
    return count


def settle(worker: ReliableWorker, holder: str, what_happened: str) -> int:
    """Settle every job in the hand of ``holder``; return how many went back or were retried."""
    redis = worker.connection
    count = 0
    for job_id in held_by(redis, holder):
        status = _status(redis, job_id)
        if status in (JobStatus.QUEUED, JobStatus.STARTED):
            count += _bring_back(worker, holder, job_id, status, what_happened)
        else:
            redis.lrem(taken_key(holder), 0, job_id)
    return count


def _status(redis: Redis, job_id: str) -> str | None:
    raw = redis.hget(f"rq:job:{job_id}", "status")
    return as_text(raw) if raw else None


def _bring_back(worker: ReliableWorker, holder: str, job_id: str, status: str, what_happened: str) -> int:
    redis = worker.connection
    queue_key = redis.hget(f"rq:job:{job_id}", "origin")
    origin = as_text(queue_key) if queue_key else worker.queues[0].name
    _forget_executions(redis, origin, job_id)
    if status == JobStatus.QUEUED:
        script = redis.register_script(_PUT_BACK)
        moved = int(script(keys=[taken_key(holder), f"rq:queue:{origin}"], args=[job_id]))
    else:
        # Retried before it is let go: dying in between costs nothing, the other order would cost the job.
        _retry_or_fail(worker, origin, job_id, what_happened)
        moved = int(redis.lrem(taken_key(holder), 0, job_id))
    event(log, logging.WARNING, "job_recovered", job_id=job_id, queue=origin, holder=holder, reason=what_happened)
    return moved


def _retry_or_fail(worker: ReliableWorker, origin: str, job_id: str, what_happened: str) -> None:
    try:
        job: Job = worker.job_class.fetch(job_id, connection=worker.connection, serializer=worker.serializer)
        queue = worker.queue_class(origin, connection=worker.connection, serializer=worker.serializer)
        worker.handle_job_failure(job, queue, exc_string=f"The job had begun when {what_happened}.")
    except NoSuchJobError:
        return
    except RedisError:
        raise
    except Exception as error:  # noqa: BLE001 -- a record can be damaged in any way, and must end here
        set_aside(worker.connection, job_id, origin, f"its record can't be read: {type(error).__name__}", time.time())


def _forget_executions(redis: Redis, origin: str, job_id: str) -> None:
    """Remove what says that the job runs: left behind, it would later end a second, healthy run."""
    started = f"rq:wip:{origin}"
    for raw in redis.zscan_iter(started, match=f"{job_id}:*"):
        member = as_text(raw[0])
        redis.zrem(started, member)
        redis.delete(f"rq:execution:{member}")
    redis.delete(f"rq:executions:{job_id}")
