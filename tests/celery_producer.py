"""Messages as a real Celery 5.7 writes them, and its real worker; in Celery's own virtual environment."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.queue.engines import CELERY_VENV, celery_version
from tests.covered import covered

_PRODUCE = """
    import json, sys
    from celery import Celery
    from celery.schedules import schedule
    url, sends, options = sys.argv[1], json.load(sys.stdin), json.loads(sys.argv[2])
    app = Celery("app", broker=url)
    app.conf.update(accept_content=["json", "pickle"], broker_transport_options=options)
    for protocol, name, how in sends:
        app.conf.task_protocol = protocol
        print(app.send_task(name, **how).id)
"""
# Takes messages, says so, and never ends by itself: what it has is delivered and not acknowledged.
_WORK = """
    import sys, time
    from celery import Celery
    app = Celery("app", broker=sys.argv[1])
    app.conf.update(task_acks_late=True, worker_prefetch_multiplier=4, broker_connection_retry_on_startup=True)
    @app.task(name="app.tasks.jobs.analyze_and_maybe_report")
    def analyze_and_maybe_report(account_id):
        print("TAKEN", account_id, file=sys.__stdout__, flush=True)
        time.sleep(600)
    app.worker_main(["worker", "--pool=solo", "--loglevel=warning", "--without-gossip", "--without-mingle"])
"""


def celery_python() -> str:
    if celery_version() is None:
        raise RuntimeError("Celery could not be installed; the reason is above")
    return str(CELERY_VENV / "bin" / "python")


def send(url: str, *sends: tuple[int, str, dict[str, Any]], options: dict[str, Any] | None = None) -> list[str]:
    """Have Celery send tasks: (protocol, name, arguments of ``send_task``); return their ids."""
    command = [celery_python(), "-W", "ignore", "-c", textwrap.dedent(_PRODUCE), url, json.dumps(options or {})]
    done = subprocess.run(command, input=json.dumps(sends), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@contextlib.contextmanager
def working(url: str) -> Iterator[subprocess.Popen[str]]:
    """Yield a worker that has begun a task and holds on to it; killed with -9 at the end."""
    command = [celery_python(), "-c", textwrap.dedent(_WORK), url]
    worker = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True, cwd="/tmp"
    )
    try:
        assert worker.stdout is not None
        taken = next((line for line in worker.stdout if line.startswith("TAKEN")), "")
        assert taken, "the worker ended before it took a task"
        yield worker
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
        worker.stdout.close()


def migrate(*options: str, ours: str, cwd: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*options), capture_output=True, text=True, cwd=cwd, env=environ(ours), timeout=120)


def command(*options: str) -> Sequence[str]:
    return [sys.executable, "-m", "mastowatch", "migrate", "celery", *options]


def environ(ours: str) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "REDIS_URL": ours, "PYTHONPATH": os.environ.get("PYTHONPATH", ""), **covered()}
