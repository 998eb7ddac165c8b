"""One worker as a process: ``python -m tests.chaos.worker --engine ours --redis URL``."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import time

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Worker
from rq.serializers import JSONSerializer

from mastowatch.processes.notify import Notifier
from mastowatch.reliable.worker import ReliableWorker
from tests.chaos.jobs import LIFE
from tests.chaos.loglines import log_to_stderr

QUEUES = ["high", "default", "low"]
log = logging.getLogger(__name__)


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
    _work(ReliableWorker(QUEUES, connection=redis, alive=alive))


def _work(worker: ReliableWorker) -> None:
    """Work until SIGTERM; all but the first two lines can go once ReliableWorker has a ``work`` of its own."""
    if ReliableWorker.work is not Worker.work:
        worker.work()
        return
    signal.signal(signal.SIGTERM, worker.request_stop)
    while not worker.stopping:
        try:
            if not worker.step():
                time.sleep(0.02)
        except RedisError as error:
            log.warning("Redis is away: %s", error)
            time.sleep(0.25)
    worker.leave()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", choices=("stock", "ours"), required=True)
    parser.add_argument("--redis", required=True)
    arguments = parser.parse_args()
    log_to_stderr(os.environ[LIFE].partition(".")[2])
    {"stock": stock, "ours": ours}[arguments.engine](arguments.redis)


if __name__ == "__main__":
    main()
