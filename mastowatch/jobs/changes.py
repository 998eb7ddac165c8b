"""The Lua that changes a job because a person asks: one job or many, each in one atomic step.

What a worker takes, ends or brings back meanwhile is not touched: the step looks at the job's record and its list
together, and says what it found instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from redis import Redis

from mastowatch.jobs.records import text
from mastowatch.reliable.delayed import RELEASE_ONE

Action = Literal["cancel", "requeue", "delete", "run"]

# ARGV: now, now as RQ writes it, the action, seconds to keep a canceled job's record, ids...
# Answers, for each id: 'done', or the job's status, or one of the words in ``control``. RQ does not run on a cluster,
# so keys that depend on a job's record are made here.
_HEAD = """
local NOW, ISO, KEEP = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[4])
local PLANNED = 'rq:scheduler:scheduled_jobs'

local function of_queue(kind, origin) return 'rq:' .. kind .. ':' .. origin end

-- Its status and its queue; no status for what is no job.
local function known(id, ...)
  local found = redis.pcall('HMGET', 'rq:job:' .. id, 'status', 'origin', ...)
  return not found.err and found[2] and found or {}
end

local function limiter(id)
  return 'rq:rl:' .. (redis.call('HGET', 'rq:job:' .. id, 'rate_limit_key') or '')
end
"""

# A canceled job and its entry would otherwise stay for ever: RQ cleans this registry never.
_CANCEL = """
local function cancel(id)
  local found = known(id)
  local status, origin, job = found[1], found[2], 'rq:job:' .. id
  if not status then return 'unknown' end
  if status == 'queued' then
    if redis.call('LREM', of_queue('queue', origin), 1, id) == 0 then return 'taken' end
  elseif status == 'scheduled' then
    if redis.call('ZREM', of_queue('scheduled', origin), id) == 0 and redis.call('ZSCORE', PLANNED, id) then
      return 'recurring'
    end
  elseif status == 'deferred' then redis.call('ZREM', of_queue('deferred', origin), id)
  elseif status == 'ready_to_enqueue' then redis.call('ZREM', of_queue('ready', origin), id)
  elseif status == 'rate_limited' then redis.call('ZREM', limiter(id) .. ':rate_limited', id)
  else return status end
  redis.call('HSET', job, 'status', 'canceled')
  redis.call('EXPIRE', job, KEEP)
  redis.call('ZREMRANGEBYSCORE', of_queue('canceled', origin), '-inf', NOW - KEEP)
  redis.call('ZADD', of_queue('canceled', origin), NOW, id)
  return 'done'
end
"""

_REQUEUE = """
local ENDED = {failed = true, stopped = true, canceled = true, finished = true}

-- RQ forgets how many retries a job began with, but not the pauses between them.
local function retries(raw)
  if not raw or string.sub(raw, 1, 1) ~= '[' then return nil end
  local well, pauses = pcall(cjson.decode, raw)
  return well and #pauses or nil
end

local function requeue(id)
  local found = known(id, 'retry_intervals')
  local status, origin, job = found[1], found[2], 'rq:job:' .. id
  if not status then return 'unknown' end
  if not ENDED[status] then return status end
  redis.call('HSET', job, 'status', 'queued', 'enqueued_at', ISO, 'started_at', '', 'ended_at', '')
  local left = retries(found[3])
  if left then redis.call('HSET', job, 'retries_left', left) end
  redis.call('PERSIST', job)
  redis.call('SADD', 'rq:queues', of_queue('queue', origin))
  redis.call('RPUSH', of_queue('queue', origin), id)
  for _, kind in ipairs({'failed', 'finished', 'canceled'}) do redis.call('ZREM', of_queue(kind, origin), id) end
  return 'done'
end
"""

# A run that no hand and no execution has any more is nobody's: such a job may go, whatever its record says.
_DELETE = """
local REGISTRIES = {'scheduled', 'deferred', 'ready', 'failed', 'finished', 'canceled'}

local function runs(id)
  for _, name in ipairs(redis.call('SMEMBERS', 'rq:takers')) do
    if redis.call('LPOS', 'rq:taken:' .. name, id) then return true end
  end
  return redis.call('ZCOUNT', 'rq:executions:' .. id, NOW, '+inf') > 0
end

local function forget_runs(id, origin)
  for _, run in ipairs(redis.call('ZRANGE', 'rq:executions:' .. id, 0, -1)) do
    redis.call('ZREM', of_queue('wip', origin), id .. ':' .. run)
    redis.call('DEL', 'rq:execution:' .. id .. ':' .. run)
  end
end

-- Why a job may not go now; nil if it may.
local function kept(id, status, followup, run)
  if redis.call('ZSCORE', PLANNED, id) then return 'recurs' end
  if (status == 'started' or run) and runs(id) then return 'started' end
  if followup then return 'followed' end
  return nil
end

local function delete(id, only_failed)
  local found = known(id, 'followup', 'run', 'rate_limit_key', 'group_id')
  local status, origin, job = found[1] or '', found[2], 'rq:job:' .. id
  if not origin then return 'unknown' end
  if only_failed and status ~= 'failed' and status ~= 'stopped' then return status end
  local why = kept(id, status, found[3], found[4])
  if why then return why end
  if status == 'queued' then redis.call('LREM', of_queue('queue', origin), 1, id) end
  for _, kind in ipairs(REGISTRIES) do redis.call('ZREM', of_queue(kind, origin), id) end
  if found[5] and found[5] ~= '' then
    redis.call('ZREM', 'rq:rl:' .. found[5] .. ':rate_limited', id)
    redis.call('ZREM', 'rq:rl:' .. found[5] .. ':allowed', id)
  end
  if found[6] and found[6] ~= '' then redis.call('SREM', 'rq:group:' .. found[6], id) end
  forget_runs(id, origin)
  redis.call('DEL', job, job .. ':dependents', 'rq:job::' .. id .. ':dependencies', 'rq:results:' .. id,
    'rq:executions:' .. id)
  return 'done'
end
"""

_RUN = (
    RELEASE_ONE
    + """
local function run(id)
  local found = known(id)
  local status, origin = found[1], found[2]
  if not status then return 'unknown' end
  local queue = of_queue('queue', origin)
  if status == 'queued' then
    if redis.call('LREM', queue, 1, id) == 0 then return 'taken' end
    redis.call('LPUSH', queue, id)
    return 'done'
  end
  if status ~= 'scheduled' then return status end
  if not redis.call('ZSCORE', of_queue('scheduled', origin), id) then
    return redis.call('ZSCORE', PLANNED, id) and 'recurs' or 'moved'
  end
  release(id, queue, true)
  redis.call('ZREM', of_queue('scheduled', origin), id)
  return 'done'
end
"""
)

_CHANGE = (
    _HEAD
    + _CANCEL
    + _REQUEUE
    + _DELETE
    + _RUN
    + """
local change = ({cancel = cancel, requeue = requeue, delete = delete, run = run})[ARGV[3]]
local said = {}
for i = 5, #ARGV do said[#said + 1] = change(ARGV[i]) end
return said
"""
)

# A part of the failed and stopped jobs of a queue, from a place on; what stays is what the next part begins after.
# KEYS: registry. ARGV: as above, then where to begin, how many. Answers: how many were looked at, how many are gone.
_EMPTY = (
    _HEAD
    + _DELETE
    + """
local looked, gone = 0, 0
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], ARGV[5], ARGV[5] + ARGV[6] - 1)) do
  local said = delete(id, true)
  looked = looked + 1
  if said ~= 'recurs' and said ~= 'followed' and said ~= 'started' then
    -- Gone; or what stands here is not true: its record has run out, or it waits again.
    if said ~= 'done' then redis.call('ZREM', KEYS[1], id) end
    gone = gone + 1
  end
end
return {looked, gone}
"""
)


def delete_script(rest: str) -> str:
    """Return a script that may call ``known(id, fields...)``, ``kept(id, status, followup, run)`` and ``delete(id)``.

    Its ARGV begins as above.
    """
    return _HEAD + _DELETE + rest


def change(redis: Redis, action: Action, job_ids: Sequence[str], now: float, *, keep_s: int = 0) -> list[str]:
    """Do it to each job and return what came of each: "done", or what kept it from being done.

    ``now`` is epoch seconds; the record of a canceled job is kept ``keep_s`` seconds. The ids are done in this order;
    all of them hold Redis up together.
    """
    script = redis.register_script(_CHANGE)
    args: list[Any] = [now, _as_rq_writes(now), action, keep_s, *job_ids]
    return [text(raw) for raw in script(args=args)]


def empty_failed(redis: Redis, queue: str, now: float, *, begin: int, at_most: int) -> tuple[int, int]:
    """Delete failed and stopped jobs of a queue, in one step; return how many were looked at, and how many went."""
    script = redis.register_script(_EMPTY)
    args: list[Any] = [now, _as_rq_writes(now), "delete", 0, begin, at_most]
    looked, gone = script(keys=[f"rq:failed:{queue}"], args=args)
    return int(looked), int(gone)


def _as_rq_writes(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
