"""``mastowatch scheduler``: puts recurring jobs on their queues; a second one stands by."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from redis.exceptions import RedisError

from mastowatch.config import Loaded
from mastowatch.jobs import context as contexts
from mastowatch.jobs.scheduler import get_scheduler, recurring_jobs
from mastowatch.logs import event
from mastowatch.processes.layout import Agreement
from mastowatch.processes.loop import Loop
from mastowatch.processes.notify import Notifier, clock_time
from mastowatch.processes.reloading import Reloader
from mastowatch.reliable.scheduler import ReliableScheduler

log = logging.getLogger(__name__)

Step = Callable[[], bool]
STEP_S = 0.5  # half a second late at most, six steps in the life of the lock
LOOK_S = 5.0  # how old the time of the next tick in the STATUS may be


def run(loaded: Loaded) -> None:
    """Keep the recurring jobs going until SIGTERM."""
    redis, notifier = contexts.connect(loaded, waits=False), Notifier()
    scheduler = get_scheduler(redis, loaded.settings)
    reloader = Reloader(loaded, lambda found: scheduler.change(recurring_jobs(found.settings)))
    with Agreement(redis, "scheduler", alive=notifier.alive) as agreement:
        keep_going(scheduler, notifier, reload=reloader.reload, guard=agreement.guard)


def _nothing() -> None:
    return None


def _as_it_is(step: Step) -> Step:
    return step


def keep_going(
    scheduler: ReliableScheduler,
    notifier: Notifier,
    *,
    reload: Callable[[], None] = _nothing,
    guard: Callable[[Step], Step] = _as_it_is,
) -> None:
    """Step ``scheduler`` until SIGTERM, whatever Redis does; then let the standby take over.

    ``guard`` puts before each step what has to be so.
    """
    event(log, logging.INFO, "scheduler_started", recurring=[one.id for one in scheduler.recurring])
    next_tick = _NextTick(scheduler)

    def step() -> bool:
        scheduler.step(time.time())
        return False  # sleep after each step, also after one that queued something

    def describe() -> str:
        if not scheduler.leading:
            return "Standing by: another scheduler leads"
        return f"Leading; {len(scheduler.recurring)} recurring jobs; {next_tick.text(time.time())}"

    Loop(guard(step), notifier=notifier, describe=describe, idle_s=STEP_S, reload=reload).run()
    try:
        scheduler.leave()
    except RedisError as error:
        event(log, logging.WARNING, "scheduler_left_locked", error=type(error).__name__)
    event(log, logging.INFO, "scheduler_stopped")


class _NextTick:
    """Which job is next, and when; asks Redis when that time has come, or LOOK_S after the last time."""

    def __init__(self, scheduler: ReliableScheduler) -> None:
        self._scheduler = scheduler
        self._known: tuple[str, float] | None = None
        self._look_at = 0.0

    def text(self, now: float) -> str:
        if now >= self._look_at or self._look_at > now + LOOK_S or (self._known and now > self._known[1]):
            self._known, self._look_at = self._scheduler.next_tick(), now + LOOK_S
        return f"next {self._known[0]} at {clock_time(self._known[1])}" if self._known else "none planned"
