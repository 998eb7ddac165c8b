"""Watches how long a job stays in the hand of a worker that is gone, until it is back on its queue."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection

from redis import Redis
from redis.exceptions import RedisError
from rq.utils import as_text

from mastowatch.reliable.scripts import TAKERS, taken_key

BACK_S = 15.0
STEADY = "rq:steady"
_LOOK_S = 0.1


class Hands:
    """Looks ten times a second. ``alive`` gives the pids of the workers there are; a worker's name holds its pid.

    What is promised counts from when the living have last begun to show life without a gap: before that nobody may be
    taken for dead. On a machine that starts workers more slowly than they are killed there are such gaps.
    """

    def __init__(self, url: str, alive: Callable[[], Collection[int]]) -> None:
        self._url, self._alive = url, alive
        self._since: dict[str, float] = {}
        self._longest: dict[str, float] = {}
        self._overdue: dict[str, float] = {}
        self._steady: bytes | None = None
        self._steady_at = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._done.set()
        self._thread.join(10)

    @property
    def longest_s(self) -> float:
        """The longest that a job was in a dead hand."""
        return max(self._longest.values(), default=0.0)

    def late(self) -> list[str]:
        """Return what was longer in a dead hand than is promised."""
        return [f"{name}: {age:.1f} s" for name, age in self._overdue.items() if age > BACK_S]

    def _watch(self) -> None:
        with Redis.from_url(self._url) as redis:
            while not self._done.wait(_LOOK_S):
                try:
                    self.look(redis, time.monotonic())
                except RedisError:
                    self._since.clear()  # while Redis is away nobody can bring anything back

    def look(self, redis: Redis, now: float) -> None:
        """Look once; ``now`` is monotonic seconds."""
        steady = redis.get(STEADY)
        if steady is None or steady != self._steady:
            self._steady, self._steady_at = steady, now
        names = {as_text(raw) for raw in redis.smembers(TAKERS)}
        alive = self._alive()
        dead = {name for name in names if int(name.split("-")[-2]) not in alive and redis.exists(taken_key(name))}
        self._since = {name: self._since.get(name, now) for name in dead}
        for name, since in self._since.items():
            self._longest[name] = now - since
            self._overdue[name] = max(self._overdue.get(name, 0.0), now - max(since, self._steady_at))
