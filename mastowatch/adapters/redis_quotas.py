"""Counts reports in sliding windows, and holds the accounts that a breaker keeps back, in Redis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from redis import Redis

from mastowatch.adapters.redis_common import InRedis, ours, text
from mastowatch.ports.types import Full, Quota

HOUR_S, DAY_S = 3600, 86400
# Another host's clock may be behind this one's: what it still has to count is not forgotten.
_SKEW_S = 3600
HELD_MAX = 2000
HELD_TTL_S = 30 * DAY_S


class RedisQuotas(InRedis):
    """``mastowatch:quota:<scope>``: a sorted set of reports by time, for a day and an hour; at most a day's limit."""

    # KEYS: the scopes' sets. ARGV: report, now, seconds to keep, then for each scope its limits an hour and a day.
    # Returns "<number of the scope>:<window>" for each that is full; only if none is, the report is counted.
    _TAKE = f"""
    local report, now, keep = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
    local full, missing = {{}}, {{}}
    for i, key in ipairs(KEYS) do
      if not redis.call('ZSCORE', key, report) then
        missing[#missing + 1] = key
        local function since(window)
          return redis.call('ZCOUNT', key, string.format('(%.17g', now - window), '+inf')
        end
        if since({HOUR_S}) >= tonumber(ARGV[2 + i * 2]) then full[#full + 1] = i .. ':hour'
        elseif since({DAY_S}) >= tonumber(ARGV[3 + i * 2]) then full[#full + 1] = i .. ':day' end
      end
    end
    if #full > 0 then return full end
    for _, key in ipairs(missing) do
      redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.17g', now - keep))
      redis.call('ZADD', key, ARGV[2], report)
      redis.call('EXPIRE', key, keep)
    end
    return {{}}
    """

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis)
        self._take = redis.register_script(self._TAKE)

    @ours
    def take(self, key: str, quotas: Sequence[Quota], now: float) -> tuple[Full, ...]:
        """See the port."""
        args: list[str | int] = [key, repr(now), DAY_S + _SKEW_S]
        for quota in quotas:
            args += [quota.per_hour, quota.per_day]
        found = self._take(keys=[_key(quota.scope) for quota in quotas], args=args)
        return tuple(_full(quotas, text(raw)) for raw in cast("list[bytes | str]", found))

    @ours
    def clear(self, scope: str) -> None:
        """See the port."""
        self._redis.delete(_key(scope))


class RedisHeld(InRedis):
    """``mastowatch:held:<scope>``: a sorted set of account ids by time, the newest ``at_most``, for 30 days."""

    _RELEASE = """
    local held_at = redis.call('ZSCORE', KEYS[1], ARGV[1])
    if held_at and tonumber(held_at) <= tonumber(ARGV[2]) then redis.call('ZREM', KEYS[1], ARGV[1]) end
    """

    def __init__(self, redis: Redis, *, at_most: int = HELD_MAX) -> None:
        super().__init__(redis)
        self._at_most = at_most
        self._release = redis.register_script(self._RELEASE)

    @ours
    def hold(self, scope: str, account_id: str, now: float) -> None:
        """See the port."""
        key = f"mastowatch:held:{scope}"
        with self._redis.pipeline() as pipe:
            pipe.zadd(key, {account_id: now}, gt=True)
            pipe.zremrangebyrank(key, 0, -self._at_most - 1)
            pipe.expire(key, HELD_TTL_S)
            pipe.execute()

    @ours
    def waiting(self, scope: str) -> Mapping[str, float]:
        """See the port."""
        found = self._redis.zrange(f"mastowatch:held:{scope}", 0, -1, withscores=True)
        return {text(raw): float(at) for raw, at in cast("list[tuple[bytes | str, float]]", found)}

    @ours
    def release(self, scope: str, account_id: str, held_at: float) -> None:
        """See the port."""
        self._release(keys=[f"mastowatch:held:{scope}"], args=[account_id, repr(held_at)])


def _key(scope: str) -> str:
    return f"mastowatch:quota:{scope}"


def _full(quotas: Sequence[Quota], told: str) -> Full:
    number, _, window = told.partition(":")
    quota = quotas[int(number) - 1]
    if window == "hour":
        return Full(quota.scope, "hour", quota.per_hour)
    return Full(quota.scope, "day", quota.per_day)
