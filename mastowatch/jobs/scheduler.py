"""The recurring jobs, by the names that users of the job guide know: get_scheduler, schedule_recurring_jobs."""

from __future__ import annotations

import time

from redis import Redis

from mastowatch.config import Settings
from mastowatch.config.settings import QUEUES
from mastowatch.jobs import tasks
from mastowatch.jobs.queues import TASKS
from mastowatch.reliable.scheduler import Recurring, ReliableScheduler

# A breaker trips at night as well: somebody may be waiting for it.
ALERTS_EVERY_S = 30
# Always planned: also where enforcement has been turned off, what was done before is undone.
UNDO_EVERY_S = 60


def recurring_jobs(settings: Settings) -> tuple[Recurring, ...]:
    """Return the recurring jobs with their intervals from the settings."""
    intervals = {
        tasks.poll_admin_accounts: settings.poll_admin_accounts_interval,
        tasks.poll_admin_accounts_local: settings.poll_admin_accounts_local_interval,
        tasks.poll_public_timeline: settings.poll_public_timeline_interval,
        tasks.record_queue_stats: settings.queue_stats_interval,
        tasks.read_report_outcomes: settings.report_outcomes_interval,
        tasks.send_alerts: ALERTS_EVERY_S,
        tasks.undo_expired_actions: UNDO_EVERY_S,
    }
    return tuple(
        Recurring(
            id=func.__name__,
            func=func,
            queue=TASKS[func.__name__].queue,
            every_s=every_s,
            timeout_s=TASKS[func.__name__].timeout_s,
            # The record outlives the interval, so that it always shows the last run.
            result_ttl_s=max(settings.result_ttl, 3 * every_s),
            description=f"{func.__name__}()",
        )
        for func, every_s in intervals.items()
        if every_s
    )


def get_scheduler(redis: Redis, settings: Settings) -> ReliableScheduler:
    """Return the scheduler of the recurring jobs; call its ``step`` about twice a second."""
    return ReliableScheduler(redis, recurring_jobs(settings), QUEUES)


def schedule_recurring_jobs(redis: Redis, settings: Settings, *, afresh: bool = True) -> list[str]:
    """Plan the recurring jobs anew, now, touching only our own; return their ids."""
    return get_scheduler(redis, settings).assert_schedules(time.time(), afresh=afresh)


def pause_recurring_job(redis: Redis, settings: Settings, job_id: str, *, paused: bool) -> None:
    """Let the job's ticks pass without a run, or end that; raises LookupError, naming the jobs there are."""
    scheduler = get_scheduler(redis, settings)
    if paused:
        scheduler.pause(job_id)
    else:
        scheduler.resume(job_id)
