"""Moves one message: queues its job and takes it out of Celery's list, in one atomic step where both are in one Redis.

Between two servers there can't be one step: the job is queued first, with a mark that tells that it was, and then the
message is removed. Who dies in between leaves a message that the next run finds marked, and only removes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal, cast

from redis import Redis

from mastowatch.reliable.deliveries import Record

# queued: the job waits now. delayed: it waits for its time. joined: the same work waited already. known: it was moved
# before. gone: somebody else has taken the message. busy: the same work runs, and once more waits: to be tried again.
Outcome = Literal["queued", "delayed", "joined", "known", "gone", "busy"]
# Longer than anybody takes to move; by then all messages are gone.
MARK_TTL_S = 30 * 86400

# ARGV: our database, Celery's database or '' for another server, key, tag or '' for a list, message, mark, seconds to
# keep it, job id or '', queue, due or '' for now, the job's fields and values.
_MOVE = """#!lua
local ENDED = {finished = true, failed = true, stopped = true, canceled = true}
local ours, theirs, key, tag, message = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local mark, queue, due = ARGV[6], ARGV[9], tonumber(ARGV[10])

local function there()
  if tag ~= '' then return redis.call('HGET', key, tag) == message end
  return redis.call('LPOS', key, message, 'RANK', -1)
end

local function remove()
  if tag == '' then return redis.call('LREM', key, -1, message) end
  redis.call('ZREM', key .. '_index', tag)
  return redis.call('HDEL', key, tag)
end

local function field(name)
  for i = 11, #ARGV, 2 do if ARGV[i] == name then return ARGV[i + 1] end end
  return ''
end

local function queue_now(id, on)
  redis.call('SADD', 'rq:queues', 'rq:queue:' .. on)
  redis.call('RPUSH', 'rq:queue:' .. on, id)
  redis.call('HSET', 'rq:job:' .. id, 'status', 'queued', 'enqueued_at', field('enqueued_at'))
  return 'queued'
end

-- The same work waits: at the earlier of both times.
local function join(id, origin)
  local delayed = 'rq:scheduled:' .. origin
  local at = tonumber(redis.call('ZSCORE', delayed, id) or 'x')
  if not at or (due and due >= at) then return 'joined' end
  if due then
    redis.call('ZADD', delayed, due, id)
  else
    redis.call('ZREM', delayed, id)
    queue_now(id, origin)
  end
  return 'joined'
end

local function place(id)
  local job = 'rq:job:' .. id
  local found = redis.call('HMGET', job, 'status', 'origin')
  local status, origin = found[1], found[2] or ''
  if status == 'started' then return 'busy' end
  if status and not ENDED[status] then return join(id, origin) end
  for _, kind in ipairs({'finished', 'failed', 'canceled', 'scheduled'}) do
    redis.call('ZREM', 'rq:' .. kind .. ':' .. origin, id)
  end
  redis.call('DEL', job, 'rq:results:' .. id)
  redis.call('HSET', job, unpack(ARGV, 11))
  if not due then return queue_now(id, queue) end
  redis.call('HSET', job, 'status', 'scheduled', 'enqueued_at', '')
  redis.call('SADD', 'rq:queues', 'rq:queue:' .. queue)
  redis.call('ZADD', 'rq:scheduled:' .. queue, due, id)
  return 'delayed'
end

if theirs ~= '' then
  redis.call('SELECT', theirs)
  if not there() then return 'gone' end
  redis.call('SELECT', ours)
end
local outcome = 'known'
if redis.call('EXISTS', mark) == 0 then
  outcome = place(ARGV[8])
  if outcome == 'busy' then outcome = place(ARGV[8] .. '-again') end
  if outcome == 'busy' then return outcome end
  redis.call('SET', mark, '1', 'EX', ARGV[7])
end
if theirs ~= '' then
  redis.call('SELECT', theirs)
  remove()
end
return outcome
"""

# KEYS: list or hash. ARGV: tag or '', message. No first line with what a script is: a Redis 6 knows none, and one that
# is full would refuse it, though this only removes.
_REMOVE = """
if ARGV[1] == '' then return redis.call('LREM', KEYS[1], -1, ARGV[2]) end
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[1] .. '_index', ARGV[1])
return redis.call('HDEL', KEYS[1], ARGV[1])
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message lies: the key of a list, or of the hash of delivered ones and its ``tag`` there."""

    key: str
    tag: str = ""


class Mover:
    """Moves messages from the Redis ``theirs`` to ``ours``, which may be two databases of one server, or one."""

    def __init__(self, ours: Redis, theirs: Redis) -> None:
        self._ours, self._theirs = ours, theirs
        self._move = ours.register_script(_MOVE)
        self.one_server = _run(ours) == _run(theirs)

    def move(self, place: Place, raw: bytes, celery_id: str, record: Record, due: float | None) -> Outcome:
        """Queue ``record`` and remove the message; ``due``: epoch seconds, None for now. Raises RedisError."""
        theirs = str(_database(self._theirs)) if self.one_server else ""
        mark = f"mastowatch:moved:{hashlib.sha256(celery_id.encode()).hexdigest()[:32]}"
        args: list[Any] = [_database(self._ours), theirs, place.key, place.tag, raw, mark, MARK_TTL_S]
        args += [record.job_id, record.queue, "" if due is None else repr(due), *record.fields]
        found = self._move(args=args)
        outcome = cast("Outcome", found.decode() if isinstance(found, bytes) else found)
        if not self.one_server and outcome != "busy":
            self.remove(place, raw)
        return outcome

    def remove(self, place: Place, raw: bytes) -> None:
        """Take the message out of Celery's list or hash, if it is still there."""
        # In one request: a Redis that is full takes no script to keep.
        self._theirs.eval(_REMOVE, 1, place.key, place.tag, raw)


def _run(redis: Redis) -> str:
    return str(redis.info("server")["run_id"])


def _database(redis: Redis) -> int:
    return int(redis.connection_pool.connection_kwargs.get("db") or 0)
