"""Talks to the service manager: READY, STATUS, WATCHDOG, RELOADING, STOPPING. Silent without systemd.

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime

import sdnotify

STATUS_EVERY_S = 1.0
# A service manager that does not listen must not hold the process; what is lost is said again, but for READY.
PATIENCE_S = 0.5


class Notifier:
    """One process' line to systemd. ``status`` texts are sent when they change, once a second at most.

    Takes systemd's variables out of ``environ``: children have nothing to say. Nor has a fork of the process.
    """

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, environ: MutableMapping[str, str] = os.environ
    ) -> None:
        self._systemd = sdnotify.SystemdNotifier() if environ.get("NOTIFY_SOCKET") else None
        if self._systemd is not None and self._systemd.socket is not None:
            self._systemd.socket.settimeout(PATIENCE_S)
        self._pid = os.getpid()
        self._clock = clock
        self._status = ""
        self._next_feed = self._next_status = 0.0
        # Half the limit is what sd_watchdog_enabled(3) advises; a quarter forgives a slow moment.
        self._feed_every = _watchdog_s(environ) / 4
        for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
            environ.pop(name, None)

    def ready(self, status: str) -> None:
        """Say that the process does its work."""
        self._say("READY=1", self._new(status))

    def status(self, text: str) -> None:
        """Say what it does, in words for an admin; call it again and again, as it is dropped while it is too early."""
        if _one_line(text) != self._status and self._clock() >= self._next_status:
            self._say(self._new(text))

    def alive(self) -> None:
        """Feed the watchdog, if there is one and it is due."""
        if self._feed_every and self._clock() >= self._next_feed:
            self._say("WATCHDOG=1")
            self._next_feed = self._clock() + self._feed_every

    def reloading(self) -> None:
        """Say that the settings are being read again; may be called in a signal's handler."""
        self._say("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def reloaded(self) -> None:
        """Say that they have been."""
        self._say("READY=1")

    def stopping(self, within_s: float = 0.0) -> None:
        """Say that the end has begun, and that it may take ``within_s`` seconds, if that is more than the unit says."""
        limit = [f"EXTEND_TIMEOUT_USEC={round(within_s * 1e6)}"] if within_s else []
        self._say("STOPPING=1", self._new("Stopping"), *limit)

    def close(self) -> None:
        """Say no more."""
        if self._systemd is not None and self._systemd.socket is not None:
            self._systemd.socket.close()

    def _new(self, status: str) -> str:
        self._status = _one_line(status)
        self._next_status = self._clock() + STATUS_EVERY_S
        return f"STATUS={self._status}"

    def _say(self, *lines: str) -> None:
        if self._systemd is not None and os.getpid() == self._pid:
            self._systemd.notify("\n".join(lines))


def clock_time(at: float) -> str:
    """Return epoch seconds as people read them in a status."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S UTC")


def _one_line(text: str) -> str:
    # A job's id can be anything; on a line of its own it could say WATCHDOG=1. sdnotify sends Latin-1 only.
    return " ".join(text.split()).encode("ascii", "replace").decode()


def _watchdog_s(environ: MutableMapping[str, str]) -> float:
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    return int(environ.get("WATCHDOG_USEC", "0")) / 1e6
