"""Cancels, stops and requeues jobs, each in one atomic step: what a worker takes meanwhile is not touched."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Literal

from redis import Redis
from rq.command import send_command

from mastowatch.jobs.records import text
from mastowatch.jobs.refusals import Unknown, WrongState

_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")
Canceled = Literal["canceled", "stopping"]

# KEYS: job, queue, scheduled, deferred, ready, canceled, planned recurring jobs. ARGV: job id, now, seconds to keep.
# A canceled job and its entry would otherwise stay for ever: RQ cleans this registry never.
_CANCEL = """
local status = redis.call('HGET', KEYS[1], 'status')
if not status then return 'unknown' end
if status == 'queued' then
  if redis.call('LREM', KEYS[2], 0, ARGV[1]) == 0 then return 'taken' end
elseif status == 'scheduled' then
  if redis.call('ZREM', KEYS[3], ARGV[1]) == 0 and redis.call('ZSCORE', KEYS[7], ARGV[1]) then return 'recurring' end
elseif status == 'deferred' then redis.call('ZREM', KEYS[4], ARGV[1])
elseif status == 'ready_to_enqueue' then redis.call('ZREM', KEYS[5], ARGV[1])
elseif status == 'rate_limited' then
  redis.call('ZREM', 'rq:rl:' .. (redis.call('HGET', KEYS[1], 'rate_limit_key') or '') .. ':rate_limited', ARGV[1])
else return status end
redis.call('HSET', KEYS[1], 'status', 'canceled')
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[6], '-inf', tonumber(ARGV[2]) - tonumber(ARGV[3]))
redis.call('ZADD', KEYS[6], ARGV[2], ARGV[1])
return 'done'
"""

# KEYS: job, queue, failed, finished, canceled. ARGV: job id, now as RQ writes it, retries or ''
_REQUEUE = """
local status = redis.call('HGET', KEYS[1], 'status')
if not status then return 'unknown' end
if status ~= 'failed' and status ~= 'stopped' and status ~= 'canceled' and status ~= 'finished' then return status end
for k = 3, 5 do redis.call('ZREM', KEYS[k], ARGV[1]) end
redis.call('HSET', KEYS[1], 'status', 'queued', 'enqueued_at', ARGV[2], 'started_at', '', 'ended_at', '')
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'retries_left', ARGV[3]) end
redis.call('PERSIST', KEYS[1])
redis.call('SADD', 'rq:queues', KEYS[2])
redis.call('RPUSH', KEYS[2], ARGV[1])
return 'done'
"""


def checked_id(job_id: str) -> str:
    """Return the id if it may be one; raises Unknown: nothing else can name a job, or a key in Redis."""
    if not _JOB_ID.fullmatch(job_id):
        raise Unknown("a job id has letters, digits, _ and - only")
    return job_id


def cancel(redis: Redis, job_id: str, now: float, *, keep_s: int) -> Canceled:
    """Cancel a job that waits, or have the worker stop one that runs.

    ``now`` is epoch seconds; the record of a canceled job is kept ``keep_s`` seconds.
    Raises Unknown, or WrongState for a job that has ended or is between the two.
    """
    queue = _queue_of(redis, job_id)
    registries = [f"rq:{kind}:{queue}" for kind in ("queue", "scheduled", "deferred", "ready", "canceled")]
    script = redis.register_script(_CANCEL)
    keys = [f"rq:job:{job_id}", *registries, "rq:scheduler:scheduled_jobs"]
    outcome = text(script(keys=keys, args=[job_id, now, keep_s]))
    if outcome == "done":
        return "canceled"
    if outcome == "started":
        return _stop(redis, job_id)
    if outcome == "unknown":
        raise _unknown(job_id)
    raise WrongState(_WHY_NOT.get(outcome, f"job {job_id} is {outcome}; only what waits or runs can be canceled"))


_WHY_NOT = {
    "taken": "a worker is taking this job right now; ask again in a second to have it stopped",
    "recurring": "this job recurs and would be queued again; pause it instead (POST /jobs/recurring/{id}/pause)",
}


def requeue(redis: Redis, job_id: str, now: float) -> None:
    """Put a job that has ended on its queue again, with all its retries; raises Unknown or WrongState."""
    queue = _queue_of(redis, job_id)
    keys = [f"rq:job:{job_id}", *(f"rq:{kind}:{queue}" for kind in ("queue", "failed", "finished", "canceled"))]
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    script = redis.register_script(_REQUEUE)
    outcome = text(script(keys=keys, args=[job_id, moment, _retries(redis, job_id)]))
    if outcome == "unknown":
        raise _unknown(job_id)
    if outcome != "done":
        raise WrongState(f"job {job_id} is {outcome}; only what has ended can be queued again")


def _stop(redis: Redis, job_id: str) -> Canceled:
    """Tell the worker to stop the job; raises WrongState if the worker does not listen."""
    worker = text(redis.hget(f"rq:job:{job_id}", "worker_name") or "")
    listening = dict(redis.pubsub_numsub(f"rq:pubsub:{worker}"))
    if not any(listening.values()):
        raise WrongState(f"the worker {worker} does not listen; if it died, the job comes back within 15 seconds")
    send_command(redis, worker, "stop-job", job_id=job_id)
    return "stopping"


def _queue_of(redis: Redis, job_id: str) -> str:
    raw = redis.hget(f"rq:job:{checked_id(job_id)}", "origin")
    if raw is None:
        raise _unknown(job_id)
    return text(raw)


def _retries(redis: Redis, job_id: str) -> int | str:
    # RQ forgets how many retries a job began with, but not the pauses between them.
    raw = redis.hget(f"rq:job:{job_id}", "retry_intervals")
    try:
        pauses = json.loads(raw) if raw else None
    except ValueError:
        return ""
    return len(pauses) if isinstance(pauses, list) else ""


def _unknown(job_id: str) -> Unknown:
    return Unknown(f"there is no job {job_id}; records of finished jobs are kept for RESULT_TTL seconds")
