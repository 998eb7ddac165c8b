"""Rings when a queue changes, so that an idle worker neither polls nor pops a job into nothing but its memory.

RQ waits with BLPOP, which takes the job out of Redis before anybody can have written it down, and BLMOVE waits for
one queue only. Redis 6 can tell a client that a key was changed (CLIENT TRACKING in broadcast mode): that wakes us,
and the job is then taken in one atomic step. Source: https://redis.io/docs/latest/develop/reference/client-side-caching/
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Any

from redis import Redis
from redis.exceptions import RedisError, ResponseError
from redis.maint_notifications import MaintNotificationsConfig

from mastowatch.logs import event
from mastowatch.same_redis import same_pool

log = logging.getLogger(__name__)

# Between two tries to connect, and how often it is looked without a bell; both are rare.
_AGAIN_S, _BLIND_S = 1.0, 0.3
_CHANNEL = "__redis__:invalidate"
NAME = "mastowatch-doorbell"  # of its connection, in CLIENT LIST


class Doorbell:
    """Rings when one of ``keys`` changes. Without a bell (an old Redis) it rings every 0.3 s."""

    def __init__(self, redis: Redis, keys: Iterable[str]) -> None:
        self._redis = redis
        self._keys = {key.encode() for key in keys}
        self._prefixes = _without_overlap(key.decode() for key in self._keys)
        self._wire: Any = None
        self._next_try = 0.0
        self._refused = False

    def wait(self, timeout_s: float) -> bool:
        """Return True as soon as it rings, False after ``timeout_s``; True as well when it was just hung up.

        What changed before it hung went unheard, so the caller has to look once more.
        """
        try:
            if self._wire is None:
                return self._hang_up_or_sleep(timeout_s)
            return self._rang(timeout_s)
        except (RedisError, OSError):
            self.take_down()
            return True

    def _rang(self, timeout_s: float) -> bool:
        until = time.monotonic() + timeout_s
        while self._wire.can_read(timeout=max(0.0, until - time.monotonic())):
            rang = False
            while self._wire.can_read(timeout=0):
                *_, keys = self._wire.read_response()
                # No keys: everything may have changed. A prefix also covers the keys of others.
                rang = rang or not keys or not self._keys.isdisjoint(keys)
            if rang:
                return True
        return False

    def take_down(self) -> None:
        """Disconnect: while jobs follow on one another nobody waits, and nobody would read what it says."""
        if self._wire is not None:
            self._wire.disconnect()
            self._wire = None

    def _hang_up_or_sleep(self, timeout_s: float) -> bool:
        if self._refused or time.monotonic() < self._next_try:
            time.sleep(min(timeout_s, _BLIND_S))
            return True
        self._next_try = time.monotonic() + _AGAIN_S
        try:
            self._wire = self._hung_up()
        except ResponseError as error:
            self._refused = True
            event(log, logging.WARNING, "doorbell_refused", error=str(error), instead=f"looking every {_BLIND_S} s")
        return True

    def _hung_up(self) -> Any:  # noqa: ANN401 -- redis-py's Connection has no common public type
        # RESP2: with RESP3 the news would be swallowed by redis-py before anybody who waits could see it.
        # The notes on a cluster's maintenance need RESP3.
        quiet = MaintNotificationsConfig(enabled=False)
        wire = same_pool(self._redis, protocol=2, maint_notifications_config=quiet).get_connection()
        try:
            _say(wire, "CLIENT", "SETNAME", NAME)
            number = _say(wire, "CLIENT", "ID")
            prefixes = [word for prefix in self._prefixes for word in ("PREFIX", prefix)]
            _say(wire, "CLIENT", "TRACKING", "ON", "REDIRECT", number, "BCAST", *prefixes)
            _say(wire, "SUBSCRIBE", _CHANNEL)
        except BaseException:
            wire.disconnect()
            raise
        return wire


def _say(wire: Any, *words: Any) -> Any:  # noqa: ANN401 -- as above
    wire.send_command(*words)
    return wire.read_response()


def _without_overlap(prefixes: Iterable[str]) -> list[str]:
    """Return the prefixes without those that a shorter one covers; Redis refuses an overlap."""
    kept: list[str] = []
    for prefix in sorted(set(prefixes)):
        if not kept or not prefix.startswith(kept[-1]):
            kept.append(prefix)
    return kept
