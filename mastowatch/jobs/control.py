"""Changes one job because a person asks, in one atomic step: what a worker takes meanwhile is not touched."""

from __future__ import annotations

import re
from typing import Literal

from redis import Redis
from rq.command import send_command

from mastowatch.jobs.changes import change
from mastowatch.jobs.records import text
from mastowatch.jobs.refusals import Refusal, Unknown, WrongState

_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")
Canceled = Literal["canceled", "stopping"]


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
    (outcome,) = change(redis, "cancel", [checked_id(job_id)], now, keep_s=keep_s)
    if outcome == "done":
        return "canceled"
    if outcome == "started":
        return stop(redis, job_id)
    raise _refusal(job_id, outcome, "only what waits or runs can be canceled")


def requeue(redis: Redis, job_id: str, now: float) -> None:
    """Put a job that has ended on its queue again, with all its retries; raises Unknown or WrongState."""
    (outcome,) = change(redis, "requeue", [checked_id(job_id)], now)
    if outcome != "done":
        raise _refusal(job_id, outcome, "only what has ended can be queued again")


def delete(redis: Redis, job_id: str, now: float) -> None:
    """Forget a job, its results and its places in all lists; raises Unknown, or WrongState: it runs, or recurs.

    Jobs that wait for its end then wait for ever, as with RQ's own delete.
    """
    (outcome,) = change(redis, "delete", [checked_id(job_id)], now)
    if outcome == "started":
        raise WrongState(f"job {job_id} runs; cancel it first, which stops it")
    if outcome == "recurs":
        raise WrongState(f"job {job_id} recurs and would come back; pause it instead")
    if outcome != "done":
        raise _refusal(job_id, outcome, "it can't be deleted now")


def run_now(redis: Redis, job_id: str, now: float) -> None:
    """Bring a job that waits or is delayed to the front of its queue; raises Unknown or WrongState."""
    (outcome,) = change(redis, "run", [checked_id(job_id)], now)
    if outcome != "done":
        raise _refusal(job_id, outcome, _NOT_NOW.get(outcome, "only what waits or is delayed can be run now"))


def waits(redis: Redis, job_id: str) -> bool:
    """Tell whether the job stands on its queue."""
    return text(redis.hget(f"rq:job:{checked_id(job_id)}", "status") or "") == "queued"


_WHY_NOT = {
    "taken": "a worker is taking this job right now; ask again in a second to have it stopped",
    "recurring": "this job recurs and would be queued again; pause it among the recurring jobs instead",
    "recurs": "this job recurs; run it among the recurring jobs instead",
    "moved": "this job is being queued right now; ask again in a second",
    "followed": "what has to follow its end is not done yet; ask again in a second",
}
_NOT_NOW = {
    "deferred": "it waits for other jobs, which have to end first",
    "rate_limited": "it waits for its rate limit",
    "started": "it runs already",
}


def _refusal(job_id: str, outcome: str, else_: str) -> Refusal:
    if outcome == "unknown":
        return Unknown(f"there is no job {job_id}; records of finished jobs are kept for RESULT_TTL seconds")
    return WrongState(_WHY_NOT.get(outcome, f"job {job_id} is {outcome}; {else_}"))


def stop(redis: Redis, job_id: str) -> Canceled:
    """Tell the worker to stop the job; raises WrongState if the worker does not listen."""
    worker = text(redis.hget(f"rq:job:{job_id}", "worker_name") or "")
    ensure_listening(redis, worker, "if it died, the job comes back within 15 seconds")
    send_command(redis, worker, "stop-job", job_id=job_id)
    return "stopping"


def ensure_listening(redis: Redis, worker: str, else_: str) -> None:
    """Raise WrongState if the worker does not hear commands."""
    listening = dict(redis.pubsub_numsub(f"rq:pubsub:{worker}"))
    if not any(listening.values()):
        raise WrongState(f"the worker {worker} does not listen; {else_}")
