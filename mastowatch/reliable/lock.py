"""A lock in Redis with an owner and a short life: what dies lets go by itself, and only the owner releases."""

from __future__ import annotations

from redis import Redis

_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""
# A lock that would never run out is none of ours, or was touched by hand: it gets a life from here on.
_HOLD = """
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return 1
end
if holder then
  if redis.call('PTTL', KEYS[1]) == -1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""


class OwnedLock:
    """The lock ``key``, as seen by ``owner``; a life of ``ttl_s`` seconds, begun anew by each ``hold``."""

    def __init__(self, redis: Redis, key: str, owner: str, ttl_s: float) -> None:
        self.key, self.owner = key, owner
        self._ttl_ms = int(ttl_s * 1000)
        self._hold = redis.register_script(_HOLD)
        self._release = redis.register_script(_RELEASE)

    def hold(self) -> bool:
        """Take the lock or, if it is ours already, begin its life anew; return whether it is ours."""
        return bool(self._hold(keys=[self.key], args=[self.owner, self._ttl_ms]))

    def release(self) -> None:
        """Let go, if it is still ours."""
        self._release(keys=[self.key], args=[self.owner])
