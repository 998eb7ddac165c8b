"""rq-scheduler made lossless: one atomic step puts a recurring job on its queue and plans its next run.

Stock rq-scheduler 0.14 does this in three steps (killed in between it doubles a run or loses the schedule for
good), queues a job that is still queued or running once more, drifts, and dies of any Redis error. It also
brings back RQ's delayed jobs (``delayed``). Times are epoch seconds and passed in.

A tick writes the job's whole record anew from ``Recurring``, so that a record that is damaged, gone, or of an
older version ends at the next tick. Every script may be sent again after a lost answer: it then finds its work done.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from rq.utils import as_text
from rq_scheduler import Scheduler

from mastowatch.logs import event
from mastowatch.reliable.delayed import Delayed
from mastowatch.reliable.lock import OwnedLock
from mastowatch.reliable.pausing import epoch
from mastowatch.reliable.scripts import TAKERS, taken_key
from mastowatch.reliable.serializer import JsonJob, JsonQueue
from mastowatch.reliable.worker import fresh_name

log = logging.getLogger(__name__)

LOCK_S = 3.0  # a standby that looks twice a second leads 3.5 s after a death; five are promised
ORPHAN_S = 60.0  # a run that no worker has, no list and no recovery: several times what recovery takes
STALL_S = 1.0  # a stop between reading the clock and getting the lock that makes a difference
PLANNED = Scheduler.scheduled_jobs_key
PAUSED, SKIPPED, LAST_TICK = "rq:scheduler:paused", "rq:scheduler:skipped", "rq:scheduler:last_tick"
INTERVALS = "rq:scheduler:intervals"  # JSON by job id: the interval that a person has set, who, and when
EVERY_MAX_S = 86_400
_ORPHANS = "rq:scheduler:orphans"
_REGISTER_S, _REGISTERED_S = 20, 60

# KEYS: lock, planned jobs, job. ARGV: owner or '' for anyone, job id, now, interval, '1' for afresh, the record.
# Returns whether the job was planned anew. A record that is there is left alone: the next tick replaces it.
_PLAN = """
if ARGV[1] ~= '' and redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local now = math.floor(tonumber(ARGV[3]))
local due = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[2]) or '-1')
if redis.call('EXISTS', KEYS[3]) == 0 then redis.call('HSET', KEYS[3], unpack(ARGV, 6)) end
if ARGV[5] ~= '1' and due >= 0 and due <= now + ARGV[4] + 1 then return 0 end
redis.call('ZADD', KEYS[2], now, ARGV[2])
return 1
"""

# KEYS: lock, planned jobs, job, queue, paused, skipped, last tick, orphans, workers with jobs in hand
# ARGV: owner, job id, due, next, now, queue name, patience with an orphan, how the keys of hands begin, the record
# Without an owner it is a run beside the plan, which a person wants now: it leaves the plan alone, and minds no pause.
_TICK = """
local id, now, planned = ARGV[2], tonumber(ARGV[5]), ARGV[1] ~= ''
if planned then
  if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'not ours' end
  local due = redis.call('ZSCORE', KEYS[2], id)
  if not due or tonumber(due) ~= tonumber(ARGV[3]) then return 'moved' end
end

local found = redis.pcall('HMGET', KEYS[3], 'status', 'origin')
local status, origin = found[1], found[2] or ARGV[6]

local function held()
  if redis.call('LPOS', 'rq:queue:' .. origin, id) then return true end
  -- What follows its end is noted in the record.
  if redis.call('LPOS', 'rq:followups:' .. origin, id) then return true end
  for _, name in ipairs(redis.call('SMEMBERS', KEYS[9])) do
    if redis.call('LPOS', ARGV[8] .. name, id) then return true end
  end
  if status == 'scheduled' then return redis.call('ZSCORE', 'rq:scheduled:' .. origin, id) end
  -- An execution that has run out is recovery's, as long as the record says that it runs.
  local since = status == 'started' and '-inf' or ARGV[5]
  return redis.call('ZCOUNT', 'rq:executions:' .. id, since, '+inf') > 0
end

local function orphaned()
  local since = tonumber(redis.call('HGET', KEYS[8], id) or 'x')
  if not since or since > now then
    redis.call('HSET', KEYS[8], id, ARGV[5])
    return false
  end
  return now - since >= tonumber(ARGV[7])
end

local function skip()
  if not planned then return 'skipped' end
  redis.call('ZADD', KEYS[2], ARGV[4], id)
  redis.call('HINCRBY', KEYS[6], id, 1)
  return 'skipped'
end

if planned and redis.call('SISMEMBER', KEYS[5], id) == 1 then
  redis.call('ZADD', KEYS[2], ARGV[4], id)
  return 'paused'
end
local outcome = 'queued'
if held() then
  redis.call('HDEL', KEYS[8], id)
  return skip()
end
if status == 'queued' or status == 'started' then
  if not orphaned() then return skip() end
  outcome = 'orphaned'
end

redis.call('RPUSH', KEYS[4], id)
if planned then redis.call('ZADD', KEYS[2], ARGV[4], id) end
redis.call('SADD', 'rq:queues', KEYS[4])
redis.call('DEL', KEYS[3])
redis.call('HSET', KEYS[3], unpack(ARGV, 9))
for _, kind in ipairs({'failed', 'finished', 'canceled'}) do
  redis.call('ZREM', 'rq:' .. kind .. ':' .. origin, id)
  redis.call('ZREM', 'rq:' .. kind .. ':' .. ARGV[6], id)
end
redis.pcall('XTRIM', 'rq:results:' .. id, 'MAXLEN', 9)  -- RQ's own limit of ten is "about": up to a hundred
redis.call('HDEL', KEYS[8], id)
redis.call('HSET', KEYS[7], id, ARGV[5])
return outcome
"""


@dataclass(frozen=True, slots=True)
class Recurring:
    """A job that runs again and again. ``every_s``, ``timeout_s`` and ``result_ttl_s`` in whole seconds.

    What the last run left, result or error, is kept for ``result_ttl_s``.
    """

    id: str
    func: Callable[..., Any]
    queue: str
    every_s: int
    timeout_s: int
    result_ttl_s: int
    description: str
    kwargs: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.every_s < 1:
            raise ValueError(f"{self.id}: every_s must be 1 or more, not {self.every_s}")


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval that a person has set instead of the settings', in seconds; who, and when (epoch seconds)."""

    every_s: int
    by: str
    at: float


def read_interval(raw: Any) -> Interval | None:  # noqa: ANN401 -- redis-py gives bytes, str or None
    """Read an entry of INTERVALS; None for one that is not there or can't be read: then the settings' counts."""
    try:
        every_s, by, at = json.loads(raw or "null") or (0, "", 0)
        return Interval(int(every_s), str(by), epoch(at)) if 1 <= every_s <= EVERY_MAX_S else None
    except (ValueError, TypeError, RecursionError):
        return None


def as_changed(one: Recurring, every_s: int | None) -> Recurring:
    """Return the job as it is with another interval; None: as it is. Its record outlives the interval."""
    if every_s is None:
        return one
    return replace(one, every_s=every_s, result_ttl_s=max(one.result_ttl_s, 3 * every_s))


class ReliableScheduler(Scheduler):  # type: ignore[misc]  # rq-scheduler ships no types
    """Keeps ``recurring`` running; a second one on any host stands by until the first one's lock runs out.

    Nothing else that is planned in rq-scheduler's set is touched, or run: for a job in an hour use RQ's own
    ``Queue.enqueue_in``, and it comes back from the delayed jobs of ``queues``.
    """

    job_class = JsonJob
    queue_class = JsonQueue

    def __init__(self, redis: Redis, recurring: Sequence[Recurring], queues: Sequence[str]) -> None:
        super().__init__(connection=redis, interval=int(LOCK_S), name=fresh_name("scheduler"))
        self.change(recurring)
        self._lock = OwnedLock(redis, self.scheduler_lock_key, self.name, LOCK_S)
        self._delayed = Delayed(redis, list(dict.fromkeys([*queues, *(one.queue for one in self.recurring)])))
        self._plan_script = redis.register_script(_PLAN)
        self._tick_script = redis.register_script(_TICK)
        self._registered_at = -math.inf
        self.leading = False

    def change(self, recurring: Sequence[Recurring]) -> None:
        """Keep ``recurring`` going from now on; a shorter interval counts at once, a longer one after the next tick."""
        records = {one.id: self._record(one) for one in recurring}
        if len(records) < len(recurring):
            raise ValueError(f"two recurring jobs have the same id: {', '.join(one.id for one in recurring)}")
        self.recurring = self._in_force = tuple(recurring)
        self._records, self._intervals = records, dict[str, int]()

    def run(self, burst: bool = False) -> None:  # noqa: FBT001, FBT002 -- rq-scheduler's signature
        """Refuse: rq-scheduler's own loop takes no step atomically and ends with the first Redis error."""
        raise NotImplementedError("call step() about twice a second, and again after a RedisError")

    def step(self, now: float) -> int:
        """Queue what is due; return how many jobs, or 0 while another scheduler leads.

        Raises redis.exceptions.RedisError when Redis is away; call again later.
        """
        began = time.monotonic()
        self._register(now)
        led, self.leading = self.leading, self._hold()
        if not self.leading:
            return 0
        # Stopped for long before the lock was ours, another one has led: with the old time we would plan back.
        stalled = time.monotonic() - began
        now += stalled if stalled > STALL_S else 0
        due = self._due()
        amiss = [one for one in self._in_force if not led or not _plausible(due[one.id], one, now)]
        if amiss and self._assert(amiss, now):
            due = self._due()
        return self._queue_due(due, now) + self._release_delayed(now)

    def assert_schedules(self, now: float, *, afresh: bool = False) -> list[str]:
        """Make the plan in Redis agree with ``recurring``, whoever leads; return the ids that were planned anew.

        Touches only our own ids. A job that is planned as it should be keeps its next run, unless ``afresh``.
        """
        self._follow(self._read_intervals(self.connection.hmget(INTERVALS, list(self._records) or [""])))
        return self._assert(self._in_force, now, owner="", afresh=afresh)

    def pause(self, job_id: str) -> bool:
        """Let the job's ticks pass until ``resume``, also over restarts; a run that has begun goes on.

        False if it is paused already. Raises LookupError for an id that is not one of ``recurring``.
        """
        return bool(self.connection.sadd(PAUSED, self._known(job_id)))

    def resume(self, job_id: str) -> bool:
        """Let the job run again, from its next tick on; False if it was not paused. Raises as ``pause`` does."""
        return bool(self.connection.srem(PAUSED, self._known(job_id)))

    def run_now(self, job_id: str, now: float) -> bool:
        """Queue a run at once, also of a paused job, whoever leads; its plan stays. Raises as ``pause`` does.

        False, and nothing changes, while its last run waits, is delayed, or runs.
        """
        self._known(job_id)
        self._due()
        one = next(one for one in self._in_force if one.id == job_id)
        return self._tick(one, 0.0, now, owner="") in ("queued", "orphaned")

    def set_interval(self, job_id: str, every_s: int | None, by: str, now: float) -> None:
        """Have the job run so often from the next step on, also over restarts; None: as in ``recurring`` again.

        Raises as ``pause`` does, and ValueError for what is not 1 to EVERY_MAX_S.
        """
        self._known(job_id)
        if every_s is None:
            self.connection.hdel(INTERVALS, job_id)
            return
        if not 1 <= every_s <= EVERY_MAX_S:
            raise ValueError(f"{job_id}: every_s must be 1 to {EVERY_MAX_S}, not {every_s}")
        self.connection.hset(INTERVALS, job_id, json.dumps([every_s, by, now], ensure_ascii=False))

    def next_due(self) -> float | None:
        """Return when the next recurring job is due."""
        return min((due for due in self._due().values() if due is not None), default=None)

    def next_tick(self) -> tuple[str, float] | None:
        """Return the id of the next recurring job and when it is due."""
        planned = [(due, job_id) for job_id, due in self._due().items() if due is not None]
        due, job_id = min(planned, default=(0.0, ""))
        return (job_id, due) if planned else None

    def leave(self) -> None:
        """Let the standby take over at once."""
        self._let_go()
        self._unregister()

    # --- the steps, each one round trip ------------------------------------------------------------------

    def _register(self, now: float) -> None:
        if 0 <= now - self._registered_at < _REGISTER_S:
            return
        with self.connection.pipeline() as pipe:
            pipe.hset(self.key, "birth", now)
            pipe.expire(self.key, _REGISTERED_S)
            pipe.execute()
        self._registered_at = now

    def _unregister(self) -> None:
        self.connection.delete(self.key)

    def _hold(self) -> bool:
        return self._lock.hold()

    def _let_go(self) -> None:
        self._lock.release()

    def _due(self) -> dict[str, float | None]:
        """Return when each of our jobs is planned; None for one that is not."""
        ids = list(self._records)
        if not ids:
            return {}
        with self.connection.pipeline(transaction=False) as pipe:
            pipe.zmscore(PLANNED, ids)
            pipe.hmget(INTERVALS, ids)
            due, intervals = pipe.execute()
        self._follow(self._read_intervals(intervals))
        return dict(zip(ids, due, strict=True))

    def _plan(self, one: Recurring, now: float, owner: str, *, afresh: bool) -> bool:
        keys = [self._lock.key, PLANNED, f"rq:job:{one.id}"]
        record = self._record_now("scheduled", one, now)
        return bool(self._plan_script(keys=keys, args=[owner, one.id, now, one.every_s, int(afresh), *record]))

    def _tick(self, one: Recurring, due: float, now: float, owner: str | None = None) -> str:
        keys = [
            self._lock.key, PLANNED, f"rq:job:{one.id}", f"rq:queue:{one.queue}",
            PAUSED, SKIPPED, LAST_TICK, _ORPHANS, TAKERS,
        ]  # fmt: skip
        owner = self.name if owner is None else owner
        args = [owner, one.id, due, _following(one, due, now), now, one.queue, ORPHAN_S, taken_key("")]
        return as_text(self._tick_script(keys=keys, args=[*args, *self._record_now("queued", one, now)]))

    def _release_delayed(self, now: float) -> int:
        return self._delayed.release(now, _as_rq_writes(now))

    # --- what the steps are made of ----------------------------------------------------------------------

    def _assert(
        self, jobs: Sequence[Recurring], now: float, owner: str | None = None, *, afresh: bool = False
    ) -> list[str]:
        owner = self.name if owner is None else owner
        planned = [one.id for one in jobs if self._plan(one, now, owner, afresh=afresh)]
        if planned:
            event(log, logging.INFO, "schedules_asserted", ids=planned)
        return planned

    def _queue_due(self, due: dict[str, float | None], now: float) -> int:
        count = 0
        for one in self._in_force:
            at = due[one.id]
            if self.leading and at is not None and at <= now:
                count += self._queue_one(one, at, now)
        return count

    def _queue_one(self, one: Recurring, due: float, now: float) -> int:
        outcome = self._tick(one, due, now)
        if outcome == "not ours":
            self.leading = False
        elif outcome == "skipped":
            event(log, logging.DEBUG, "tick_skipped", job_id=one.id, reason="the last run still waits or runs")
        elif outcome == "orphaned":
            event(log, logging.WARNING, "run_given_up", job_id=one.id, reason="no list and no worker had the last run")
        return int(outcome in ("queued", "orphaned"))

    def _read_intervals(self, raw: Sequence[Any]) -> dict[str, int]:
        found = ((job_id, read_interval(one)) for job_id, one in zip(self._records, raw, strict=False))
        return {job_id: one.every_s for job_id, one in found if one is not None}

    def _follow(self, intervals: dict[str, int]) -> None:
        """Put the intervals that people have set in force; what they have left alone runs as in ``recurring``."""
        if intervals == self._intervals:
            return
        self._in_force = tuple(as_changed(one, intervals.get(one.id)) for one in self.recurring)
        self._records = {one.id: self._record(one) for one in self._in_force}
        self._intervals = intervals
        if self.leading:  # not whoever only asks
            event(log, logging.INFO, "intervals_changed", every_s={one.id: one.every_s for one in self._in_force})

    def _known(self, job_id: str) -> str:
        if job_id not in self._records:
            raise LookupError(f"there is no recurring job {job_id!r}; there are: {', '.join(sorted(self._records))}")
        return job_id

    def _record(self, one: Recurring) -> dict[str, Any]:
        job = self._create_job(
            one.func,
            kwargs=one.kwargs,
            commit=False,
            result_ttl=one.result_ttl_s,
            timeout=one.timeout_s,
            id=one.id,
            queue_name=one.queue,
            description=one.description,
            meta={"interval": one.every_s},  # where rq-scheduler keeps it
        )
        job.failure_ttl = one.result_ttl_s
        record: dict[str, Any] = job.to_dict()
        return record

    def _record_now(self, status: str, one: Recurring, now: float) -> list[Any]:
        at = _as_rq_writes(now)
        times = {"created_at": at} | ({"enqueued_at": at} if status == "queued" else {})
        return [part for pair in {**self._records[one.id], "status": status, **times}.items() for part in pair]


def _plausible(due: float | None, one: Recurring, now: float) -> bool:
    # Further off than one interval: a clock was ahead, or the interval was shortened. Runs would wait for it.
    return due is not None and 0 <= due <= math.floor(now) + one.every_s + 1


def _following(one: Recurring, due: float, now: float) -> int:
    # Whole intervals from the due time on: no drift, and after a pause one run instead of a burst.
    start = math.floor(due)
    return start + one.every_s * (int((now - start) // one.every_s) + 1)


def _as_rq_writes(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
