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

from redis.exceptions import (
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from rq.defaults import DEFAULT_FAILURE_TTL
from rq.utils import as_text, utcformat

from mastowatch.logs import event
from mastowatch.reliable import scripts

if TYPE_CHECKING:
    from redis import Redis

log = logging.getLogger(__name__)

UNSETTLED = "rq:unsettled"
HAND_MAX = 200  # of one hand at a time; there is one job in it, unless somebody has put others there
# What Redis says while it can't write or is not let to; all else is a fault of ours or of the data.
_PASSING = (OutOfMemoryError, ReadOnlyError, MasterDownError, NoPermissionError)
_PASSING_WORDS = (
    "OOM",
    "MISCONF",
    "READONLY",
    "MASTERDOWN",
    "NOREPLICAS",
    "BUSY",
    "NOAUTH",
    "NOPERM",
    "The user executing",
)

# counted: a try is used up; free: none, as it was not the job's doing; stopped: somebody wanted it to end.
How = Literal["counted", "free", "stopped"]


def bury(redis: Redis, holder: str, queue: str) -> None:
    """Settle the hand of a worker that died, unless it shows life after all. ``queue``: for records that name none."""
    hand: list[Any] = redis.lrange(scripts.taken_key(holder), 0, HAND_MAX - 1)
    for raw in hand:
        settle(redis, raw, holder, queue, "counted", f"Its worker {holder} died.", if_dead=True)
    forget_taker(redis, holder)


def settle(
    redis: Redis, raw_id: bytes, holder: str, queue: str, how: How, what_happened: str, *, if_dead: bool = False
) -> str:
    """Settle one job in the hand of ``holder``; return its id, or "" if there was nothing to do."""
    script = redis.register_script(scripts.SETTLE)
    text = b64encode(zlib.compress(what_happened.encode())).decode()
    when: list[Any] = [utcformat(datetime.now(UTC)), time.time(), DEFAULT_FAILURE_TTL, int(if_dead)]
    keys = [scripts.taken_key(holder), scripts.worker_key(holder)]
    job_id = raw_id.decode(errors="replace")
    try:
        outcome = as_text(script(keys=keys, args=[raw_id, queue, how, text, holder, *when]))
    except ResponseError as error:
        if is_passing(error):
            raise
        # Nothing is lost, and it stands in nobody's way: a person has to look at what lies there.
        redis.register_script(scripts.SET_ASIDE)(keys=[keys[0], UNSETTLED], args=[raw_id])
        event(log, logging.ERROR, "job_not_settled", job_id=job_id, error=str(error), kept_in=UNSETTLED)
        return ""
    if outcome in ("gone", "ended", "queued", "alive"):
        return ""
    level = logging.ERROR if outcome == "failed" else logging.WARNING
    event(log, level, "job_recovered", job_id=job_id, holder=holder, outcome=outcome, reason=what_happened)
    return job_id


def is_passing(error: ResponseError) -> bool:
    """Tell whether Redis may take the same again later: it is full, read-only, busy, or does not let us."""
    # In a pipeline redis-py puts before the answer which command it was; Redis 6 has the word of a command that a
    # script was refused in the middle of it, behind a "-".
    answer = str(error).rpartition("of pipeline caused error: ")[2]
    within = any(f"-{word} " in answer for word in _PASSING_WORDS)
    return isinstance(error, _PASSING) or answer.startswith(_PASSING_WORDS) or within


def forget_taker(redis: Redis, name: str) -> None:
    """Take ``name`` out of the takers if its hand is empty, in one step: it may be taking right now."""
    script = redis.register_script(scripts.FORGET_TAKER)
    script(keys=[scripts.TAKERS, scripts.taken_key(name)], args=[name])
