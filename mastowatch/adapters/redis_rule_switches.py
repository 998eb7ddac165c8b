"""Which rules have been dropped to shadow, and whether all reporting is paused, in Redis."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from redis import Redis

from mastowatch.adapters.redis_common import InRedis, ours, text, texts
from mastowatch.ports.types import EVERY_RULE, Dropped, DroppedBy

WHY_MAX = 300


class RedisRuleSwitches(InRedis):
    """``mastowatch:rules:dropped`` (JSON by rule id), and when each was last re-armed and told of.

    All are bounded by the rules there are and were.
    """

    DROPPED, REARMED, TOLD = "mastowatch:rules:dropped", "mastowatch:rules:rearmed", "mastowatch:rules:told"

    # Taking it off the dropped ones and noting when is one step, so that the two never disagree.
    _REARM = """
    if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
    redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
    return 1
    """

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis)
        self._rearm = redis.register_script(self._REARM)

    @ours
    def shadowed(self) -> Mapping[str, Dropped]:
        """See the port."""
        found = {text(key): raw for key, raw in self._redis.hgetall(self.DROPPED).items()}
        return {rule_id: _dropped(rule_id, raw) for rule_id, raw in found.items() if rule_id != EVERY_RULE}

    @ours
    def paused(self) -> Dropped | None:
        """See the port."""
        raw = self._redis.hget(self.DROPPED, EVERY_RULE)
        return _dropped(EVERY_RULE, raw) if raw is not None else None

    @ours
    def drop(self, rule_id: str, why: str, by: DroppedBy, now: float) -> bool:
        """See the port."""
        body = json.dumps({"why": why[:WHY_MAX], "by": by, "at": now})
        return bool(self._redis.hsetnx(self.DROPPED, rule_id, body))

    @ours
    def rearm(self, rule_id: str, now: float) -> bool:
        """See the port."""
        return bool(self._rearm(keys=[self.DROPPED, self.REARMED], args=[rule_id, repr(now)]))

    @ours
    def rearmed_at(self, rule_id: str) -> float:
        """See the port."""
        return float(self._redis.hget(self.REARMED, rule_id) or 0)

    @ours
    def rearmed(self) -> frozenset[str]:
        """See the port."""
        return frozenset(map(text, self._redis.hkeys(self.REARMED)))

    @ours
    def untold(self) -> tuple[Dropped, ...]:
        """See the port."""
        found = {text(key): raw for key, raw in self._redis.hgetall(self.DROPPED).items()}
        told = texts(self._redis.hgetall(self.TOLD))
        dropped = (_dropped(rule_id, raw) for rule_id, raw in found.items())
        return tuple(one for one in dropped if told.get(one.rule_id) != repr(one.at))

    @ours
    def told(self, dropped: Dropped) -> None:
        """See the port."""
        self._redis.hset(self.TOLD, dropped.rule_id, repr(dropped.at))


def _dropped(rule_id: str, raw: Any) -> Dropped:  # noqa: ANN401 -- redis-py gives bytes or str
    """Read an entry; one that can't be read still drops its rule: shadow is the safe answer."""
    try:
        fields = json.loads(raw)
        return Dropped(rule_id, str(fields["why"]), fields["by"], float(fields["at"]))
    except (ValueError, TypeError, KeyError):
        return Dropped(rule_id, "its entry in Redis can't be read", "breaker", 0.0)
