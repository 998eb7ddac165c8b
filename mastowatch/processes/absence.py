"""Redis out of reach: told once in the journal when it begins and when it ends, and in the STATUS all the while."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from redis.exceptions import RedisError

from mastowatch.errors import StoreUnavailable
from mastowatch.logs import event
from mastowatch.processes.notify import clock_time
from mastowatch.redis_trouble import AWAY, LOADING, trouble

log = logging.getLogger(__name__)

LOOK_S, AWAY_LOOK_S = 5.0, 1.0


class Absence:
    """Whether Redis is away, and since when."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._trouble = ""

    @property
    def text(self) -> str:
        """What to tell an admin; "" while Redis answers."""
        return f"Redis {self._trouble} since {clock_time(self._since)}" if self._since is not None else ""

    def begins(self, error: Exception) -> None:
        """Note that Redis did not answer, or not as it should."""
        found = trouble(error)
        before, self._trouble = self._trouble, found.word
        # Whoever comes back from being away loads its data first; that is no other outage.
        if self._since is not None and (found.word == before or found in (AWAY, LOADING)):
            return
        self._since = self._since or time.time()
        told = f"{type(error).__name__}: {error}"
        event(log, logging.ERROR, "redis_away", state=found.word, error=told, hint=found.mend, retry="until it is back")

    def ends(self) -> bool:
        """Note that Redis answered; return whether it had been away."""
        if self._since is None:
            return False
        event(log, logging.WARNING, "redis_back", away_s=round(time.time() - self._since, 1))
        self._since = None
        return True


class Watch:
    """Looks whether Redis answers, for a process that asks it only now and then; ``ask`` raises if it does not."""

    def __init__(self, ask: Callable[[], None], absence: Absence) -> None:
        self._ask, self._absence = ask, absence
        self._over = threading.Event()
        # A daemon: an end must not wait for a Redis that does not answer.
        self._thread = threading.Thread(target=self._look_on, name="redis-watch", daemon=True)

    def start(self) -> None:
        """Look from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()

    def _look_on(self) -> None:
        while True:
            try:
                self._ask()
            except (RedisError, StoreUnavailable) as error:
                self._absence.begins(error)
            else:
                self._absence.ends()
            if self._over.wait(AWAY_LOOK_S if self._absence.text else LOOK_S):
                return
