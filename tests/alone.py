"""Lets a test that measures time, or storms the machine, have it to itself while others run several at a time.

``make test`` runs several processes of pytest. Each holds a lock while it runs a test: shared for most tests, exclusive
for those marked ``alone``. These come last, so that nobody waits for them who has something else to do.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def place_for(item: pytest.Item) -> Iterator[None]:
    """Wait until the test may run, and meanwhile keep out those that may not run beside it."""
    with Path(__file__).open() as lock:  # any file will do that all processes have
        fcntl.flock(lock, fcntl.LOCK_EX if is_alone(item) else fcntl.LOCK_SH)
        try:
            yield
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)  # to close it is not enough: what the test has forked has it open, too


def is_alone(item: pytest.Item) -> bool:
    """Tell whether the test wants the machine to itself."""
    return item.get_closest_marker("alone") is not None
