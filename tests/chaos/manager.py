"""Plays systemd for some workers: Restart=always, Type=notify, WatchdogSec=, KillMode=mixed, TimeoutStopSec=.

It keeps the book of hits as well, since it alone sees when a process that was hit has gone.
"""

from __future__ import annotations

import os
import random
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from tests.chaos.jobs import LIFE
from tests.chaos.ledger import Hit, Kind
from tests.chaos.processes import bearing, bears, send, sweep
from tests.chaos.unit import STOPS, Life, Unit

ROOT = Path(__file__).parents[2]
STOP_S = 10.0  # within this time of SIGTERM a worker must have ended
# After one of these it is no wonder that a worker ends.
_ENDS = {Kind.KILL_PARENT, Kind.TERM, Kind.WATCHDOG, Kind.TIMEOUT}
_KILLS = {Kind.KILL_PARENT, Kind.WATCHDOG, Kind.TIMEOUT}


class Manager:
    """Keeps ``workers`` units alive from ``__enter__`` on. ``watchdog_s`` is for those who feed it (``watched``).

    A stopped worker that knows no watchdog is killed after the same time, as an admin would in the end.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        directory: Path,
        *,
        workers: int,
        watched: bool,
        watchdog_s: float,
        rng: random.Random,
    ) -> None:
        self._command = [sys.executable, "-m", "tests.chaos.worker", *arguments]
        self._environ = {**os.environ, **environ, "PYTHONPATH": str(ROOT)}
        self._watched, self._watchdog_s, self._rng = watched, watchdog_s, rng
        if watched:
            self._environ["WATCHDOG_USEC"] = str(int(watchdog_s * 1e6))
        self._token = uuid4().hex[:8]
        self._units = [Unit(f"w{number}", directory) for number in range(workers)]
        self._selector = selectors.DefaultSelector()
        for unit in self._units:
            self._selector.register(unit.socket, selectors.EVENT_READ)
        self._lock = threading.RLock()
        self._closing = self._over = False
        self._thread = threading.Thread(target=self._keep, name="manager")
        self.hits: list[Hit] = []
        self.remarks: list[str] = []
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> Manager:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over = True
        self._thread.join()
        for unit in self._units:
            if unit.life is not None:
                unit.life.process.kill()
                self._bury(unit, unit.life)
            unit.socket.close()
        self._selector.close()

    # --- what others ask of it ---------------------------------------------------------------------------

    @property
    def logs(self) -> list[Path]:
        """Where the workers' logs are."""
        return [unit.log for unit in self._units]

    def lives(self) -> list[Life]:
        """Return the workers that live now."""
        with self._lock:
            return [unit.life for unit in self._units if unit.life is not None and unit.life.process.returncode is None]

    def pids(self) -> set[int]:
        """Return the processes of all of them."""
        return {pid for life in self.lives() for pid in bearing(life.mark)}

    def strike(self, life: Life, kind: Kind, signum: int, *pids: int) -> Hit | None:
        """Send the signal to processes of ``life``; None if the first of them has gone already.

        A hit on the parent is one on all of it.
        """
        with self._lock:
            if life.process.returncode is not None:
                return None
            hit = Hit(kind, life.name, None if life.process.pid in pids else pids[0], time.monotonic())
            if not send(pids[0], signum, life.mark):
                return None
            for pid in pids[1:]:
                send(pid, signum, life.mark)
            return self.note(hit, life)

    def note(self, hit: Hit, life: Life | None = None) -> Hit:
        """Keep the hit in the book."""
        with self._lock:
            self.hits.append(hit)
            if life is not None:
                life.hits.append(hit)
        return hit

    def stop(self) -> None:
        """Tell all to end and start none again; return when all have ended."""
        with self._lock:
            self._closing = True
        for life in self.lives():
            self.strike(life, Kind.TERM, signal.SIGTERM, life.process.pid)
        while self._thread.is_alive() and any(unit.life for unit in self._units):
            time.sleep(0.02)

    # --- its own thread ----------------------------------------------------------------------------------

    def _keep(self) -> None:
        while not self._over:
            self._selector.select(0.02)
            with self._lock:
                for unit in self._units:
                    self._look_after(unit)

    def _look_after(self, unit: Unit) -> None:
        self._listen(unit)
        now = time.monotonic()
        life = unit.life
        if life is None:
            if now >= unit.start_at and not self._closing:
                self._start(unit)
        elif life.process.poll() is not None:
            self._bury(unit, life)
        else:
            self._see_what_has_gone(life, now)
            self._end_what_hangs(life, now)

    def _listen(self, unit: Unit) -> None:
        for line in unit.said():
            if unit.life is not None and line in ("READY=1", "WATCHDOG=1"):
                unit.life.ready = True
                unit.life.heard_at = time.monotonic()

    def _start(self, unit: Unit) -> None:
        unit.starts += 1
        name = f"{unit.name}.{unit.starts}"
        environ = {**self._environ, "NOTIFY_SOCKET": str(unit.address), LIFE: f"{self._token}.{name}"}
        with unit.log.open("ab") as log:
            process = subprocess.Popen(self._command, env=environ, cwd=ROOT, stdout=log, stderr=log)
        unit.life = Life(name, f"{LIFE}={environ[LIFE]}".encode(), process)
        self.counts["starts"] += 1

    def _bury(self, unit: Unit, life: Life) -> None:
        """The main process has ended: kill whatever is left of it, and start it again in a moment."""
        code = life.process.wait()
        self.counts["processes that outlived their parent"] += sweep(life.mark)
        now = time.monotonic()
        for hit in life.hits:
            hit.over = hit.over or now
        self._remark_on_its_end(life, code)
        list(unit.said())
        unit.life, unit.start_at = None, now + self._rng.uniform(0.1, 0.3)

    def _remark_on_its_end(self, life: Life, code: int) -> None:
        kinds = {hit.kind for hit in life.hits}
        if not kinds & _ENDS and not self._over:
            self.remarks.append(f"{life.name} ended by itself with status {code}")
        elif kinds & _ENDS == {Kind.TERM} and life.ready and code != 0 and Kind.TERM_AGAIN not in kinds:
            self.remarks.append(f"{life.name} ended with status {code} after SIGTERM")

    def _see_what_has_gone(self, life: Life, now: float) -> None:
        for hit in life.hits:
            if hit.over is None and hit.pid is not None and not bears(hit.pid, life.mark):
                hit.over = now

    def _end_what_hangs(self, life: Life, now: float) -> None:
        stopped_at, termed_at = life.stopped_at, life.termed_at
        if any(hit.kind in _KILLS for hit in life.hits):
            return
        if self._watched and life.ready and now - life.heard_at > self._watchdog_s:
            if not any(hit.kind in STOPS for hit in life.hits):
                silent_s = now - life.heard_at
                self.remarks.append(f"{life.name} was silent for {silent_s:.1f} s, and nobody had stopped it")
            self.strike(life, Kind.WATCHDOG, signal.SIGKILL, life.process.pid)
        elif not self._watched and stopped_at is not None and now - stopped_at > self._watchdog_s:
            self.strike(life, Kind.WATCHDOG, signal.SIGKILL, life.process.pid)
        elif termed_at is not None and now - termed_at > STOP_S:
            self.remarks.append(f"{life.name} had not ended {STOP_S:.0f} s after SIGTERM")
            self.strike(life, Kind.TIMEOUT, signal.SIGKILL, life.process.pid)
