"""Puts a job with a fixed id on its queue at most once, even when two do so in the same moment."""

from __future__ import annotations

from typing import Any

from rq.exceptions import DuplicateJobError
from rq.job import Job
from rq.queue import Queue

# A job that has ended gives its id free, in one step: another one that is queued or running never does.
_FORGET_ENDED = """
local status = redis.call('HGET', KEYS[1], 'status')
if not status then
  redis.call('DEL', KEYS[1])
  return 1
end
for i = 2, #ARGV do
  if status == ARGV[i] then
    for k = 2, 5 do redis.call('ZREM', KEYS[k], ARGV[1]) end
    redis.call('DEL', KEYS[1], KEYS[6])
    return 1
  end
end
return 0
"""
_ENDED = ("finished", "failed", "stopped", "canceled")


def enqueue_once(queue: Queue, func: str, *, job_id: str, **options: Any) -> Job | None:  # noqa: ANN401 -- RQ's options
    """Enqueue the function at the import path ``func``; None if a job of that id still waits, is delayed, or runs.

    ``options`` are those of ``rq.Queue.enqueue`` (args, kwargs, job_timeout, retry, ...). The record of an
    earlier job of that id that has ended is replaced.
    """
    if not _forget_ended(queue, job_id):
        return None
    try:
        job: Job = queue.enqueue(func, job_id=job_id, unique=True, **options)
    except DuplicateJobError:
        return None
    return job


def _forget_ended(queue: Queue, job_id: str) -> bool:
    keys = [
        f"rq:job:{job_id}",
        queue.finished_job_registry.key,
        queue.failed_job_registry.key,
        queue.canceled_job_registry.key,
        queue.scheduled_job_registry.key,
        f"rq:results:{job_id}",
    ]
    script = queue.connection.register_script(_FORGET_ENDED)
    return bool(script(keys=keys, args=[job_id, *_ENDED]))
