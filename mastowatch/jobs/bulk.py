"""Does to many jobs what can be done to one, so many a call that a request stays short and Redis is never held up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from redis import Redis

from mastowatch.jobs import changes, control, queue_control
from mastowatch.jobs.changes import change
from mastowatch.jobs.listing import JobFilter, all_queues, matching_ids
from mastowatch.jobs.refusals import Refusal

BulkAction = Literal["cancel", "requeue", "delete", "run"]
DONE = {"cancel": "canceled", "requeue": "queued again", "delete": "deleted", "run": "run now"}
# What one call does at most, and how long it goes on beginning more.
JOBS_MAX, SECONDS_MAX = 10_000, 2.0
FIND_S = 0.7  # of these for finding what is then changed
# Looked through for it, in all and at once.
SCAN_MAX, SCAN_PART = 50_000, 2_000
# Jobs changed in one step, which holds Redis up: for a few ms, also where each has to be found in a long queue.
_PART, EMPTY_PART = 100, 200

# Filters that are told in the audit without their text.
_NOT_TOLD = ("error", "text", "failure")


class BulkResult(BaseModel):
    """What came of it."""

    model_config = ConfigDict(frozen=True)

    action: str
    matched: int = Field(description="Jobs found that match.")
    done: int = Field(description="Jobs changed.")
    skipped: int = Field(description="Jobs that match and could not be changed: they run, moved meanwhile, or recur.")
    left: bool = Field(description="Whether there may be more than one request does: ask again.")
    scanned: int = Field(description="Entries looked through.")
    next_cursor: str | None = Field(default=None, description="Where the next request has to look on; null: anew.")


def run(
    redis: Redis,
    action: BulkAction,
    where: JobFilter,
    clock: Callable[[], float],
    *,
    keep_s: int,
    dry_run: bool,
    cursor: str | None = None,
) -> BulkResult:
    """Do ``action`` to the jobs that match, or with ``dry_run`` only count them; raises BadParameter.

    A job that moved meanwhile is skipped. ``clock`` gives epoch seconds.
    """
    began = time.monotonic()
    until = began + SECONDS_MAX
    # To count is cheaper than to do.
    at_most, find_until = (SCAN_MAX, until) if dry_run else (JOBS_MAX, began + FIND_S)
    ids, next_cursor, scanned = _found(redis, where, clock(), cursor, find_until, at_most)
    done = changed = 0
    # Past its time it goes on until something is changed: else the next request would try the same ones.
    while not dry_run and done < len(ids) and (changed == 0 or time.monotonic() < until):
        part = ids[done : done + _PART]
        changed += _change(redis, action, part, clock(), keep_s=keep_s)
        done += len(part)
    reached = len(ids) if dry_run else done
    left = next_cursor is not None or reached < len(ids)
    # What was changed has left its list, and all behind it has moved up: the next look begins where this one began.
    # Only what waited already and was brought to the front still stands there.
    stays = action == "run" and where.status != "scheduled"
    again = cursor if changed and not stays else next_cursor
    return BulkResult(
        action=action,
        matched=len(ids),
        done=changed,
        skipped=0 if dry_run else done - changed,
        left=left,
        scanned=scanned,
        next_cursor=again if left else None,
    )


def _found(
    redis: Redis, where: JobFilter, now: float, cursor: str | None, until: float, at_most: int
) -> tuple[list[str], str | None, int]:
    """Return the ids of jobs that match, where more may be, and how many entries were looked through."""
    ids: dict[str, None] = {}
    scanned = 0
    while True:
        found, cursor, looked = matching_ids(redis, now, where, cursor=cursor, scan_max=SCAN_PART)
        ids.update(dict.fromkeys(found))
        scanned += looked
        if cursor is None or len(ids) >= at_most or scanned >= SCAN_MAX or time.monotonic() >= until:
            return list(ids), cursor, scanned


def _change(redis: Redis, action: BulkAction, ids: Sequence[str], now: float, *, keep_s: int) -> int:
    outcomes = change(redis, action, ids, now, keep_s=keep_s)
    done = outcomes.count("done")
    if action != "cancel":
        return done
    return done + sum(_stopped(redis, one) for one, outcome in zip(ids, outcomes, strict=True) if outcome == "started")


def _stopped(redis: Redis, job_id: str) -> bool:
    try:
        control.stop(redis, job_id)
    except Refusal:
        return False
    return True


def empty_failed(redis: Redis, queue: str | None, clock: Callable[[], float], *, dry_run: bool) -> BulkResult:
    """Delete the failed and stopped jobs of a queue, of all with None, or with ``dry_run`` count them.

    Raises Unknown. What recurs, or has something to follow its end, is skipped.
    """
    queues = all_queues(redis) if queue is None else [queue_control.known(redis, queue)]
    matched = sum(int(redis.zcard(f"rq:failed:{name}")) for name in queues)
    until = time.monotonic() + SECONDS_MAX
    looked = gone = 0
    left = False
    for name in () if dry_run else queues:
        stayed = 0
        while True:
            if time.monotonic() >= until:
                left = True
                break
            seen, went = changes.empty_failed(redis, name, clock(), begin=stayed, at_most=EMPTY_PART)
            looked, gone, stayed = looked + seen, gone + went, stayed + seen - went
            if seen < EMPTY_PART:
                break
    return BulkResult(
        action="empty_failed", matched=matched, done=gone, skipped=looked - gone, left=left, scanned=looked
    )


def describe(where: JobFilter) -> str:
    """Return what was chosen, in words, for the audit; not the texts of errors, which may hold anything."""
    chosen = {name: value for name, value in asdict(where).items() if value is not None}
    told = [f"{name} {'...' if name in _NOT_TOLD else value}" for name, value in chosen.items()]
    return f" with {', '.join(told)}" if told else ""
