"""Deletes our keys in Redis, ours alone, in bounded steps. Which keys those are: forget.lua, beside this file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from mastowatch.adapters.redis_layout import LAYOUT, as_running, refuse_newer, unchecked
from mastowatch.errors import StoreUnavailable
from mastowatch.ports.host import Running

_LUA = Path(__file__).with_name("forget.lua")
STEP = 500  # elements looked at in one step: a few ms of Redis' time


class Forgetting:
    """Looks through a database for our keys; connects whatever their layout."""

    def __init__(self, redis: Redis, *, step: int = STEP) -> None:
        self._redis, self._step = unchecked(redis), step
        self._script = self._redis.register_script(_LUA.read_text(encoding="utf-8"))

    def check_layout(self) -> list[Running]:
        """Return the processes of ours that live; raises LayoutNewer where this version can't know all keys."""
        said, *members = self._call("ask")
        layout = said.removeprefix("layout ")
        if layout:
            refuse_newer(layout, LAYOUT)
        return [as_running(one) for one in members]

    def count(self) -> Mapping[str, int]:
        """Return how many there are of each kind; changes nothing."""
        return self._walk("count")

    def delete(self) -> Mapping[str, int]:
        """Delete them and return how many there were of each kind. May be stopped anywhere and called again."""
        return self._walk("delete")

    def close(self) -> None:
        """Close the connection."""
        self._redis.connection_pool.disconnect()

    def _walk(self, mode: str) -> Mapping[str, int]:
        found: Counter[str] = Counter()
        place = "begin"
        while place != "end":
            place, *counts = self._call(mode, place, str(self._step))
            for kind, number in zip(counts[::2], counts[1::2], strict=True):
                found[kind] += int(number)
        return found

    def _call(self, *args: str) -> list[str]:
        try:
            answer = self._script(args=list(args))
        except RedisError as error:
            raise StoreUnavailable(f"Redis: {type(error).__name__}: {error}") from error
        return [one.decode(errors="replace") if isinstance(one, bytes) else str(one) for one in answer]
