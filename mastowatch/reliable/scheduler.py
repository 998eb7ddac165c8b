"""rq-scheduler made lossless: one atomic step puts a recurring job on its queue and plans its next run.

Stock rq-scheduler 0.14 does this in three steps (killed in between it doubles a run or loses the schedule for
good), queues a job that is still queued or running once more, drifts, and dies of any Redis error. It also
brings back RQ's delayed jobs (retries with back-off, and jobs that wait for budget) when their time has come.
Times are epoch seconds and passed in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from rq.exceptions import DeserializationError, NoSuchJobError
from rq.utils import as_text
from rq_scheduler import Scheduler

from mastowatch.logs import event
from mastowatch.reliable.lock import OwnedLock
from mastowatch.reliable.serializer import JsonJob, JsonQueue
from mastowatch.reliable.worker import fresh_name

log = logging.getLogger(__name__)

LOCK_S = 4.0  # a dead scheduler's standby takes over within this time
ASSERT_S = 30.0  # how often lost schedules are looked for
SKIPPED, LAST_TICK = "rq:scheduler:skipped", "rq:scheduler:last_tick"
_DELAYED_PER_STEP = 500

# KEYS: lock, planned jobs, job, queue, failed, finished, canceled registries, skipped, last tick
# ARGV: owner, job id, due, next, now as RQ writes it, queue name, now
_TICK = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'not ours' end
local due = redis.call('ZSCORE', KEYS[2], ARGV[2])
if not due or tonumber(due) ~= tonumber(ARGV[3]) then return 'moved' end
local status = redis.call('HGET', KEYS[3], 'status')
if not status then return 'lost' end
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[2])
if status == 'queued' or status == 'started' then
  redis.call('HINCRBY', KEYS[8], ARGV[2], 1)
  return 'skipped'
end
redis.call('HSET', KEYS[3], 'status', 'queued', 'enqueued_at', ARGV[5], 'origin', ARGV[6])
redis.call('PERSIST', KEYS[3])
for k = 5, 7 do redis.call('ZREM', KEYS[k], ARGV[2]) end
redis.call('SADD', 'rq:queues', KEYS[4])
redis.call('RPUSH', KEYS[4], ARGV[2])
redis.call('HSET', KEYS[9], ARGV[2], ARGV[7])
return 'queued'
"""

# KEYS: delayed jobs of a queue, job, queue; ARGV: job id, now as RQ writes it
_RELEASE = """
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return 0 end
if redis.call('HGET', KEYS[2], 'status') ~= 'scheduled' then return 0 end
redis.call('HSET', KEYS[2], 'status', 'queued', 'enqueued_at', ARGV[2])
redis.call('SADD', 'rq:queues', KEYS[3])
redis.call('RPUSH', KEYS[3], ARGV[1])
return 1
"""


@dataclass(frozen=True, slots=True)
class Recurring:
    """A job that runs again and again. ``every_s``, ``timeout_s`` and ``result_ttl_s`` in whole seconds."""

    id: str
    func: Callable[..., Any]
    queue: str
    every_s: int
    timeout_s: int
    result_ttl_s: int
    description: str
    kwargs: dict[str, Any] = field(default_factory=dict)


class ReliableScheduler(Scheduler):  # type: ignore[misc]  # rq-scheduler ships no types
    """Keeps ``recurring`` running; a second one on any host stands by until the first one's lock runs out."""

    job_class = JsonJob
    queue_class = JsonQueue

    def __init__(self, redis: Redis, recurring: Sequence[Recurring], queues: Sequence[str]) -> None:
        super().__init__(connection=redis, interval=int(LOCK_S), name=fresh_name("scheduler"))
        self.recurring = tuple(recurring)
        self._queues = tuple(queues)
        self._lock = OwnedLock(redis, self.scheduler_lock_key, self.name, LOCK_S)
        self._tick = redis.register_script(_TICK)
        self._release = redis.register_script(_RELEASE)
        self._next_assert = 0.0
        self.leading = False

    def step(self, now: float) -> int:
        """Queue what is due; return how many jobs, or 0 while another scheduler leads.

        Raises redis.exceptions.RedisError when Redis is away; call again later.
        """
        self._register(now)
        self.leading = self._lock.hold()
        if not self.leading:
            self._next_assert = 0.0
            return 0
        if now >= self._next_assert or self._next_assert > now + ASSERT_S:  # the clock was ahead
            self.assert_schedules(now)
            self._next_assert = now + ASSERT_S
        return self._queue_due(now) + self._release_delayed(now)

    def assert_schedules(self, now: float, *, afresh: bool = False) -> list[str]:
        """Make the plan in Redis agree with ``recurring``; return the ids that were planned anew.

        Touches only our own ids. A job that is planned as it should be keeps its next run, unless ``afresh``.
        """
        wanted = [one for one in self.recurring if afresh or not self._as_planned(one, now)]
        for one in wanted:
            self._plan(one, now)
        if wanted:
            event(log, logging.INFO, "schedules_asserted", ids=[one.id for one in wanted])
        return [one.id for one in wanted]

    def next_due(self) -> float | None:
        """Return when the next recurring job is due."""
        first = self.connection.zrange(self.scheduled_jobs_key, 0, 0, withscores=True)
        return float(first[0][1]) if first else None

    def leave(self) -> None:
        """Let the standby take over at once."""
        self._lock.release()
        self.connection.delete(self.key)

    def _register(self, now: float) -> None:
        with self.connection.pipeline(transaction=False) as pipe:
            pipe.hset(self.key, "birth", now)
            pipe.expire(self.key, 60)
            pipe.execute()

    def _as_planned(self, one: Recurring, now: float) -> bool:
        due = self.connection.zscore(self.scheduled_jobs_key, one.id)
        # Planned further off than one interval: a clock was ahead, and polls would stop until it is caught up.
        if due is None or due > now + one.every_s + 1:
            return False
        try:
            job = JsonJob.fetch(one.id, connection=self.connection)
            same = (job.func_name, job.origin, job.timeout, job.meta.get("interval"), job.kwargs)
        except (NoSuchJobError, DeserializationError):
            return False
        name = f"{one.func.__module__}.{one.func.__qualname__}"
        return same == (name, one.queue, one.timeout_s, one.every_s, one.kwargs)

    def _plan(self, one: Recurring, now: float) -> None:
        status = self.connection.hget(f"rq:job:{one.id}", "status")
        if status in (b"queued", b"started"):
            # Written over while it waits or runs, its record would lie; only its next run is planned.
            self.connection.zadd(self.scheduled_jobs_key, {one.id: int(now) + one.every_s})
            return
        self.schedule(
            datetime.fromtimestamp(int(now), UTC),
            one.func,
            kwargs=one.kwargs,
            interval=one.every_s,
            result_ttl=one.result_ttl_s,
            timeout=one.timeout_s,
            id=one.id,
            queue_name=one.queue,
            description=one.description,
        )

    def _queue_due(self, now: float) -> int:
        due = self.connection.zrangebyscore(self.scheduled_jobs_key, "-inf", now, withscores=True)
        every = {one.id: one for one in self.recurring}
        return sum(self._queue_one(every[as_text(raw)], score, now) for raw, score in due if as_text(raw) in every)

    def _queue_one(self, one: Recurring, due: float, now: float) -> int:
        outcome = as_text(self._tick(keys=self._tick_keys(one), args=self._tick_args(one, due, now)))
        if outcome == "lost":
            self._plan(one, now)
        if outcome == "skipped":
            event(log, logging.DEBUG, "tick_skipped", job_id=one.id, reason="the last run still waits or runs")
        return int(outcome == "queued")

    def _tick_keys(self, one: Recurring) -> list[str]:
        registries = [f"rq:{kind}:{one.queue}" for kind in ("failed", "finished", "canceled")]
        job, queue = f"rq:job:{one.id}", f"rq:queue:{one.queue}"
        return [self._lock.key, self.scheduled_jobs_key, job, queue, *registries, SKIPPED, LAST_TICK]

    def _tick_args(self, one: Recurring, due: float, now: float) -> list[Any]:
        # Whole intervals from the due time on: no drift, and after a pause one run instead of a burst.
        following = due + one.every_s * (int((now - due) // one.every_s) + 1)
        return [self.name, one.id, due, int(following), _as_rq_writes(now), one.queue, now]

    def _release_delayed(self, now: float) -> int:
        return sum(self._release_one(name, job_id, now) for name in self._queues for job_id in self._ripe(name, now))

    def _ripe(self, queue: str, now: float) -> Iterable[str]:
        found = self.connection.zrangebyscore(f"rq:scheduled:{queue}", "-inf", now, start=0, num=_DELAYED_PER_STEP)
        return [as_text(raw) for raw in found]

    def _release_one(self, queue: str, job_id: str, now: float) -> int:
        keys = [f"rq:scheduled:{queue}", f"rq:job:{job_id}", f"rq:queue:{queue}"]
        return int(self._release(keys=keys, args=[job_id, _as_rq_writes(now)]))


def _as_rq_writes(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
