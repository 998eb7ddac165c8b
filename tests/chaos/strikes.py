"""Who hits what, and when: one ``strike`` is one hit at a random one of the workers (or at Redis)."""

from __future__ import annotations

import random
import signal
import time
from typing import Protocol

from tests.chaos.ledger import Hit, Kind
from tests.chaos.manager import Manager
from tests.chaos.unit import STOPS, Life
from tests.redis_server import RedisProcess

_WEIGHTS = {
    Kind.KILL_PARENT: 33,
    Kind.KILL_HORSE: 33,
    Kind.TERM: 18,
    Kind.TERM_AGAIN: 8,
    Kind.STOP_PARENT: 3,
    Kind.STOP_HORSE: 2,
    Kind.STOP_BOTH: 3,
}


class Striker(Protocol):
    """Deals the hits of a run."""

    def strike(self) -> bool:
        """Hit once; return whether there was anything to hit."""


class AnythingGoes:
    """Kills, stops and ends parents and horses at random; none of the later hits stops, as it takes long to be seen."""

    def __init__(self, manager: Manager, rng: random.Random, *, stops_until: int) -> None:
        self._manager, self._rng = manager, rng
        self._dealt, self._stops_until = 0, stops_until

    def strike(self) -> bool:
        life = self._anyone()
        if life is None:
            return False
        (kind,) = self._rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
        if kind in STOPS and self._dealt >= self._stops_until:
            return False
        dealt = self._deal(life, kind)
        self._dealt += dealt
        return dealt

    def _anyone(self) -> Life | None:
        """Choose among the workers: one in ten times also one that is just starting, never one that is stopped."""
        early = self._rng.random() < 0.1
        lives = [life for life in self._manager.lives() if (life.ready or early) and life.stopped_at is None]
        return self._rng.choice(lives) if lives else None

    def _deal(self, life: Life, kind: Kind) -> bool:
        parent, strike = life.process.pid, self._manager.strike
        if kind == Kind.KILL_PARENT:
            return strike(life, kind, signal.SIGKILL, parent) is not None
        if kind == Kind.TERM:
            return life.termed_at is None and strike(life, kind, signal.SIGTERM, parent) is not None
        if kind == Kind.TERM_AGAIN:
            return self._term_twice(life)
        # The watchdog begins with READY: who is stopped before is stopped for good. And who is to end has ended.
        if not life.ready or life.termed_at is not None:
            return False
        horse = self._horse(life)
        if kind == Kind.STOP_PARENT:
            return strike(life, kind, signal.SIGSTOP, parent) is not None
        if horse is None:
            return False
        if kind == Kind.STOP_BOTH:
            return strike(life, kind, signal.SIGSTOP, parent, horse) is not None
        signum = signal.SIGKILL if kind == Kind.KILL_HORSE else signal.SIGSTOP
        return strike(life, kind, signum, horse) is not None

    def _term_twice(self, life: Life) -> bool:
        parent, strike = life.process.pid, self._manager.strike
        if life.termed_at is None and strike(life, Kind.TERM, signal.SIGTERM, parent) is None:
            return False
        time.sleep(self._rng.uniform(0.0, 0.05))
        strike(life, Kind.TERM_AGAIN, signal.SIGTERM, parent)
        return True

    def _horse(self, life: Life) -> int | None:
        """Return a horse of it. An engine that forks one for each job has none half of the time: wait a little."""
        for _ in range(20):
            if horses := life.horses():
                return self._rng.choice(horses)
            time.sleep(0.005)
        return None


class OneSigtermEach:
    """Tells each process to end, once, and does nothing else."""

    def __init__(self, manager: Manager, rng: random.Random) -> None:
        self._manager, self._rng = manager, rng

    def strike(self) -> bool:
        lives = [life for life in self._manager.lives() if life.ready and life.termed_at is None]
        if not lives:
            return False
        life = self._rng.choice(lives)
        return self._manager.strike(life, Kind.TERM, signal.SIGTERM, life.process.pid) is not None


class RedisDies:
    """Kills Redis, and starts it again a moment later. Nobody touches the workers."""

    def __init__(self, manager: Manager, redis: RedisProcess, rng: random.Random) -> None:
        self._manager, self._redis, self._rng = manager, redis, rng

    def strike(self) -> bool:
        hit = self._manager.note(Hit(Kind.REDIS, "", None, time.monotonic()))
        self._redis.kill()
        time.sleep(self._rng.uniform(0.05, 1.0))
        self._redis.start()
        hit.over = time.monotonic()
        return True
