"""``mastowatch scheduler``: puts recurring jobs on their queues; a second one stands by."""

from __future__ import annotations

import logging
import time

from redis.exceptions import RedisError

from mastowatch.config import Loaded
from mastowatch.jobs import context as contexts
from mastowatch.jobs.scheduler import get_scheduler
from mastowatch.logs import event
from mastowatch.processes.loop import Loop
from mastowatch.processes.notify import Notifier
from mastowatch.reliable.scheduler import ReliableScheduler

log = logging.getLogger(__name__)

STEP_S = 0.5  # half a second late at most, six steps in the life of the lock


def run(loaded: Loaded) -> None:
    """Keep the recurring jobs going until SIGTERM."""
    keep_going(get_scheduler(contexts.connect(loaded), loaded.settings), Notifier())


def keep_going(scheduler: ReliableScheduler, notifier: Notifier) -> None:
    """Step ``scheduler`` until SIGTERM, whatever Redis does; then let the standby take over."""
    event(log, logging.INFO, "scheduler_started", recurring=[one.id for one in scheduler.recurring])

    def step() -> bool:
        scheduler.step(time.time())
        return False  # sleep after each step, also after one that queued something

    Loop(step, notifier=notifier, describe=lambda: _describe(scheduler), idle_s=STEP_S).run()
    try:
        scheduler.leave()
    except RedisError as error:
        event(log, logging.WARNING, "scheduler_left_locked", error=type(error).__name__)
    event(log, logging.INFO, "scheduler_stopped")


def _describe(scheduler: ReliableScheduler) -> str:
    if not scheduler.leading:
        return "Standing by: another scheduler leads"
    return f"Leading; {len(scheduler.recurring)} recurring jobs"
