"""Queues the jobs of many deliveries in one step, each at most once however often its delivery is repeated.

What has been delivered is told by a mark. It is set in the same step in which the job is queued: no crash can come
between the two, so a delivery that was answered has its job, and one that was not may safely be sent again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from redis import Redis
from rq.job import Retry
from rq.queue import Queue
from rq.utils import now

# queued: the job is on its queue now. waits: the same work waits or is delayed, and sees what this delivery told.
# repeated: this delivery was seen to before. marked: there was no work in it. busy: the same work runs already, twice.
# full: too many jobs wait. Of the last two there is no mark: the delivery has to come again.
Outcome = Literal["queued", "waits", "repeated", "marked", "busy", "full"]

# A job that has been started may have looked at the world before this delivery changed it: the work is done once more,
# under a second id, which ends in -again.
# Jobs of a queue that is longer than this stay there, as looking for one takes Redis too long.
_MOVED_FROM_MAX = 10_000

# ARGV: seconds to keep a mark, longest queue to look through, most jobs that may wait on a queue or be delayed, then
# for each delivery: mark, job id or "", queue, how many places of waiting jobs it leaves to others, count of what
# follows, the job's fields and values. The first line has a Redis that is full refuse all of it at once.
_ENQUEUE = """#!lua
local ENDED = {finished = true, failed = true, stopped = true, canceled = true}

local function forget(id, key)
  local origin = redis.call('HGET', key, 'origin') or ''
  for _, kind in ipairs({'finished', 'failed', 'canceled', 'scheduled'}) do
    redis.call('ZREM', 'rq:' .. kind .. ':' .. origin, id)
  end
  redis.call('DEL', key, 'rq:results:' .. id)
end

local function move(id, key, queue)
  local origin = redis.call('HGET', key, 'origin')
  if not origin or origin == queue then return end
  local from = 'rq:queue:' .. origin
  if redis.call('LLEN', from) > tonumber(ARGV[2]) or redis.call('LREM', from, 1, id) == 0 then return end
  redis.call('HSET', key, 'origin', queue)
  redis.call('SADD', 'rq:queues', 'rq:queue:' .. queue)
  redis.call('RPUSH', 'rq:queue:' .. queue, id)
end

local function place(id, queue, spare, first, last)
  local key = 'rq:job:' .. id
  local status = redis.call('HGET', key, 'status')
  if status == 'started' then return 'busy' end
  if status and not ENDED[status] then
    if status == 'queued' then move(id, key, queue) end
    return 'waits'
  end
  local waiting = redis.call('LLEN', 'rq:queue:' .. queue) + redis.call('ZCARD', 'rq:scheduled:' .. queue)
  if waiting >= tonumber(ARGV[3]) - spare then return 'full' end
  if status then forget(id, key) else redis.call('DEL', key) end
  redis.call('HSET', key, unpack(ARGV, first, last))
  redis.call('SADD', 'rq:queues', 'rq:queue:' .. queue)
  redis.call('RPUSH', 'rq:queue:' .. queue, id)
  return 'queued'
end

local outcomes, at = {}, 4
while at <= #ARGV do
  local mark, id, queue, spare, width = unpack(ARGV, at, at + 4)
  local first, last = at + 5, at + 4 + tonumber(width)
  local outcome = 'marked'
  if redis.call('EXISTS', mark) == 1 then
    outcome = 'repeated'
  elseif id ~= '' then
    outcome = place(id, queue, spare, first, last)
    if outcome == 'busy' then outcome = place(id .. '-again', queue, spare, first, last) end
  end
  if outcome ~= 'busy' and outcome ~= 'full' then redis.call('SET', mark, '1', 'EX', ARGV[1]) end
  outcomes[#outcomes + 1] = outcome
  at = last + 1
end
return outcomes
"""


@dataclass(frozen=True, slots=True)
class Record:
    """A job as it will stand in Redis: ``fields`` are names and values by turns."""

    job_id: str
    queue: str
    fields: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something that was delivered: the key of its ``mark``, and its job, if there is work in it.

    Of the jobs that may wait it leaves ``spare`` to others.
    """

    mark: str
    record: Record | None
    spare: int = 0


def record(queue: Queue, func: str, *, job_id: str, retry: Retry, **options: Any) -> Record:  # noqa: ANN401 -- RQ's options
    """Return the job as ``queue`` would store it; ``options`` are those of ``rq.Queue.create_job``.

    Asks Redis nothing.
    """
    job = queue.create_job(func, job_id=job_id, retry=retry, **options)
    job.enqueued_at = now()
    fields = job.to_dict()
    return Record(job_id, queue.name, tuple(part for pair in fields.items() for part in pair))


def enqueue(redis: Redis, deliveries: Sequence[Delivery], *, mark_ttl_s: int, waiting_max: int) -> list[Outcome]:
    """Queue the jobs of ``deliveries`` in one step, and tell what came of each, in their order.

    None is queued while ``waiting_max`` jobs of its queue wait or are delayed. A job that waits on another queue is
    moved to the one that its delivery asks for.
    """
    args: list[Any] = [mark_ttl_s, _MOVED_FROM_MAX, waiting_max]
    for one in deliveries:
        if one.record is None:
            args += (one.mark, "", "", 0, 0)
        else:
            args += (
                one.mark,
                one.record.job_id,
                one.record.queue,
                one.spare,
                len(one.record.fields),
                *one.record.fields,
            )
    found = redis.register_script(_ENQUEUE)(args=args)
    return [cast("Outcome", raw.decode() if isinstance(raw, bytes) else raw) for raw in found]
