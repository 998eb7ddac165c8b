"""Looks into a worker from within: counts its writes to Redis, or samples where it spends its CPU time.

Only for runs that are not timed. Both write with O_APPEND, so that a horse that is killed or leaves by ``os._exit``
loses nothing, and forked children go on by themselves.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from redis import connection

TRIPS, STACKS = "BENCH_TRIPS", "BENCH_STACKS"
_EVERY_S = 0.004  # the tick of many kernels: asked for more, they give no more


def install() -> None:
    """Begin whatever the environment asks for; call it once, before any fork."""
    if path := os.environ.get(TRIPS):
        _count_trips(_appending(path))
    if path := os.environ.get(STACKS):
        _sample_stacks(_appending(path))


def _appending(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def _count_trips(file: int) -> None:
    """Leave one byte for each write to Redis; a pipeline is written at once, and each write's answer is waited for."""
    original: Callable[..., None] = connection.AbstractConnection.send_packed_command

    def counted(self: connection.AbstractConnection, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 -- handed on
        os.write(file, b".")
        original(self, *args, **kwargs)

    connection.AbstractConnection.send_packed_command = counted  # type: ignore[method-assign]


def _sample_stacks(file: int) -> None:
    """Leave the stack, folded into one line, after every 4 ms of CPU time. Waiting costs none and is not seen."""
    parent = os.getpid()

    def sample(_signum: int, frame: FrameType | None) -> None:
        names = []
        while frame:
            names.append(f"{frame.f_globals.get('__name__')}:{frame.f_code.co_qualname}")
            frame = frame.f_back
        role = "parent" if os.getpid() == parent else "horse"
        os.write(file, (";".join([role, *reversed(names)]) + "\n").encode())

    def start() -> None:
        signal.setitimer(signal.ITIMER_PROF, _EVERY_S, _EVERY_S)

    signal.signal(signal.SIGPROF, sample)
    os.register_at_fork(after_in_child=start)  # a timer is not inherited
    start()
