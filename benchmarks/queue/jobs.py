"""The jobs, the same functions for all engines."""

from __future__ import annotations

import time

from benchmarks.queue.board import board


def noop(slot: int) -> None:
    """Do nothing but say so."""
    board().begin(slot)
    board().end(slot)


def nap(slot: int, seconds: float) -> None:
    """Wait, as a job does that asks a server."""
    board().begin(slot)
    time.sleep(seconds)
    board().end(slot)
