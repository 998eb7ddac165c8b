"""Which posts were handed on for judgement lately, in Redis: ``mastowatch:handed_on``, by time."""

from __future__ import annotations

from collections.abc import Iterable

from redis import Redis

from mastowatch.adapters.redis_common import InRedis, ours

# Longer than the longest gap that is filled, its overlap included.
KEPT_S = 7200
AT_MOST = 20_000
_KEY = "mastowatch:handed_on"


class RedisHandedOn(InRedis):
    """See the port."""

    def __init__(self, redis: Redis, *, at_most: int = AT_MOST) -> None:
        super().__init__(redis)
        self._at_most = at_most

    @ours
    def fresh(self, versions: Iterable[str]) -> set[str]:
        """See the port."""
        asked = list(versions)
        known = self._redis.zmscore(_KEY, asked) if asked else []
        return {one for one, at in zip(asked, known, strict=True) if at is None}

    @ours
    def remember(self, versions: Iterable[str], now: float) -> None:
        """See the port."""
        scores = dict.fromkeys(versions, now)
        with self._redis.pipeline() as pipe:
            if scores:
                pipe.zadd(_KEY, scores)
            pipe.zremrangebyscore(_KEY, "-inf", f"({now - KEPT_S}")
            pipe.zremrangebyrank(_KEY, 0, -self._at_most - 1)
            pipe.expire(_KEY, KEPT_S)
            pipe.execute()
