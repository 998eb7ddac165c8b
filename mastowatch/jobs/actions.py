"""All that people may do, in one place: done, and written into the audit with who did it.

The API, the dashboard and the command line are skins over this; whether somebody may, they decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mastowatch.domain.wording import count
from mastowatch.jobs import bulk, control, erasing, maintenance, purging, queue_control, trail
from mastowatch.jobs.arming import Armed, arm
from mastowatch.jobs.bulk import BulkAction, BulkResult
from mastowatch.jobs.context import View
from mastowatch.jobs.control import Canceled
from mastowatch.jobs.listing import JobFilter
from mastowatch.jobs.purging import Purge, Purged
from mastowatch.jobs.queues import TASKS
from mastowatch.jobs.refusals import BadParameter, Unknown, WrongState
from mastowatch.jobs.scheduler import get_scheduler, recurring_jobs
from mastowatch.jobs.workforce import stop_worker
from mastowatch.reliable.scheduler import EVERY_MAX_S, ReliableScheduler

__all__ = ["Actions", "BulkAction", "BulkResult"]


class Actions:
    """What people may do. ``by`` says who: "the API", "alice on the dashboard", "root on the command line".

    Raises Refusals: Unknown, WrongState, BadParameter; and RedisError or StoreUnavailable. What was done is done even
    if the line in the audit then can't be written.
    """

    def __init__(self, view: View, by: str) -> None:
        self._view, self._redis, self._by = view, view.redis, by

    # --- one job -----------------------------------------------------------------------------------------

    def cancel(self, job_id: str) -> Canceled:
        """Cancel a job that waits, or have the worker stop one that runs."""
        status = control.cancel(self._redis, job_id, self._now(), keep_s=self._view.settings.failure_ttl)
        self._note("canceled" if status == "canceled" else "told to stop", f"job {job_id}")
        return status

    def requeue(self, job_id: str) -> None:
        """Put a job that has ended on its queue again, with all its retries."""
        control.requeue(self._redis, job_id, self._now())
        self._note("queued again", f"job {job_id}")

    def delete(self, job_id: str) -> None:
        """Forget a job and what it left; not one that runs, nor one that recurs."""
        control.delete(self._redis, job_id, self._now())
        self._note("deleted", f"job {job_id}")

    def run_now(self, job_id: str) -> None:
        """Bring a job that waits or is delayed to the front of its queue; one that recurs gets a run beside its plan.

        A recurring job that waits or runs already is not doubled: one that waits goes to the front.
        """
        control.checked_id(job_id)
        if job_id in self._recurring_ids() and not control.waits(self._redis, job_id):
            self.run_recurring(job_id)
            return
        control.run_now(self._redis, job_id, self._now())
        self._note("run now", f"job {job_id}")

    def bulk(
        self, action: BulkAction, where: JobFilter, *, dry_run: bool = False, cursor: str | None = None
    ) -> BulkResult:
        """Do to each job that matches what the action of the same name does to one; with ``dry_run`` only count.

        Where there is more than one call may do, ``left`` is true: call again, with the ``next_cursor`` it gave.
        """
        keep_s = self._view.settings.failure_ttl
        done = bulk.run(self._redis, action, where, self._view.clock, keep_s=keep_s, dry_run=dry_run, cursor=cursor)
        if done.done:
            self._note(f"{bulk.DONE[action]} in bulk", f"{count(done.done, 'job')}{bulk.describe(where)}")
        return done

    def trigger(self, task: str, arguments: Mapping[str, object] | None = None) -> str:
        """Queue a task now, unless the same work waits or runs already; returns the job's id."""
        if task not in TASKS:
            raise Unknown(f"there is no task {task!r}; there are: {', '.join(sorted(TASKS))}")
        try:
            job = self._view.jobs.submit(task, arguments or {})
        except ValueError as error:
            raise BadParameter(str(error)) from error
        if job is None:
            raise WrongState(f"{task} with these arguments waits, is delayed, or runs already")
        self._note("triggered", f"job {job.id}")
        return str(job.id)

    # --- queues ------------------------------------------------------------------------------------------

    def pause_queue(self, queue: str) -> None:
        """Have no worker take a job of the queue; what runs goes on. One that is paused stays as it was."""
        if queue_control.pause(self._redis, queue, self._by, self._now()):
            self._note("paused", f"queue {queue}")

    def resume_queue(self, queue: str) -> None:
        """Let its jobs be taken again."""
        if queue_control.resume(self._redis, queue):
            self._note("resumed", f"queue {queue}")

    def pause_all(self, reason: str = "") -> int:
        """Have no worker take any job, for maintenance; return how many queues were not paused before."""
        paused = maintenance.pause(self._redis, self._by, self._now(), reason)
        if paused:
            self._note("paused", f"all queues, for maintenance{f': {reason}' if reason else ''}")
        return paused

    def resume_all(self) -> tuple[str, ...]:
        """Resume the queues that ``pause_all`` has paused, and return them; others stay paused."""
        resumed = maintenance.resume(self._redis)
        if resumed:
            self._note("resumed", f"the queues paused for maintenance: {', '.join(resumed)}")
        return resumed

    def purge(self, where: Purge, told: Callable[[Purged], None] = purging.untold) -> Purged:
        """Delete the records of jobs that ended long ago; ``told`` hears of it now and then.

        However it ends, the audit says how many went; with ``where.dry_run`` none goes, and it says nothing.
        """
        gone = purging.Purged()
        try:
            for gone in purging.purge(self._redis, where, self._now()):
                told(gone)
        finally:
            if gone.deleted and not where.dry_run:
                self._note("purged", f"{count(gone.total, 'job')} {where.told}")
        return gone

    def empty_failed(self, queue: str | None, *, dry_run: bool = False) -> BulkResult:
        """Delete the failed and stopped jobs of a queue, or of all with None; with ``dry_run`` only count them."""
        done = bulk.empty_failed(self._redis, queue, self._view.clock, dry_run=dry_run)
        if done.done:
            where = f"queue {queue}" if queue else "all queues"
            self._note("emptied of failed jobs", f"{where}: {count(done.done, 'job')}")
        return done

    # --- recurring jobs ----------------------------------------------------------------------------------

    def pause_recurring(self, job_id: str) -> None:
        """Let its ticks pass without a run, also over restarts; a run that has begun goes on."""
        if self._recurring(job_id).pause(job_id):
            self._note("paused", f"recurring job {job_id}")

    def resume_recurring(self, job_id: str) -> None:
        """Let it run again, from its next tick on."""
        if self._recurring(job_id).resume(job_id):
            self._note("resumed", f"recurring job {job_id}")

    def run_recurring(self, job_id: str) -> str:
        """Queue a run right now; its plan stays as it is. Returns the job's id."""
        if not self._recurring(job_id).run_now(job_id, self._now()):
            raise WrongState(f"the last run of {job_id} still waits or runs")
        self._note("run now", f"recurring job {job_id}")
        return job_id

    def set_interval(self, job_id: str, every_s: int | None) -> None:
        """Have it run so often from now on, also over restarts; None puts the settings' interval back."""
        scheduler = self._recurring(job_id)
        if every_s is not None and not 1 <= every_s <= EVERY_MAX_S:
            raise BadParameter(f"every_s: {every_s} is not allowed; allowed: 1 to {EVERY_MAX_S} seconds")
        scheduler.set_interval(job_id, every_s, self._by, self._now())
        every = "as in the settings" if every_s is None else f"every {every_s} s"
        self._note("interval changed", f"recurring job {job_id}: {every}")

    def reschedule(self) -> list[str]:
        """Plan all recurring jobs anew, now; returns their ids."""
        ids = get_scheduler(self._redis, self._view.settings).assert_schedules(self._now(), afresh=True)
        self._note("rescheduled", "all recurring jobs")
        return ids

    # --- workers and switches ----------------------------------------------------------------------------

    def stop_worker(self, name: str) -> None:
        """Have the worker finish the job at hand and end; its unit stays stopped until somebody starts it."""
        stop_worker(self._redis, name)
        self._note("told to stop", f"worker {name}")

    def set_panic_stop(self, *, on: bool) -> None:
        """Halt all work at once, or let it go on."""
        self._view.switches.set_panic_stop(on=on, by=self._by, now=self._now())
        self._note("turned on" if on else "turned off", "panic stop")

    def set_dry_run(self, *, on: bool) -> None:
        """Have reports only rehearsed, or filed again unless the settings say otherwise."""
        self._view.switches.set_dry_run(on=on, by=self._by, now=self._now())
        self._note("turned on" if on else "turned off", "dry run")

    def erase_account(self, account_id: str) -> None:
        """Erase what is known of an account, if nobody judges it. The line in the audit does not say of which."""
        erasing.erase(self._view, account_id)
        self._note("erased", "what was known of an account")

    def arm(self, rule_id: str) -> Armed:
        """Let a rule that was dropped count again, or with "all" every one, and end the pause of all reporting."""
        armed = arm(self._view, rule_id, self._by)
        if rule_id != "all" and not armed.scopes and not armed.queued:
            raise Unknown(f"the rule {rule_id!r} is not dropped; the list of dropped rules has those that are")
        return armed

    # --- small things ------------------------------------------------------------------------------------

    def _now(self) -> float:
        return self._view.clock()

    def _note(self, done: str, what: str) -> None:
        trail.leave(self._view, self._by, done, what)

    def _recurring_ids(self) -> list[str]:
        return [one.id for one in recurring_jobs(self._view.settings)]

    def _recurring(self, job_id: str) -> ReliableScheduler:
        ids = self._recurring_ids()
        if job_id not in ids:
            raise Unknown(f"there is no recurring job {job_id!r}; there are: {', '.join(sorted(ids))}")
        return get_scheduler(self._redis, self._view.settings)
