"""The work: who does it, what waits too long, what failed, and what a person is holding back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from redis import Redis

from mastowatch.jobs.checks.finding import Finding
from mastowatch.jobs.checks.world import World, edit, redis_cli
from mastowatch.jobs.context import database_of
from mastowatch.jobs.listing import all_queues
from mastowatch.jobs.queues import WAITING_MAX
from mastowatch.jobs.records import moment, text
from mastowatch.jobs.recurrence import RecurringRow, recurring_rows
from mastowatch.jobs.scheduler import recurring_jobs
from mastowatch.jobs.switches import Switchboard, read_switches
from mastowatch.jobs.workforce import WorkerRow, read_workers
from mastowatch.reliable.facts import QueueFacts, queue_facts
from mastowatch.reliable.recovery import UNSETTLED

# A job of ours takes seconds; the longest limit of any is some minutes.
BEHIND_S, FAR_BEHIND_S = 120.0, 900.0
# A scheduler acts within a second of the due time, a standby takes over within four.
OVERDUE_S = 30.0
# Past its limit a job's process is killed within 10 s; its worker may have died, which takes 15 s to show.
PAST_LIMIT_S = 60.0
MANY_FAILED = 100
LOOKED_AT = 100
QUEUES_MAX = 20
DAY_S = 86400.0


def check_workers(world: World) -> list[Finding]:
    """Judge who does the work."""
    return judge_workers(read_workers(world.redis))


def judge_workers(workers: Sequence[WorkerRow]) -> list[Finding]:
    """Judge whether each queue has somebody, and whether all go by the same settings and rules."""
    if not workers:
        means = "No job is done; those that are queued wait."
        return [Finding("workers", "failure", "no worker runs", means, "systemctl start mastowatch-worker@1")]
    found = list(_at_odds(workers))
    served = {queue for worker in workers for queue in worker.queues}
    for queue in [one for one in ("high", "default", "low") if one not in served]:
        means = "Its jobs wait for ever; WORKER_QUEUES says who serves what."
        mend = "grep -H WORKER_QUEUES /etc/mastowatch/*.env"
        found.append(Finding("workers", "failure", f"nobody serves the queue {queue}", means, mend))
    hosts: dict[str, int] = {}
    for worker in workers:
        hosts[worker.hostname] = hosts.get(worker.hostname, 0) + 1
    shown = ", ".join(f"{count} on {host or '?'}" for host, count in sorted(hosts.items()))
    return found or [Finding("workers", "ok", shown)]


def _at_odds(workers: Sequence[WorkerRow]) -> Iterator[Finding]:
    if len({worker.dry_run for worker in workers if worker.dry_run is not None}) > 1:
        means = "They were started with different DRY_RUN: what one would only show, another files."
        mend = "systemctl restart 'mastowatch-worker@*'"
        yield Finding("workers", "failure", "some workers rehearse and some file reports", means, mend)
    if len({worker.rules for worker in workers if worker.rules}) > 1:
        means = "What is judged depends on who takes the job; a reload has each read the rules anew."
        mend = "systemctl reload 'mastowatch-worker@*'"
        yield Finding("workers", "warning", "not all workers have the same rules", means, mend)


def check_scheduler(world: World) -> list[Finding]:
    """Judge whether one leads."""
    raw = world.redis.get("rq:scheduler_lock")
    standing_by = sum(n for (kind, _), n in world.readings.running.items() if kind == "scheduler")
    ticks = [row.last_run_at.timestamp() for row in _recurring(world) if row.last_run_at]
    return [judge_scheduler(text(raw or ""), standing_by, max(ticks, default=0.0), world.now)]


def judge_scheduler(leader: str, schedulers: int, last_tick: float, now: float) -> Finding:
    """Judge the lock's holder; ``last_tick`` is when a job was last put on its queue, 0 for never."""
    if not leader:
        means = "No recurring job is queued: nothing is polled, no outcome is read, no measure is undone."
        return Finding("scheduler", "failure", "no scheduler leads", means, "systemctl start mastowatch-scheduler")
    tick = f", last tick {max(0.0, now - last_tick):.0f} s ago" if last_tick else ""
    others = f", {schedulers - 1} stand by" if schedulers > 2 else ", one stands by" if schedulers == 2 else ""
    return Finding("scheduler", "ok", f"{leader[:80]} leads{tick}{others}")


def _recurring(world: World) -> list[RecurringRow]:
    return recurring_rows(world.redis, recurring_jobs(world.settings), world.now)


def check_recurring(world: World) -> list[Finding]:
    """Judge the recurring jobs."""
    leads = bool(world.redis.exists("rq:scheduler_lock"))
    held = world.readings.panic_stop or world.settings.panic_stop
    return judge_recurring(_recurring(world), world.now, leads=leads, held=held)


def judge_recurring(rows: Sequence[RecurringRow], now: float, *, leads: bool, held: bool) -> list[Finding]:
    """Judge which are late, or fail; nothing is late while nobody leads (told elsewhere) or a person holds all."""
    if not leads:
        says = f"{len(rows)}, and nobody queues them"
        return [Finding("recurring-jobs", "unknown", says, "Whether they are on time shows when a scheduler leads.")]
    found = [finding for row in rows for finding in _recurring_job(row, now, held=held)]
    bad = [one for one in found if one.state != "note"]
    return found if bad else [Finding("recurring-jobs", "ok", f"{len(rows)} on time"), *found]


def _recurring_job(row: RecurringRow, now: float, *, held: bool) -> Iterator[Finding]:
    name = "recurring-jobs"
    if row.paused:
        yield Finding(
            name, "note", f"{row.id} is paused", "It does not run.", f"mastowatch jobs recurring resume {row.id}"
        )
        return
    late = now - row.next_run_at.timestamp() if row.next_run_at else OVERDUE_S + 1
    if late > OVERDUE_S:
        says = f"{row.id} is {late:.0f} s late" if row.next_run_at else f"{row.id} is not planned"
        yield Finding(
            name, "failure", says, "The scheduler should have queued it.", "systemctl restart mastowatch-scheduler"
        )
    since = now - row.last_run_at.timestamp() if row.last_run_at else 0.0
    if not held and since > 3 * row.interval_s + OVERDUE_S and late <= OVERDUE_S:
        says = f"{row.id} last ran {_span(since)} ago, and should every {_span(row.interval_s)}"
        means = "Its run before still waits or runs, so its ticks are left out."
        yield Finding(name, "warning", says, means, f"mastowatch jobs show {row.id}")
    if row.last_status in ("failed", "stopped"):
        what = "failed" if row.last_status == "failed" else "was stopped"
        yield Finding(name, "warning", f"the last run of {row.id} {what}", "Its record has the error.",
                      f"mastowatch jobs show {row.id}")  # fmt: skip


def check_queues(world: World) -> list[Finding]:
    """Judge what waits."""
    facts = queue_facts(world.redis, all_queues(world.redis)[:QUEUES_MAX], world.now)
    held = world.readings.panic_stop or world.settings.panic_stop
    return judge_queues(facts, len(read_workers(world.redis)), held=held)


def judge_queues(queues: Sequence[QueueFacts], workers: int, *, held: bool) -> list[Finding]:
    """Judge how long the oldest job of each has waited; nothing ages while a person holds it back."""
    found = []
    for queue in queues:
        if queue.oldest_s <= BEHIND_S or queue.paused is not None or held:
            continue
        means = "Work comes in faster than it is done, or nobody serves this queue."
        mend = f"systemctl enable --now mastowatch-worker@{workers + 1}"
        state = "failure" if queue.oldest_s > FAR_BEHIND_S else "warning"
        says = f"{queue.name}: the oldest of {queue.depth} jobs has waited {_span(queue.oldest_s)}"
        found.append(Finding("queues", state, says, means, mend))  # type: ignore[arg-type]
    for queue in queues:
        if queue.depth >= WAITING_MAX:
            says = f"{queue.name}: {queue.depth} jobs wait, and no more are looked for or taken in until some are done"
            means = "Webhooks are sent again, polls and the stream go on then; local newcomers come first meanwhile."
            found.append(Finding("queues", "warning", says, means, "mastowatch jobs queues"))
    deferred = sum(queue.deferred for queue in queues)
    if deferred:
        says = f"{deferred} jobs wait for another job to end"
        mend = "mastowatch jobs list --status deferred"
        found.append(Finding("queues", "note", says, "Look whether it ever will.", mend))
    waiting, running = sum(queue.depth for queue in queues), sum(queue.started for queue in queues)
    oldest = max((queue.oldest_s for queue in queues), default=0.0)
    stopped = "; the panic stop holds them" if held else ""
    ok = Finding("queues", "ok", f"{waiting} waiting (the oldest for {_span(oldest)}), {running} running{stopped}")
    return found if any(one.state != "note" for one in found) else [ok, *found]


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that has been started. ``for_s`` is how long ago, ``limit_s`` how long it may take; 0 where unknown."""

    id: str
    for_s: float
    limit_s: float


def check_stuck(world: World) -> list[Finding]:
    """Judge what runs longer than it may, and what nobody could settle."""
    redis = world.redis
    cli = f"{redis_cli(world)} -n {database_of(world.settings.redis_url)}"
    return judge_stuck(_running(redis, world.now), int(redis.llen(UNSETTLED)), cli)


def _running(redis: Redis, now: float) -> list[RunningJob]:
    ids: dict[str, None] = {}
    for queue in all_queues(redis)[:QUEUES_MAX]:
        ids |= {text(raw).rpartition(":")[0]: None for raw in redis.zrange(f"rq:wip:{queue}", 0, LOOKED_AT - 1)}
    if not ids:
        return []
    with redis.pipeline(transaction=False) as pipe:
        for job_id in ids:
            pipe.hmget(f"rq:job:{job_id}", "started_at", "timeout")
        rows = pipe.execute()
    found = []
    for job_id, (started, limit) in zip(ids, rows, strict=True):
        at = moment(started)
        written = text(limit or "")
        found.append(
            RunningJob(job_id, now - at.timestamp() if at else 0.0, float(written) if written.isdecimal() else 0.0)
        )
    return found


def judge_stuck(running: Sequence[RunningJob], unsettled: int, cli: str = "redis-cli") -> list[Finding]:
    """Judge the jobs that should have ended, and those set aside."""
    found = []
    stuck = [job for job in running if job.limit_s and job.for_s > job.limit_s + PAST_LIMIT_S]
    for job in stuck[:3]:
        means = "Its worker should have ended it; a living worker takes it back within 15 s, so look at the workers."
        says = f"{job.id} has run for {_span(job.for_s)}, and may for {_span(job.limit_s)}"
        found.append(Finding("stuck-jobs", "failure", says, means, "systemctl restart 'mastowatch-worker@*'"))
    if len(stuck) > 3:
        found.append(
            Finding(
                "stuck-jobs",
                "failure",
                f"and {len(stuck) - 3} more",
                "As above.",
                "mastowatch jobs list --status started",
            )
        )
    if unsettled:
        jobs = "one job of a dead worker is" if unsettled == 1 else f"{unsettled} jobs of dead workers are"
        means = "Nobody could tell what came of them: look at their records, and queue them again if need be."
        found.append(Finding("stuck-jobs", "failure", f"{jobs} set aside", means, f"{cli} lrange {UNSETTLED} 0 -1"))
    return found or [Finding("stuck-jobs", "ok", "none")]


def check_failed(world: World) -> list[Finding]:
    """Judge what has failed in the last day."""
    redis, ttl = world.redis, world.settings.failure_ttl
    queues = all_queues(redis)[:QUEUES_MAX]
    with redis.pipeline(transaction=False) as pipe:
        for queue in queues:
            # A record is kept for failure_ttl, and listed by when that ends.
            pipe.zcount(f"rq:failed:{queue}", world.now + max(0.0, ttl - DAY_S), "+inf")
            pipe.zcard(f"rq:failed:{queue}")
        counts = pipe.execute()
    return [judge_failed(sum(counts[::2]), sum(counts[1::2]))]


def judge_failed(of_late: int, in_all: int) -> Finding:
    """Judge the failures; single ones are everyday."""
    name = "failed-jobs"
    if not of_late:
        return Finding(name, "ok", "none in the last day" + (f", {in_all} on record" if in_all else ""))
    says = "one in the last day" if of_late == 1 else f"{of_late} in the last day"
    means = "They were tried again as often as they may be; what they were to do is left undone."
    return Finding(name, "warning" if of_late >= MANY_FAILED else "note", says, means, "mastowatch jobs failures")


def check_switches(world: World) -> list[Finding]:
    """Tell what a person holds back."""
    return judge_switches(read_switches(world.view), edit(world))


def judge_switches(board: Switchboard, mend: str = "") -> list[Finding]:
    """Tell each switch that is on; none of them is a fault."""
    found = list(_switches(board, f"{mend} && systemctl reload mastowatch.target"))
    return found or [Finding("switches", "ok", "nothing is held back: reports are filed")]


def _switches(board: Switchboard, edit: str) -> Iterator[Finding]:
    name = "switches"
    if board.panic_stop.on:
        by = (
            "PANIC_STOP in the settings"
            if board.panic_stop.from_settings
            else _by(board.panic_stop.by, board.panic_stop.at)
        )
        mend = edit if board.panic_stop.from_settings else "mastowatch panic off"
        yield Finding(name, "note", f"the panic stop is on ({by})", "No job does anything until it is off.", mend)
    if board.dry_run.on:
        by = "DRY_RUN in the settings" if board.dry_run.from_settings else _by(board.dry_run.by, board.dry_run.at)
        # Asks before it does: whoever types all that doctor says must not be live by that.
        mend = "mastowatch setup --no-dry-run" if board.dry_run.from_settings else "mastowatch dry-run off"
        means = "Cases are shown, and nothing is reported; end that when you agree with the cases."
        yield Finding(name, "note", f"the dry run is on ({by})", means, mend)
    pause = board.maintenance
    if pause is not None:
        reason = f": {pause.reason}" if pause.reason else ""
        says = f"all work is paused for maintenance ({_by(pause.by, pause.at)}){reason}"
        yield Finding(name, "note", says, "No worker takes a job until it is resumed.", "mastowatch resume")
    for queue in board.paused_queues:
        if pause is not None and queue.queue in pause.queues:
            continue
        says = f"the queue {queue.queue} is paused ({_by(queue.by, queue.at)})"
        yield Finding(name, "note", says, "Its jobs wait.", f"mastowatch jobs resume {queue.queue}")


def _by(who: str | None, at: datetime | None) -> str:
    since = f" since {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if at else ""
    return f"by {(who or 'somebody')[:60]}{since}"


def _span(seconds: float) -> str:
    """Return a span for people."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
