"""Keeps what it costs to measure coverage within bounds, where it is measured; elsewhere all of this does nothing.

To measure costs a process about 0.1 s at its start and at its end, and half as much time again in between. Tests that
start hundreds of processes, or look at the same lines thousands of times, are marked ``unmeasured``: what they run is
covered by others, and what they show has nothing to do with lines.
"""

from __future__ import annotations

import os
import posix
from collections.abc import Iterator
from contextlib import contextmanager

import coverage
import pytest

_FOR_PROGRAMS = "COVERAGE_PROCESS_CONFIG"  # what has a program of Python measure itself


def begin() -> None:
    """Have whatever is forked from now on measure its own lines only, or none."""
    os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def place_for(item: pytest.Item) -> Iterator[None]:
    """Measure nothing during an unmeasured test: neither here nor in what it starts."""
    current = coverage.Coverage.current()
    if current is None or item.get_closest_marker("unmeasured") is None:
        yield
        return
    told = os.environ.pop(_FOR_PROGRAMS, None)
    current.stop()
    try:
        yield
    finally:
        current.start()
        if told is not None:
            os.environ[_FOR_PROGRAMS] = told


def _after_fork() -> None:
    current = coverage.Coverage.current()
    if current is None:
        # Coverage has put its own in its place, which writes what the parent has measured.
        os._exit = posix._exit
        return
    # The parent writes these at its own end; a child would write all of it once more, half a megabyte each time. In
    # place: the tracer holds on to the sets.
    for lines in current._collector.data.values():
        lines.clear()
