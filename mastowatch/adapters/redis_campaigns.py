"""What accounts have in common, in Redis: which ones showed the same link host, text, picture or kind of name.

``mastowatch:campaign:<rule>:<what>:<hash>``: a zset of account ids by when each showed it last; ``...:woken`` beside it
says that those who came first have been queued again. Both end with the rule's window.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from redis import Redis

from mastowatch.adapters.redis_common import InRedis, ours, text
from mastowatch.ports.types import Sighting

ACCOUNTS_MAX, SIGHTINGS_MAX = 500, 200

# KEYS: a zset a sighting. ARGV: account id, now, bound; then for each key: when it was shown, seconds of the window.
# One step, so that of two accounts that come at once the second sees the first.
_NOTE = """
local found = {}
for i, key in ipairs(KEYS) do
  local at, within = tonumber(ARGV[2 + 2 * i]), tonumber(ARGV[3 + 2 * i])
  redis.call('ZADD', key, 'GT', at, ARGV[1])
  redis.call('ZREMRANGEBYSCORE', key, '-inf', '(' .. (tonumber(ARGV[2]) - within))
  redis.call('ZREMRANGEBYRANK', key, 0, -1 - tonumber(ARGV[3]))
  redis.call('EXPIRE', key, math.ceil(within) + 1)
  found[i] = redis.call('ZRANGE', key, 0, -1)
end
return found
"""


class RedisCampaigns(InRedis):
    """See the port."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis)
        self._note = redis.register_script(_NOTE)

    @ours
    def note(self, sightings: Iterable[Sighting], account_id: str, now: float) -> Mapping[Sighting, tuple[str, ...]]:
        """See the port."""
        asked = list(dict.fromkeys(sightings))[:SIGHTINGS_MAX]
        if not asked:
            return {}
        arguments: list[str] = [account_id, repr(now), str(ACCOUNTS_MAX)]
        for one in asked:
            arguments += [repr(min(one.at, now)), repr(one.within_s)]
        found = self._note(keys=list(map(_key, asked)), args=arguments)
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
    return f"mastowatch:campaign:{one.rule_id}:{one.same}:{one.value_hash}"
