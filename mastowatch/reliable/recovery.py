"""Brings back the jobs of dead workers, and settles what a horse that died has left in its worker's hand.

A job in such a hand goes back to the front of its queue. If it had begun, that costs it one of its retries, and the
attempt is recorded with what happened; without a retry left it fails, and says so. A job that has ended is only let
go. Each job is settled in one script, so that two who find the same hand settle it once.
"""

from __future__ import annotations

import logging
import time
import zlib
from base64 import b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from rq.defaults import DEFAULT_FAILURE_TTL
from rq.utils import as_text, utcformat

from mastowatch.logs import event
from mastowatch.reliable import scripts

if TYPE_CHECKING:
    from redis import Redis

log = logging.getLogger(__name__)

# counted: a try is used up; free: none, as it was not the job's doing; stopped: somebody wanted it to end.
How = Literal["counted", "free", "stopped"]


def settle_hand(redis: Redis, holder: str, queue: str, how: How, what_happened: str) -> list[str]:
    """Settle every job in the hand of ``holder``; return their ids. ``queue`` is for records that name none."""
    hand: list[Any] = redis.lrange(scripts.taken_key(holder), 0, -1)
    settled = (settle(redis, raw, holder, queue, how, what_happened) for raw in hand)
    return [job_id for job_id in settled if job_id]


def settle(redis: Redis, raw_id: bytes, holder: str, queue: str, how: How, what_happened: str) -> str:
    """Settle one job in the hand of ``holder``; return its id, or "" if there was nothing to do."""
    script = redis.register_script(scripts.SETTLE)
    text = b64encode(zlib.compress(what_happened.encode())).decode()
    when: list[Any] = [utcformat(datetime.now(UTC)), time.time()]
    keys = [scripts.taken_key(holder), scripts.worker_key(holder)]
    outcome = as_text(script(keys=keys, args=[raw_id, queue, how, text, holder, *when, DEFAULT_FAILURE_TTL]))
    if outcome in ("gone", "ended", "queued"):
        return ""
    job_id = raw_id.decode(errors="replace")
    level = logging.ERROR if outcome == "failed" else logging.WARNING
    event(log, level, "job_recovered", job_id=job_id, holder=holder, outcome=outcome, reason=what_happened)
    return job_id


def forget_taker(redis: Redis, name: str) -> None:
    """Take ``name`` out of the takers if its hand is empty, in one step: it may be taking right now."""
    script = redis.register_script(scripts.FORGET_TAKER)
    script(keys=[scripts.TAKERS, scripts.taken_key(name)], args=[name])
