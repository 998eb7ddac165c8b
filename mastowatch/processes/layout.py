"""Keeps a process in step with the layout of the keys: none without agreement, an end where a newer version came.

A process ends with status 1, so that systemd starts it again as the version that is installed by then; a version that
meets newer keys at its start refuses with status 2, which starting again does not mend.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Self

from redis import Redis

from mastowatch.errors import LayoutNewer, LayoutUnready, StoreUnavailable
from mastowatch.jobs import context as contexts
from mastowatch.logs import event

log = logging.getLogger(__name__)

EVERY_S = 5.0  # of the 20 s that a process without a sign of life counts as living
JOIN_S = 5.0  # for a thread that may wait for Redis
EXIT_OUTDATED = 1


class Watch:
    """Asks now and then whether keys and process have one layout, for the length of a ``with``; ``kind`` names it.

    When a newer version waits for this process to end, it sends itself SIGTERM, once.
    """

    def __init__(
        self,
        redis: Redis,
        kind: str,
        *,
        alive: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._layout = contexts.layout(redis, kind, alive=alive)
        self._clock, self._next = clock, 0.0
        self._agreed = False
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self.outdated = ""

    def turn(self) -> None:
        """Ask, if it is time; raises StoreUnavailable before the first agreement only, LayoutNewer at any time."""
        if self._clock() < self._next:
            return
        try:
            self._layout.agree()
        except LayoutUnready as error:
            if not self._agreed:
                raise
            self._give_way(str(error))  # older keys were put in place of ours; at the start it knows what to do
        except StoreUnavailable:
            if not self._agreed:
                raise
            # Whoever works notices by itself that Redis is away, and knows better what to do meanwhile.
        else:
            self._agreed = True
        if self._layout.leaving:
            self._give_way(self._layout.leaving)
        self._next = self._clock() + EVERY_S

    def guard(self, step: Callable[[], bool]) -> Callable[[], bool]:
        """Return ``step`` for a Loop: it is not taken without agreement; newer keys end a running process at once."""

        def guarded() -> bool:
            try:
                self.turn()
            except LayoutNewer as error:
                if self._agreed:
                    # Nothing else is to be written, so the job in hand is left to the newer version to settle.
                    self._tell(str(error))
                    raise SystemExit(EXIT_OUTDATED) from error
                raise
            return step()

        return guarded

    def start_thread(self) -> None:
        """Ask from a thread, for a process with a loop of its own; raises LayoutNewer that shows at once."""
        try:
            self.turn()
        except StoreUnavailable as error:
            event(log, logging.WARNING, "layout_unknown", reason=str(error), until="Redis answers")
        self._thread = threading.Thread(target=self._keep_asking, name="layout", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Take the process out of those that live; raises SystemExit(1) if a newer version waits for it."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(JOIN_S)
        self._layout.leave()
        if self.outdated and kind is None:
            raise SystemExit(EXIT_OUTDATED)

    def _keep_asking(self) -> None:
        while not self._over.wait(EVERY_S if self._agreed else 1.0):
            try:
                self.turn()
            except LayoutNewer as error:
                self._give_way(str(error))
            except StoreUnavailable:
                continue

    def _give_way(self, reason: str) -> None:
        if not self.outdated:
            self._tell(reason)
            os.kill(os.getpid(), signal.SIGTERM)

    def _tell(self, reason: str) -> None:
        self.outdated = reason
        event(log, logging.WARNING, "outdated", reason=reason, then="it ends, to be started again")
