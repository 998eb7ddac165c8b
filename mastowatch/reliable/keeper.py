"""Keeps one horse: forks it, looks at its slate, kills it past its limits, and says how it died.

Knows nothing of Redis, so that a horse is ended at its limit however Redis is.
"""

from __future__ import annotations

import gc
import logging
import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NoReturn

from mastowatch.logs import event
from mastowatch.reliable.slate import Doing, Entry, Slate, Wish

log = logging.getLogger(__name__)

# So long a horse may show no life outside a job: it may wait 10 s for an answer of Redis, and must then say so.
STUCK_S = 20.0
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MIB = 2**20

# counted: a try of the job at hand is used up; free: none, as it was not the job's doing.
Blame = Literal["counted", "free"]


@dataclass(frozen=True, slots=True)
class Limits:
    """``grace_s``: how long a job may go on past its limit before its process is killed.

    ``mib``: the memory past which a horse is replaced between two jobs, and killed past twice as much.
    """

    grace_s: float
    mib: int


@dataclass(frozen=True, slots=True)
class Death:
    """How a horse ended. ``clean``: with nothing in hand. ``victim``: the job that it was killed for, or ""."""

    clean: bool
    empty: bool = False
    blame: Blame = "counted"
    why: str = ""
    victim: str = ""


class Keeper:
    """Has one horse at a time, or none; then ``pid`` is 0."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._slate = Slate()
        self._fd = -1
        self.pid = 0
        self._sentence: Death | None = None
        self._jobs_before = self._short_lives = 0
        self._forked_at = self._next_fork = 0.0

    @property
    def entry(self) -> Entry:
        """What the horse says that it does; of a dead one, its last words."""
        return self._slate.read()

    @property
    def jobs(self) -> int:
        """How many jobs all horses have run."""
        return self._jobs_before + self._slate.read().jobs

    def may_fork(self) -> bool:
        """Tell whether there is none and it is time for one: if they die at once, something is wrong here."""
        return not self.pid and time.monotonic() >= self._next_fork

    def fork(self, live: Callable[[Slate], NoReturn]) -> None:
        """Fork a horse, which calls ``live`` and nothing else; if the machine can't, it is tried again in a second."""
        self._jobs_before = self.jobs
        self._slate, self._sentence = Slate(), None
        self._forked_at = time.monotonic()
        self._slate.write(Entry(Doing.STARTING, self._forked_at, 0.0, self._forked_at, 0, "", ""))
        # What lives now lives on in the horse; what is never looked through there is not copied there.
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        try:
            pid = os.fork()
        except OSError as error:
            event(log, logging.ERROR, "no_horse", error=str(error))
            self._next_fork = time.monotonic() + 1.0
            return
        if pid == 0:
            try:
                live(self._slate)
            finally:
                os._exit(1)  # whatever went wrong: a second parent must not come of it
        self.pid, self._fd = pid, os.pidfd_open(pid)

    def ask_to_end(self) -> None:
        """Have the horse end after the job at hand."""
        self._slate.ask(Wish.END)

    def limit_memory(self, mib: int) -> None:
        """Take another limit for this horse and those to come."""
        self._limits = replace(self._limits, mib=mib)

    def check(self) -> None:
        """Kill the horse if it is past a limit."""
        entry, now = self.entry, time.monotonic()
        if entry.limit_s and now > entry.since + entry.limit_s + self._limits.grace_s:
            grace = f"{self._limits.grace_s:.0f} s"
            self.kill("counted", f"it passed its limit of {entry.limit_s:.0f} s and heard no signal for {grace}")
        elif entry.doing is not Doing.RUNNING and now > max(entry.seen, entry.since) + STUCK_S:
            self.kill("free", f"its process showed no life for {STUCK_S:.0f} s")
        mib = _resident_mib(self.pid)
        if mib > 2 * self._limits.mib:
            self.kill("counted", f"its process passed {2 * self._limits.mib} MiB of memory")
        elif mib > self._limits.mib:
            self.ask_to_end()

    def kill(self, blame: Blame, why: str) -> None:
        """Kill the horse for what its job does, or for what the worker was told."""
        if self._sentence is not None:
            return  # it is as good as dead
        victim = self.entry.job_id
        self._sentence = Death(clean=False, blame=blame, why=why, victim=victim)
        event(log, logging.WARNING, "horse_killed", job_id=victim, reason=why)
        self.signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the horse and to what its job has started."""
        if self.pid:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)
            with suppress(ProcessLookupError):  # in its first moments it leads no group yet
                os.kill(self.pid, number)

    def reap(self) -> Death | None:
        """Return how the horse ended, once, after it has."""
        if not self.pid:
            return None
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            pid, status = self.pid, 0  # whoever started us has SIGCHLD ignored, and so nobody knows its status
        if not pid:
            return None
        # What its job has started dies with it, as nobody else knows of it.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        os.close(self._fd)
        self.pid, self._fd = 0, -1
        return self._death(os.waitstatus_to_exitcode(status))

    def wait(self, seconds: float, wake: int) -> None:
        """Wait so long, or until the horse dies or the file ``wake`` can be read."""
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        if self.pid:
            poll.register(self._fd, select.POLLIN)
        poll.poll(max(0.0, seconds) * 1000)

    def _death(self, code: int) -> Death:
        entry = self.entry
        if entry.doing in (Doing.CLEAN, Doing.EMPTY):
            return Death(clean=True, empty=entry.doing is Doing.EMPTY)
        self._breathe(entry)
        if entry.doing is Doing.LEFTOVER:
            return Death(clean=False, blame="free", why="the connection to Redis was lost")
        if self._sentence is not None:
            return self._sentence
        why = _what_happened(code)
        event(log, logging.ERROR, "horse_died", job_id=entry.job_id, reason=why)
        return Death(clean=False, why=why)

    def _breathe(self, entry: Entry) -> None:
        lived = time.monotonic() - self._forked_at
        self._short_lives = self._short_lives + 1 if lived < 1 and not entry.jobs else 0
        self._next_fork = time.monotonic() + min(5.0, 0.1 * self._short_lives)


def _what_happened(code: int) -> str:
    if code >= 0:
        return f"its process exited with status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = "unknown"
    return f"its process was killed by signal {-code} ({name})"


def _resident_mib(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / _MIB
    except (OSError, IndexError):
        return 0.0
