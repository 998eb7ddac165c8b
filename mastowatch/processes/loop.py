"""The life of a process that loops: signals, sleep, systemd, and patience while Redis is away.

``step`` does one thing and says whether it found work. Redis out of reach is no reason to die: the process
stays up, says so, and goes on within RETRY_MAX_S of its return.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType

from redis.exceptions import RedisError

from mastowatch.errors import StoreUnavailable
from mastowatch.processes.absence import Absence
from mastowatch.processes.notify import Notifier

RETRY_MIN_S, RETRY_MAX_S = 0.25, 2.0


def _nothing() -> None:
    return None


def _yes() -> bool:
    return True


def _as_the_unit_says() -> float:
    return 0.0


class Loop:
    """Runs ``step`` until SIGTERM or SIGINT; SIGHUP calls ``reload`` between two steps.

    ``describe`` gives the STATUS for an admin; it may ask Redis. ``on_stop`` is called at each SIGTERM or SIGINT, in
    the signal's handler; after the first the loop goes on turning until ``finished`` says so, which may take
    ``stop_s`` seconds. systemd hears READY after the first step after which ``ready`` says so, or when one has shown
    that Redis is away.
    """

    def __init__(
        self,
        step: Callable[[], bool],
        *,
        notifier: Notifier,
        describe: Callable[[], str],
        idle_s: float,
        reload: Callable[[], None] = _nothing,
        on_stop: Callable[[], None] = _nothing,
        finished: Callable[[], bool] = _yes,
        ready: Callable[[], bool] = _yes,
        stop_s: Callable[[], float] = _as_the_unit_says,
    ) -> None:
        self._step, self._describe, self._reload, self._on_stop = step, describe, reload, on_stop
        self._finished, self._stop_s, self._may_be_ready = finished, stop_s, ready
        self._notifier, self._idle_s = notifier, idle_s
        self._stopping = self._reload_wanted = self._ready = False
        self._absence = Absence()
        self._retry_s = RETRY_MIN_S

    def run(self) -> None:
        """Live until told to stop."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGHUP, self._hang_up)
        told = False
        while not (self._stopping and self._finished()):
            if self._stopping and not told:
                self._notifier.stopping(self._stop_s())
                told = True
            self._turn()
        if not told:
            self._notifier.stopping()

    def _turn(self) -> None:
        if self._reload_wanted:
            self._reload_wanted = False
            self._reload()
            self._notifier.reloaded()
        try:
            worked = self._step()
            status = self._describe()
        except (RedisError, StoreUnavailable) as error:
            self._wait_for_redis(error)
            return
        if self._absence.ends():
            self._retry_s = RETRY_MIN_S
        self._tell(status)
        if not worked and not self._stopping:
            time.sleep(self._idle_s)

    def _wait_for_redis(self, error: Exception) -> None:
        self._absence.begins(error)
        self._tell(f"{self._absence.text}, trying again")
        time.sleep(self._retry_s)
        self._retry_s = min(self._retry_s * 2, RETRY_MAX_S)

    def _tell(self, status: str) -> None:
        self._notifier.alive()
        if self._ready:
            self._notifier.status(status)
        elif not self._stopping and (self._absence.text or self._may_be_ready()):
            self._ready = True
            self._notifier.ready(status)

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        del signum, frame
        self._stopping = True
        self._on_stop()

    def _hang_up(self, signum: int, frame: FrameType | None) -> None:
        del signum, frame
        self._reload_wanted = True
        # At once: systemd then waits for the READY that follows.
        self._notifier.reloading()
