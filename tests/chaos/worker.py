"""One worker as a process: ``python -m tests.chaos.worker --engine ours --redis URL``."""

from __future__ import annotations

import argparse
import ctypes
import os
import signal

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry
from rq import Worker
from rq.serializers import JSONSerializer

from mastowatch.processes.notify import Notifier
from mastowatch.reliable.worker import ReliableWorker
from tests.chaos.jobs import LIFE
from tests.chaos.loglines import log_to_stderr

QUEUES = ["high", "default", "low"]


def stock(url: str) -> None:
    """Run RQ's own worker as its documentation says. It knows no watchdog."""

    class Ready(Worker):
        """Says when its signal handlers are in place; else as it is."""

        def _install_signal_handlers(self) -> None:
            super()._install_signal_handlers()
            Notifier().ready("stock")

    Ready(QUEUES, connection=Redis.from_url(url), serializer=JSONSerializer).work()


def ours(url: str) -> None:
    """Run MastoWatch's worker, with the connection that ``mastowatch worker`` gives it."""
    notifier = Notifier()
    ready = False

    def alive() -> None:
        nonlocal ready
        if not ready:  # its loop has turned, so its signal handlers are in place
            notifier.ready("ours")
            ready = True
        notifier.alive()

    retry = Retry(ExponentialBackoff(cap=0.5, base=0.05), 2)
    redis = Redis.from_url(url, socket_timeout=10, socket_connect_timeout=3, health_check_interval=30, retry=retry)
    ReliableWorker(QUEUES, connection=redis, alive=alive).work()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", choices=("stock", "ours"), required=True)
    parser.add_argument("--redis", required=True)
    arguments = parser.parse_args()
    _die_with_the_test()
    log_to_stderr(os.environ[LIFE].partition(".")[2])
    {"stock": stock, "ours": ours}[arguments.engine](arguments.redis)


def _die_with_the_test() -> None:
    """Be killed when whoever started this is: a worker waits for its Redis for ever."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


if __name__ == "__main__":
    main()
