"""What accounts have in common, in Redis: which ones showed the same link host, text, picture or kind of name.

``mastowatch:campaign:<rule>:<what>:<hash>``: a zset of account ids by when each showed it last; ``...:woken`` beside it
says that those who came first have been queued again. Both end with the rule's window.

``mastowatch:campaigns`` is a zset of all of these, without what their keys begin with, by when they end, and
``mastowatch:campaigns:sizes`` a hash of how many accounts each has, and all together: so that there are never more than
so many, whatever people post and rules look for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from redis import Redis

from mastowatch.adapters.redis_common import InRedis, ours, text
from mastowatch.ports.types import Sighting

ACCOUNTS_MAX, SIGHTINGS_MAX = 500, 200
# Accounts in all campaigns together.
KEPT_MAX = 200_000

# KEYS: index, sizes, then a zset a sighting. ARGV: account id, now, accounts in one at most, in all at most, what keys
# begin with; then for each key: when it was shown, seconds of the window.
# One step, so that of two accounts that come at once the second sees the first. Campaigns that have ended by themselves
# still stand in index and sizes, and leave them here; past the bound those leave that end first.
_NOTE = """
local now, prefix, found = tonumber(ARGV[2]), ARGV[5], {}
local function forget(name)
  redis.call('HINCRBY', KEYS[2], 'all', 0 - tonumber(redis.call('HGET', KEYS[2], name) or '0'))
  redis.call('HDEL', KEYS[2], name)
  redis.call('ZREM', KEYS[1], name)
  redis.call('DEL', prefix .. name)
end
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. now, 'LIMIT', 0, 500)) do forget(name) end
for i = 3, #KEYS do
  local key, at, within = KEYS[i], tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  redis.call('ZADD', key, 'GT', at, ARGV[1])
  redis.call('ZREMRANGEBYSCORE', key, '-inf', '(' .. (now - within))
  redis.call('ZREMRANGEBYRANK', key, 0, -1 - tonumber(ARGV[3]))
  redis.call('EXPIRE', key, math.ceil(within) + 1)
  local members, name = redis.call('ZRANGE', key, 0, -1), string.sub(key, #prefix + 1)
  local change = #members - tonumber(redis.call('HGET', KEYS[2], name) or '0')
  if #members > 0 then
    redis.call('HSET', KEYS[2], name, #members)
    redis.call('ZADD', KEYS[1], now + within + 1, name)
  else
    redis.call('HDEL', KEYS[2], name)
    redis.call('ZREM', KEYS[1], name)
  end
  if change ~= 0 then redis.call('HINCRBY', KEYS[2], 'all', change) end
  found[i - 2] = members
end
local ends = 0
for i = 3, #KEYS do ends = math.max(ends, math.ceil(tonumber(ARGV[2 * i + 1])) + 1) end
for i = 1, 2 do
  if redis.call('TTL', KEYS[i]) < ends then redis.call('EXPIRE', KEYS[i], ends) end
end
for _ = 1, 500 do
  if tonumber(redis.call('HGET', KEYS[2], 'all') or '0') <= tonumber(ARGV[4]) then break end
  local first = redis.call('ZRANGE', KEYS[1], 0, 0)[1]
  if not first then redis.call('DEL', KEYS[2]) break end
  forget(first)
end
return found
"""


class RedisCampaigns(InRedis):
    """See the port. ``at_most``: accounts in all campaigns together."""

    INDEX, SIZES, CAMPAIGN = "mastowatch:campaigns", "mastowatch:campaigns:sizes", "mastowatch:campaign:"

    def __init__(self, redis: Redis, *, at_most: int = KEPT_MAX) -> None:
        super().__init__(redis)
        self._at_most = at_most
        self._note = redis.register_script(_NOTE)

    @ours
    def note(self, sightings: Iterable[Sighting], account_id: str, now: float) -> Mapping[Sighting, tuple[str, ...]]:
        """See the port."""
        asked = list(dict.fromkeys(sightings))[:SIGHTINGS_MAX]
        if not asked:
            return {}
        arguments: list[str] = [account_id, repr(now), str(ACCOUNTS_MAX), str(self._at_most), self.CAMPAIGN]
        for one in asked:
            arguments += [repr(min(one.at, now)), repr(one.within_s)]
        found = self._note(keys=[self.INDEX, self.SIZES, *map(_key, asked)], args=arguments)
        return {one: tuple(map(text, ids)) for one, ids in zip(asked, found, strict=True)}

    @ours
    def seen(self, sightings: Iterable[Sighting], now: float) -> Mapping[Sighting, tuple[str, ...]]:
        """See the port."""
        asked = list(dict.fromkeys(sightings))[:SIGHTINGS_MAX]
        with self._redis.pipeline(transaction=False) as pipe:
            for one in asked:
                pipe.zrangebyscore(_key(one), repr(now - one.within_s), "+inf")
            found = pipe.execute()
        return {one: tuple(map(text, ids)) for one, ids in zip(asked, found, strict=True)}

    @ours
    def woken(self, sightings: Iterable[Sighting]) -> frozenset[Sighting]:
        """See the port."""
        asked = list(sightings)
        if not asked:
            return frozenset()
        found = self._redis.mget([f"{_key(one)}:woken" for one in asked])
        return frozenset(one for one, raw in zip(asked, found, strict=True) if raw)

    def wake(self, sighting: Sighting, queue: Callable[[], None]) -> None:
        """See the port."""
        queue()  # its own errors come out as they are
        self._mark_woken(sighting)

    @ours
    def _mark_woken(self, sighting: Sighting) -> None:
        self._redis.set(f"{_key(sighting)}:woken", 1, ex=math.ceil(sighting.within_s) + 1)


def _key(one: Sighting) -> str:
    return f"{RedisCampaigns.CAMPAIGN}{one.rule_id}:{one.same}:{one.value_hash}"
