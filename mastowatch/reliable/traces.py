"""What a whole process has only one of: a job may change it, and the next job must not find that.

Stock RQ forks for each job. A horse lives on, so it looks after each job (10 µs) and is replaced if anything differs.
What a job leaves in Python alone, as in ``os.environ`` or in a module, stays until the horse is replaced.
"""

from __future__ import annotations

import os
import resource
import signal
from typing import Any

# Those that would end another job or hide the end of its children; SIGALRM's is set anew for each job.
_SIGNALS = (signal.SIGTERM, signal.SIGCHLD)
_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_LIMITS = (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE)


class Traces:
    """Made when all is as it should be."""

    def __init__(self) -> None:
        self._umask = os.umask(0o077)
        os.umask(self._umask)
        self._fd = os.open(os.devnull, os.O_RDONLY)
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
            "timers": [signal.setitimer(which, 0) for which in _TIMERS],  # in the same step, so that none goes off
            "priority": os.getpriority(os.PRIO_PROCESS, 0),
            "limits": [resource.getrlimit(number) for number in _LIMITS],
            "open files": _most_are_open(self._fd),
        }


def _working_directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 -- a third of the time of Path.cwd
    except OSError:
        return "gone"


def _most_are_open(file: int) -> bool:
    try:
        lowest = os.dup(file)  # the lowest number that is free
    except OSError:
        return True
    os.close(lowest)
    return lowest > resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2
