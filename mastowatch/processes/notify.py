"""Talks to the service manager: READY, STATUS, WATCHDOG, RELOADING, STOPPING. Silent without systemd.

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import sdnotify


class Notifier:
    """One process' line to systemd; ``status`` texts are sent only when they change."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._systemd = sdnotify.SystemdNotifier()
        self._clock = clock
        self._status = ""
        self._next_feed = 0.0
        # Half the limit is what sd_watchdog_enabled(3) advises; a quarter forgives a slow moment.
        self._feed_every = int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6 / 4

    def ready(self, status: str) -> None:
        """Say that the process does its work."""
        self._status = status
        self._systemd.notify(f"READY=1\nSTATUS={status}")

    def status(self, text: str) -> None:
        """Say what it does, in words for an admin."""
        if text != self._status:
            self._status = text
            self._systemd.notify(f"STATUS={text}")

    def alive(self) -> None:
        """Feed the watchdog, if there is one and it is due."""
        if self._feed_every and self._clock() >= self._next_feed:
            self._systemd.notify("WATCHDOG=1")
            self._next_feed = self._clock() + self._feed_every

    def reloading(self) -> None:
        """Say that the settings are being read again."""
        self._systemd.notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def reloaded(self) -> None:
        """Say that they have been."""
        self._systemd.notify("READY=1")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._systemd.notify("STOPPING=1\nSTATUS=Stopping")
