"""A scheduler that is started again as soon as it is gone: ours in the very loop of ``mastowatch scheduler``, or stock.

``python -m tests.chaos.scheduler_runner ours|stock URL DIRECTORY NUMBER '{"every-1": 1, ...}'`` keeps the pid of the
present one in DIRECTORY/NUMBER.pid and appends the pids of those that are gone to DIRECTORY/NUMBER.gone. It forks
instead of starting Python anew, so that two that are struck each second are not away for most of the time.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from redis import Redis
from rq_scheduler import Scheduler

from mastowatch import logs
from mastowatch.processes.notify import Notifier
from mastowatch.processes.scheduler import keep_going
from mastowatch.reliable.scheduler import Recurring, ReliableScheduler
from mastowatch.reliable.serializer import JsonJob, JsonQueue


def watch_over(kind: str, url: str, directory: Path, number: str, intervals: dict[str, int]) -> None:
    while True:
        pid = os.fork()
        if not pid:
            run(kind, url, directory, intervals)
            os._exit(0)
        write(directory / f"{number}.pid", pid)
        os.waitpid(pid, 0)
        with (directory / f"{number}.gone").open("a") as gone:
            gone.write(f"{pid}\n")


def write(path: Path, pid: int) -> None:
    """Write so that a reader sees the old or the new, and never a part."""
    path.with_suffix(".new").write_text(str(pid))
    path.with_suffix(".new").rename(path)


def run(kind: str, url: str, directory: Path, intervals: dict[str, int]) -> None:
    with Redis.from_url(url) as redis:
        if kind == "ours":
            recurring = [
                Recurring(name, time.time, "default", every, 30, 600, name) for name, every in intervals.items()
            ]
            keep_going(ReliableScheduler(redis, recurring, ["default"]), Notifier())
        else:
            Stock(redis, directory).run()


class Stock(Scheduler):
    """rq-scheduler as it is; only tells who has its lock, which has no owner."""

    def __init__(self, redis: Redis, directory: Path) -> None:
        super().__init__(connection=redis, interval=1, job_class=JsonJob, queue_class=JsonQueue)
        self._leader = directory / "leader"

    def acquire_lock(self) -> bool:
        taken = super().acquire_lock()
        if taken:
            write(self._leader, os.getpid())
        return taken


if __name__ == "__main__":
    logs.set_up("INFO")
    watch_over(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4], json.loads(sys.argv[5]))
