"""Brings RQ's delayed jobs back to their queues in time: retries with back-off, ``enqueue_in``, waits for budget.

RQ leaves that to a scheduler of its own, which takes several steps and a fetch of every record.
"""

from __future__ import annotations

from collections.abc import Sequence

from redis import Redis
from rq.rate_limit import ACQUIRE_AND_ENQUEUE_SCRIPT

BATCH = 500  # so many jobs hold Redis up for about 2 ms
_BATCHES = 10

# Does what RQ's own scheduler does with a job: the front of the queue, rate limits and ttl are kept to. Its entry among
# the delayed ones is the caller's to remove. ARGV: now, now as RQ writes it. Answers 1 if the job was released.
_ADMIT = f"local function admit(KEYS, ARGV) {ACQUIRE_AND_ENQUEUE_SCRIPT} end"
RELEASE_ONE = (
    _ADMIT
    + """
local function limit(id, job, key, concurrency, front)
  local limiter = 'rq:rl:' .. key
  redis.call('SADD', 'rq:rl-keys', key)
  redis.call('HSET', limiter, 'concurrency', concurrency)
  redis.call('HSET', job, 'status', 'rate_limited')
  if front then redis.call('HSET', job, 'enqueue_at_front', 1) end
  redis.call('ZADD', limiter .. ':rate_limited', ARGV[1], id)
  admit({limiter .. ':allowed', limiter .. ':rate_limited'}, {concurrency, ARGV[1], ARGV[2], 'rq:queue:', 'rq:job:'})
end

local function release(id, queue, to_front)
  local job = 'rq:job:' .. id
  local found = redis.pcall('HMGET', job, 'status', 'rate_limit_key', 'rate_limit_concurrency', 'ttl',
    'enqueue_at_front', 'enqueue_at_front_on_retry', 'ended_at')
  if found[1] ~= 'scheduled' then return 0 end
  local front = to_front or found[5] == '1' or (found[6] == '1' and found[7] and found[7] ~= '')
  redis.call('SADD', 'rq:queues', queue)
  if tonumber(found[4]) then redis.call('EXPIRE', job, found[4]) end
  if found[2] and found[2] ~= '' and tonumber(found[3]) then
    limit(id, job, found[2], found[3], front)
    return 1
  end
  redis.call(front and 'LPUSH' or 'RPUSH', queue, id)
  redis.call('HSET', job, 'status', 'queued', 'enqueued_at', ARGV[2])
  return 1
end
"""
)

# KEYS: the delayed jobs of a queue and that queue, in pairs, the most urgent first.
# ARGV: as above, then how many at most. Returns how many were looked at, and how many released.
_RELEASE = """
local looked, released = 0, 0
for k = 1, #KEYS, 2 do
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[k], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3] - looked)) do
    released = released + release(id, KEYS[k + 1], false)
    redis.call('ZREM', KEYS[k], id)
    looked = looked + 1
  end
end
return {looked, released}
"""


class Delayed:
    """The delayed jobs of ``queues``. Those of other queues are left to whoever serves these."""

    def __init__(self, redis: Redis, queues: Sequence[str]) -> None:
        self._keys = [key for name in queues for key in (f"rq:scheduled:{name}", f"rq:queue:{name}")]
        self._script = redis.register_script(RELEASE_ONE + _RELEASE)

    def release(self, now: float, now_text: str) -> int:
        """Put what is due at ``now`` (epoch seconds, and as RQ writes it) on its queue; return how many jobs.

        A job is released once, however many do this at a time. What is more than some thousands is left for the
        next call.
        """
        total = 0
        for _ in range(_BATCHES if self._keys else 0):
            looked, released = self._script(keys=self._keys, args=[now, now_text, BATCH])
            total += int(released)
            if looked < BATCH:
                break
        return total
