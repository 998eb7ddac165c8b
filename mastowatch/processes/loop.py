"""The life of a process that loops: signals, sleep, systemd, and patience while Redis is away.

``step`` does one thing and says whether it found work. Redis out of reach is no reason to die: the process
stays up, says so, and goes on within RETRY_MAX_S of its return.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import FrameType

from redis.exceptions import RedisError, ResponseError

from mastowatch.errors import StoreUnavailable
from mastowatch.logs import event
from mastowatch.processes.notify import Notifier

log = logging.getLogger(__name__)

RETRY_MIN_S, RETRY_MAX_S = 0.25, 2.0


def _nothing() -> None:
    return None


def _yes() -> bool:
    return True


class Loop:
    """Runs ``step`` until SIGTERM or SIGINT; SIGHUP calls ``reload`` between two steps.

    ``describe`` gives the STATUS for an admin. ``on_stop`` is called at each SIGTERM or SIGINT, in the signal's
    handler; after the first the loop goes on turning until ``finished`` says so.
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
    ) -> None:
        self._step, self._describe, self._reload, self._on_stop = step, describe, reload, on_stop
        self._finished = finished
        self._notifier, self._idle_s = notifier, idle_s
        self._stopping = self._reload_wanted = False
        self._away_since: float | None = None
        self._retry_s = RETRY_MIN_S

    def run(self) -> None:
        """Live until told to stop."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGHUP, self._hang_up)
        self._notifier.ready("Starting")
        told = False
        while not (self._stopping and self._finished()):
            if self._stopping and not told:
                self._notifier.stopping()
                told = True
            self._turn()
        if not told:
            self._notifier.stopping()

    def _turn(self) -> None:
        if self._reload_wanted:
            self._reload_wanted = False
            self._notifier.reloading()
            self._reload()
            self._notifier.reloaded()
        try:
            worked = self._step()
        except (RedisError, StoreUnavailable) as error:
            self._wait_for_redis(error)
            return
        self._redis_is_back()
        self._notifier.alive()
        self._notifier.status(self._describe())
        if not worked and not self._stopping:
            time.sleep(self._idle_s)

    def _wait_for_redis(self, error: Exception) -> None:
        if self._away_since is None:
            self._away_since = time.time()
            event(log, logging.ERROR, "redis_away", error=f"{type(error).__name__}: {error}", retry="until it is back")
        self._notifier.alive()
        # Full memory, a read-only replica: it answers, but not as it should.
        trouble = "refuses commands" if isinstance(error, ResponseError) else "away"
        self._notifier.status(f"Redis {trouble} since {_clock_time(self._away_since)}, trying again")
        time.sleep(self._retry_s)
        self._retry_s = min(self._retry_s * 2, RETRY_MAX_S)

    def _redis_is_back(self) -> None:
        if self._away_since is not None:
            event(log, logging.WARNING, "redis_back", away_s=round(time.time() - self._away_since, 1))
            self._away_since, self._retry_s = None, RETRY_MIN_S

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        del signum, frame
        self._stopping = True
        self._on_stop()

    def _hang_up(self, signum: int, frame: FrameType | None) -> None:
        del signum, frame
        self._reload_wanted = True


def _clock_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S UTC")
