"""What has to follow the end of a job: callbacks of one that crashed, its dependents, its slot, its webhooks.

RQ does this after it has recorded the end, and what it does not come to is lost. Here the end is recorded together
with an entry in ``rq:followups``, which is taken like a job and stands in a hand until it is done. So it may be done
twice after a crash; RQ's own steps bear that. A callback that ended its process is not called again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from redis.exceptions import RedisError
from rq.callbacks import execute_failure_callback, execute_stopped_callback
from rq.exceptions import AbandonedJobError
from rq.job import Job, JobStatus
from rq.rate_limit import RateLimitRegistry
from rq.utils import as_text

from mastowatch.logs import event

if TYPE_CHECKING:
    from mastowatch.reliable.worker import ReliableWorker

log = logging.getLogger(__name__)

TRIES = 5


def follow_up(worker: ReliableWorker, job_id: str, record: dict[bytes, bytes]) -> None:
    """Follow up the job ``job_id``, whose record in Redis is ``record``; raises RedisError, nothing else."""
    tries = int(record.get(b"followup_tries", 0))
    if tries >= TRIES:
        event(log, logging.ERROR, "follow_up_given_up", tries=tries)
        return
    try:
        job = worker.job_class(job_id, connection=worker.connection, serializer=worker.serializer)
        job.restore(record)
        job._status = JobStatus(as_text(record.get(b"followup") or record[b"status"]))  # noqa: SLF001 -- a repeated job waits again already
        # With `only`, a callback or a webhook is by another hand, and the job need not have been read before.
        if record.get(b"followup_callback") and not tries and worker.only is None:
            _call_back(worker, job)
        _tell_others(worker, job)
    except RedisError:
        raise
    except Exception as error:  # noqa: BLE001 -- a record can be damaged in any way; the horse goes on
        event(log, logging.ERROR, "follow_up_failed", error=f"{type(error).__name__}: {error}", exc_info=error)


def _call_back(worker: ReliableWorker, job: Job) -> None:
    """Call what the job's own process could not; RQ itself logs what it raises."""
    try:
        if job.get_status(refresh=False) == JobStatus.STOPPED:
            execute_stopped_callback(job, worker.death_penalty_class)
        else:
            execute_failure_callback(job, worker.death_penalty_class, AbandonedJobError, AbandonedJobError(), None)
    except Exception as error:  # noqa: BLE001 -- a callback's failure changes nothing for the others
        event(log, logging.WARNING, "callback_failed", error=f"{type(error).__name__}: {error}")


def _tell_others(worker: ReliableWorker, job: Job) -> None:
    status = job.get_status(refresh=False)
    if status != JobStatus.SCHEDULED:
        queue = worker.queue_class(job.origin, connection=worker.connection, serializer=worker.serializer)
        queue.enqueue_dependents(job, refresh_job_status=False)
    if job.has_rate_limit:
        # A job that waits at the head of its queue again, or runs again already, keeps its slot.
        RateLimitRegistry.from_job(job).release_stale_and_enqueue(job.id)
    if job.webhooks and worker.only is None and status in (JobStatus.FINISHED, JobStatus.FAILED):
        latest = job.latest_result() if status == JobStatus.FAILED else None
        job.send_webhooks(status, exc_string=latest.exc_string if latest else None)
