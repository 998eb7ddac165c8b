"""Finds all processes that a worker has started, dead parents or not, as a service manager does by its cgroup.

The mark is a variable in the environment that a process was started with: all its children have it too.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def bears(pid: int, mark: bytes) -> bool:
    """Return whether the process lives and bears the mark (VARIABLE=value). One that is ending has no environment."""
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def bearing(mark: bytes) -> list[int]:
    """Return all living processes that bear the mark."""
    return [pid for path in Path("/proc").glob("[1-9]*") if bears(pid := int(path.name), mark)]


def send(pid: int, signum: int, mark: bytes) -> bool:
    """Send the signal, if the process is still the one that is meant; return whether it was."""
    if not bears(pid, mark):
        return False
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        return False
    return True


def sweep(mark: bytes) -> int:
    """Kill whatever bears the mark until nothing does; return how many there were."""
    found: set[int] = set()
    while pids := bearing(mark):
        found.update(pid for pid in pids if send(pid, signal.SIGKILL, mark))
        time.sleep(0.001)
    return len(found)
