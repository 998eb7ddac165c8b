"""Log lines with the clock of marks and hits, the worker's life and process, and the fields of an event."""

from __future__ import annotations

import logging
import sys
import time

_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _Line(logging.Formatter):
    def __init__(self, life: str) -> None:
        super().__init__("%(levelname)s %(message)s")
        self._life = life

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{key}={value}" for key, value in vars(record).items() if key not in _STANDARD)
        return f"{time.monotonic():.3f} {self._life} {record.process} {super().format(record)} {fields}".rstrip()


def log_to_stderr(life: str) -> None:
    """Log everything from INFO on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line(life))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
