"""Keeps a process in step with the layout of the keys: no work without agreement, an end where a newer version came.

Such an end has status 1, so that systemd starts the process again, as the version that is installed by then. A process
that meets newer keys at its start ends with LayoutNewer, and so with status 2: to start again would not mend it.
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
LEAVE_S = 1.0  # how long an end waits for a look that is under way
EXIT_OUTDATED = 1


class Agreement:
    """One process' agreement with the keys, for the length of a ``with``; ``kind`` names the process for others.

    When a newer version waits for this process to end, it sends itself SIGTERM, once, and ends as it does at a stop.
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
        self._agreed = self._outdated = False
        self._looking = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Take the process out of those that live; raises SystemExit(1) if a newer version waits for it."""
        # A look that is under way would take it in again; with Redis standing still it runs out by itself.
        if self._looking.acquire(timeout=LEAVE_S):
            self._layout.leave()
        if self._outdated and kind is None:
            raise SystemExit(EXIT_OUTDATED)

    def begin(self) -> None:
        """Ask before anything else, in a process that goes on without Redis; raises LayoutNewer."""
        try:
            self._ask()
        except StoreUnavailable as error:
            event(log, logging.DEBUG, "layout_unknown", reason=str(error))

    def look(self) -> None:
        """Ask from a thread beside the work, every few seconds; raises StoreUnavailable."""
        if not self._looking.acquire(blocking=False):
            return  # the process has left
        try:
            self._ask()
        except LayoutNewer as error:
            self._give_way(str(error))
        finally:
            self._looking.release()

    def guard(self, step: Callable[[], bool]) -> Callable[[], bool]:
        """Return ``step`` for a Loop: not taken before an agreement, and not after newer keys were found."""

        def guarded() -> bool:
            if self._clock() >= self._next:
                self._ask_between_steps()
                self._next = self._clock() + EVERY_S
            return step()

        return guarded

    def _ask_between_steps(self) -> None:
        try:
            self._ask()
        except LayoutNewer as error:
            if not self._agreed:
                raise
            # Nothing else is to be written, so a job in hand is left to the newer version to settle.
            self._tell(str(error))
            raise SystemExit(EXIT_OUTDATED) from error
        except StoreUnavailable:
            if not self._agreed:
                raise
            # The step notices by itself that Redis is away, and knows what to do meanwhile.

    def _ask(self) -> None:
        try:
            self._layout.agree()
        except LayoutUnready as error:
            if self._agreed:  # other keys were put in place of ours; at a start it is known what to do then
                self._give_way(str(error))
            raise
        self._agreed = True
        if self._layout.leaving:
            self._give_way(self._layout.leaving)

    def _give_way(self, reason: str) -> None:
        if not self._outdated:
            self._tell(reason)
            os.kill(os.getpid(), signal.SIGTERM)

    def _tell(self, reason: str) -> None:
        self._outdated = True
        event(log, logging.WARNING, "outdated", reason=reason, then="it ends, to be started again")
