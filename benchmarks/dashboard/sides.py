"""The three processes that are asked, each started as its users start it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.redis_server import free_port

ROOT = Path(__file__).parents[2]
VENV = ROOT / ".venv-bench-dashboard"
RQ_DASHBOARD = "rq-dashboard==0.9.0"
KEY = "key-of-the-benchmark"
START_S = 60


class Side:
    """A process that answers HTTP; it can be ended in the middle of a request and started again."""

    def __init__(self, command: list[str], port: int, environ: dict[str, str], cwd: str) -> None:
        self.port, self._command, self._environ, self._cwd = port, command, environ, cwd
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        self._process = subprocess.Popen(
            self._command,
            env={**os.environ, **self._environ},
            cwd=self._cwd,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + START_S
        while time.monotonic() < until and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        raise SystemExit(f"{' '.join(self._command)} did not begin to listen")

    def end(self) -> None:
        """End it, whatever it is doing."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def ours(redis_url: str, directory: Path) -> Iterator[tuple[Side, Side]]:
    """Run our API and our dashboard."""
    key, api, dashboard = directory / "key", free_port(), free_port()
    key.write_text(KEY)
    environ = {
        "PYTHONPATH": str(ROOT),
        "REDIS_URL": redis_url,
        "INSTANCE_BASE": "http://127.0.0.1:9",
        "API_BIND": f"127.0.0.1:{api}",
        "API_KEY_FILE": str(key),
        "DASHBOARD_BIND": f"127.0.0.1:{dashboard}",
        "LOG_LEVEL": "error",
    }
    command = [sys.executable, "-m", "mastowatch"]
    sides = (
        Side([*command, "api"], api, environ, str(directory)),
        Side([*command, "dashboard"], dashboard, environ, str(directory)),
    )
    with _running(*sides):
        yield sides


@contextmanager
def rq_dashboard(redis_url: str, directory: Path) -> Iterator[Side | None]:
    """Run rq-dashboard with its own server, which is how its users run it; yields None where it can't be installed."""
    if not _installed():
        yield None
        return
    port = free_port()
    command = [str(VENV / "bin" / "rq-dashboard"), "-b", "127.0.0.1", "-p", str(port), "-u", redis_url, "--json"]
    side = Side(command, port, {}, str(directory))
    with _running(side):
        yield side


@contextmanager
def _running(*sides: Side) -> Iterator[None]:
    try:
        for side in sides:
            side.start()
        yield
    finally:
        for side in sides:
            side.end()


def _installed() -> bool:
    """Tell whether rq-dashboard is there, after installing it if need be: it is no dependency and stays out of ours."""
    if (VENV / "bin" / "rq-dashboard").exists():
        return True
    print(f"Installing {RQ_DASHBOARD} in {VENV.name} ...", file=sys.stderr)
    python = str(VENV / "bin" / "python")
    try:
        if not Path(python).exists():
            subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True, capture_output=True, text=True)
        # It imports six without asking for it.
        wanted = [RQ_DASHBOARD, "six", "hiredis"]
        subprocess.run([python, "-m", "pip", "install", "-q", *wanted], check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        print(f"rq-dashboard is left out, it could not be installed: {error}\n{error.stderr}", file=sys.stderr)
        return False
    return True
