"""The engines: how each is started and what its queues are called. Imported by all processes, so light."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

QUEUES = ("high", "default", "low")
REDIS_ENV, RESULTS_ENV = "BENCH_REDIS", "BENCH_RESULTS"
ROOT = Path(__file__).parents[2]
CELERY_VENV = ROOT / ".venv-bench"
CELERY = "celery[redis]==5.7.*"


@dataclass(frozen=True)
class Engine:
    """A way of running jobs. ``share``: of the jobs that the others get; a slow one needs fewer for the same time."""

    key: str
    title: str
    share: float = 1.0

    @property
    def is_celery(self) -> bool:
        """Whether it lives in celery's own virtual environment."""
        return self.key.startswith("celery")

    @property
    def python(self) -> str:
        """Return the interpreter that has it."""
        return str(CELERY_VENV / "bin" / "python") if self.is_celery else sys.executable

    @property
    def environment(self) -> dict[str, str]:
        """Return what its processes find in the environment besides."""
        return {RESULTS_ENV: "1"} if self.key == "celery-results" else {}

    def queue_key(self, name: str) -> str:
        """Return the key of a queue's list in Redis."""
        return name if self.is_celery else f"rq:queue:{name}"

    def commands(self, processes: int) -> list[list[str]]:
        """Return the commands that start ``processes`` processes for jobs."""
        if not self.is_celery:
            return [[self.python, "-m", "benchmarks.queue.worker", self.key]] * processes
        # Mingling only makes the start a second longer; all else is as celery does it by itself.
        options = ["-c", str(processes), "-Q", ",".join(QUEUES), "-l", "WARNING", "--without-mingle"]
        return [[self.python, "-m", "celery", "-A", "benchmarks.queue.celery_app", "worker", *options]]


ENGINES = {
    engine.key: engine
    for engine in (
        Engine("stock", "rq Worker", share=0.1),
        Engine("simple", "rq SimpleWorker"),
        Engine("ours", "ReliableWorker"),
        Engine("celery", "celery, no results"),
        Engine("celery-results", "celery, results kept"),
    )
}


def celery_version() -> str | None:
    """Return celery's version, after making its virtual environment: it is no dependency and stays out of ours.

    None, with the reason told, where that can't be done.
    """
    python = CELERY_VENV / "bin" / "python"
    asked = [str(python), "-c", "from celery import __version__; print(__version__)"]
    found = subprocess.run(asked, capture_output=True, text=True, check=False) if python.exists() else None
    if found and found.returncode == 0:
        return found.stdout.strip()
    print(f"Installing {CELERY} in {CELERY_VENV.name} ...", file=sys.stderr)
    try:
        subprocess.run(
            [sys.executable, "-m", "venv", "--clear", str(CELERY_VENV)], check=True, capture_output=True, text=True
        )
        subprocess.run(
            [str(python), "-m", "pip", "install", "-q", CELERY, "hiredis"], check=True, capture_output=True, text=True
        )
        return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    except subprocess.CalledProcessError as error:
        print(f"celery is left out, it could not be installed: {error}\n{error.stderr}", file=sys.stderr)
        return None
