"""One JSON object a line, with the journal's level prefix, an event name and named fields.

``<3>{"event": "job_failed", ...}``: sd-daemon(3) reads the prefix as the line's priority. The id of the job at
hand is on every line that is logged while it runs.
"""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from typing import Any, TextIO

from pythonjsonlogger.json import JsonFormatter

_JOB_ID: ContextVar[str | None] = ContextVar("job_id", default=None)
# syslog(3)'s severities, which the journal reads between angle brackets.
_SEVERITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (0, 7))

LIBRARY = "library_message"


def set_job_id(job_id: str | None) -> None:
    """Name the job whose lines follow; None after its end."""
    _JOB_ID.set(job_id)


class JournalFormatter(JsonFormatter):
    """JSON with a severity prefix; without it on a terminal, where a person reads."""

    def __init__(self, *, prefix: bool) -> None:
        self._prefix = prefix
        super().__init__(
            "{asctime}{levelname}{name}{message}",
            style="{",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger", "message": "event"},
            datefmt="%Y-%m-%dT%H:%M:%S%z",
            json_ensure_ascii=False,
        )

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Add the id of the job at hand, and drop what could hold more than ids."""
        super().add_fields(log_data, record, message_dict)
        if record.name.partition(".")[0] != "mastowatch":
            # A library's words are no name that anybody could look for.
            log_data["text"] = str(log_data["event"]).strip()
            log_data["event"] = LIBRARY
        log_data.pop("arguments", None)
        log_data.pop("kwargs", None)
        job_id = _JOB_ID.get()
        if job_id and "job_id" not in log_data:
            log_data["job_id"] = job_id

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        line = super().format(record)
        return f"<{_severity(record.levelno)}>{line}" if self._prefix else line


def _severity(level: int) -> int:
    return next(severity for floor, severity in _SEVERITIES if level >= floor)


def set_up(level: str, stream: TextIO | None = None) -> None:
    """Send every line to ``stream`` (stderr), at ``level`` or above; foreign libraries from warning on."""
    out = stream or sys.stderr
    handler = logging.StreamHandler(out)
    handler.setFormatter(JournalFormatter(prefix=not out.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("mastowatch").setLevel(level.upper())
    logging.captureWarnings(capture=True)
    for name in ("rq.worker", "rq.job", "rq.queue", "rq_scheduler.scheduler"):
        logging.getLogger(name).setLevel(logging.WARNING)


def event(
    logger: logging.Logger, level: int, name: str, /, *, exc_info: BaseException | None = None, **fields: object
) -> None:
    """Log the event ``name`` with ``fields``; never put a secret, an address or a text of a post into one.

    ``exc_info``: an error of our own code, whose traceback is to be seen.
    """
    logger.log(level, name, exc_info=exc_info, extra=fields, stacklevel=2)
