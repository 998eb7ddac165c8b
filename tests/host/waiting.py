"""Waits for what must come true, never for time to pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def wait(condition: Callable[[], Any], seconds: float, what: str, every_s: float = 0.2) -> float:
    """Return the seconds until ``condition`` held; fail with ``what`` was waited for."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"waited {seconds:g} s in vain: {what}"
        time.sleep(every_s)
    return time.monotonic() - began
