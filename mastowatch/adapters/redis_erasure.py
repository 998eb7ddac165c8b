"""Erases what is known of one account: its case, its posts, its traces in campaigns, its lines in the audit.

What says that it was reported, and what is in force on it, stays and runs out by itself: ids and rules, no names.
Without it the account would be reported once more, and a measure would never be undone.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from redis import Redis

from mastowatch.adapters.redis_audit import RedisAudit
from mastowatch.adapters.redis_common import InRedis, ours, text
from mastowatch.adapters.redis_posts import RedisRecentPosts

_STEP = 500  # keys or entries in one request
_SETS = {"mastowatch:campaign:*": "traces in campaigns", "mastowatch:held:*": "reports held back"}
# KEYS: index, sizes. ARGV: the look's key, the account. As RedisRecentPosts forgets a look: the sum must stay right.
_FORGET_LOOK = """
local size = redis.call('HGET', KEYS[2], ARGV[2])
if size then
  redis.call('HINCRBY', KEYS[2], 'all', 0 - tonumber(size))
  redis.call('HDEL', KEYS[2], ARGV[2])
end
redis.call('ZREM', KEYS[1], ARGV[2])
return redis.call('DEL', ARGV[1])
"""


class Erasure(InRedis):
    """Of the account with an id. Both may be stopped anywhere and called again; each request takes Redis a few ms."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis)
        self._forget_look = redis.register_script(_FORGET_LOOK)

    @ours
    def count(self, account_id: str) -> Mapping[str, int]:
        """Return how much there is of each kind; changes nothing."""
        keys = {
            "cases": f"mastowatch:case:{account_id}",
            "profiles with posts": f"{RedisRecentPosts.LOOK}{account_id}",
            "judgements": f"mastowatch:judged:{account_id}",
        }
        found = Counter({kind: int(self._redis.exists(key)) for kind, key in keys.items()})
        for pattern, kind in _SETS.items():
            for part in self._sets(pattern):
                with self._redis.pipeline(transaction=False) as pipe:
                    for key in part:
                        pipe.zscore(key, account_id)
                    found[kind] += sum(score is not None for score in pipe.execute())
        found["lines in the audit"] = sum(len(part) for part in self._lines(account_id))
        return +found

    @ours
    def erase(self, account_id: str) -> None:
        """Erase it."""
        with self._redis.pipeline() as pipe:
            pipe.delete(f"mastowatch:case:{account_id}", f"mastowatch:judged:{account_id}")
            pipe.zrem("mastowatch:cases", account_id)
            pipe.execute()
        looks = [RedisRecentPosts.INDEX, RedisRecentPosts.SIZES]
        self._forget_look(keys=looks, args=[f"{RedisRecentPosts.LOOK}{account_id}", account_id])
        for pattern in _SETS:
            for part in self._sets(pattern):
                with self._redis.pipeline(transaction=False) as pipe:
                    for key in part:
                        pipe.zrem(key, account_id)
                    pipe.execute()
        for lines in self._lines(account_id):
            self._redis.xdel(RedisAudit.STREAM, *lines)

    def _sets(self, pattern: str) -> Iterator[list[Any]]:
        """Yield the keys of sorted sets, in parts; others under such a name are left alone."""
        part: list[Any] = []
        for key in self._redis.scan_iter(match=pattern, count=_STEP, _type="zset"):
            part.append(key)
            if len(part) == _STEP:
                yield part
                part = []
        if part:
            yield part

    def _lines(self, account_id: str) -> Iterator[list[Any]]:
        """Yield the places of entries about the account, in parts."""
        begin = "-"
        while raw := self._redis.xrange(RedisAudit.STREAM, min=begin, count=_STEP):
            places = [place for place, entry in raw if _is_about(entry, account_id)]
            if places:
                yield places
            begin = f"({text(raw[-1][0])}"


def _is_about(entry: Mapping[Any, Any] | None, account_id: str) -> bool:
    try:
        return any(json.loads(body).get("account_id") == account_id for body in (entry or {}).values())
    except (ValueError, AttributeError):
        return False
