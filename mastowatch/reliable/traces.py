"""What a whole process has only one of: a job may change it, and the next job must not find that.

Stock RQ forks for each job. A horse lives on, so it looks after each job (10 µs) and is replaced if anything differs.
What a job leaves in Python alone, as in ``os.environ`` or in a module, stays until the horse is replaced.
"""

from __future__ import annotations

import os
import resource
import signal
from typing import Any

# Those by which a worker or a library is told of something; SIGALRM's is set anew for each job.
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
_LIMITS = (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE)


class Traces:
    """Made when all is as it should be."""

    def __init__(self) -> None:
        self._umask = os.umask(0o077)
        os.umask(self._umask)
        self._was = self._state()

    def found(self) -> str:
        """Return what is no longer as it was, in words; "" for nothing."""
        state = self._state()
        return ", ".join(name for name in state if state[name] != self._was[name])

    def _state(self) -> dict[str, Any]:
        return {
            "working directory": _working_directory(),
            "umask": os.umask(self._umask),  # it can only be read by being set
            "blocked signals": signal.pthread_sigmask(signal.SIG_BLOCK, ()),
            "signal handlers": [signal.getsignal(number) for number in _SIGNALS],
            "limits": [resource.getrlimit(number) for number in _LIMITS],
            "open files": _most_files_are_open(),
        }


def _working_directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 -- a third of the time of Path.cwd
    except OSError:
        return "gone"


def _most_files_are_open() -> bool:
    try:
        lowest = os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return True
    os.close(lowest)
    return lowest > resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2
