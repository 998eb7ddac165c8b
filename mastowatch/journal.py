"""What reaches the journal before logging is set up, or after all else failed: one JSON object a line as well.

Standard library only, so that a broken installation can still say what is broken.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from types import TracebackType

_CRITICAL = 2  # syslog(3)


def is_stderr() -> bool:
    """Tell whether stderr goes to the journal, and not to a terminal or a file. Source: systemd.exec(5)."""
    try:
        found = os.fstat(2)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def crash_line(error: BaseException) -> str:
    """Return the line for an error that nobody caught; its fields are those of mastowatch.logs."""
    fields = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "level": "CRITICAL",
        "logger": "mastowatch",
        "event": "crashed",
        "error": f"{type(error).__name__}: {error}",
        "traceback": "".join(traceback.format_exception(error)),
    }
    return f"<{_CRITICAL}>{json.dumps(fields, ensure_ascii=False)}"


def tell_crashes() -> None:
    """From now on, say what nobody caught in one line, where stderr is the journal."""
    if is_stderr():
        sys.excepthook = _of_main
        threading.excepthook = _of_thread
        sys.unraisablehook = _of_nobody


def _of_main(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    del kind, where
    _tell(error)


def _of_thread(found: threading.ExceptHookArgs) -> None:
    if found.exc_value is not None:
        _tell(found.exc_value)


def _of_nobody(found: sys.UnraisableHookArgs) -> None:
    if found.exc_value is not None:
        _tell(found.exc_value)


def _tell(error: BaseException) -> None:
    print(crash_line(error), file=sys.stderr, flush=True)  # noqa: T201 -- logging may be what failed
