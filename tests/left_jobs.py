"""Jobs as RQ leaves them in Redis, written raw: quick, of any status, and as damaged as one likes."""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime

from redis import Redis

FUNCTION = "mastowatch.jobs.tasks.record_queue_stats"
KEEP_S = 600.0
NOW = 1_800_000_000.0


@dataclass(frozen=True)
class LeftJob:
    """A job; ``at`` is when it ended, is due, or was queued, by its status (epoch seconds)."""

    job_id: str
    status: str = "queued"
    queue: str = "default"
    at: float = NOW
    function: str = FUNCTION
    error: str = ""
    description: str = "a job"

    @property
    def key(self) -> str:
        kinds = {"queued": "queue", "started": "wip", "stopped": "failed", "ready_to_enqueue": "ready"}
        if self.status == "rate_limited":
            return "rq:rl:all:rate_limited"
        if self.status == "created":
            return "rq:scheduler:scheduled_jobs"
        return f"rq:{kinds.get(self.status, self.status)}:{self.queue}"


def leave(redis: Redis, *jobs: LeftJob) -> None:
    """Write the jobs into Redis, in this order."""
    with redis.pipeline(transaction=False) as pipe:
        pipe.sadd("rq:rl-keys", "all")
        for job in jobs:
            pipe.sadd("rq:queues", f"rq:queue:{job.queue}")
            pipe.hset(f"rq:job:{job.job_id}", mapping=_record(job))
            if job.error:
                packed = b64encode(zlib.compress(f"Traceback (most recent call last):\n  x\n{job.error}".encode()))
                pipe.xadd(f"rq:results:{job.job_id}", {"type": 2, "exc_string": packed})
            if job.status == "queued":
                pipe.rpush(job.key, job.job_id)
            else:
                member = f"{job.job_id}:0123" if job.status == "started" else job.job_id
                kept = KEEP_S if job.status in ("failed", "stopped", "finished") else 0
                pipe.zadd(job.key, {member: job.at + kept})
        pipe.execute()


def _record(job: LeftJob) -> dict[str, str | bytes]:
    at = datetime.fromtimestamp(job.at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "status": job.status,
        "origin": job.queue,
        "description": job.description,
        "created_at": at,
        "enqueued_at": at,
        "started_at": at,
        "ended_at": at,
        "data": zlib.compress(json.dumps([job.function, None, [], {"account_id": "7"}]).encode()),
    }
