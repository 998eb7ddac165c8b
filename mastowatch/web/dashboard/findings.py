"""Whether all is well, and if not, what to do: pure judgement over what the overview has read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from mastowatch.jobs.alerts import describe, to_go_on
from mastowatch.jobs.pulse import BEHIND_S
from mastowatch.jobs.recurrence import RecurringRow
from mastowatch.jobs.switches import MaintenanceRow, PausedQueueRow
from mastowatch.jobs.workforce import WorkerRow
from mastowatch.ports.types import EVERY_RULE, Dropped
from mastowatch.reliable.facts import QueueFacts
from mastowatch.web.dashboard.store_facts import StoreFacts

# A scheduler acts within a second of the due time, a standby takes over within four.
OVERDUE_S = 30.0
# A wave trips many rules at once; a line for each would push everything else off the page.
TOLD_ONE_BY_ONE = 3
NEARLY_FULL = 0.85


Rehearsing = Literal["on", "off", "mixed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """``bad``: work is not done. ``note``: worth a look. ``command`` is what to type, ``link`` where to look.

    ``todo`` is the text of the link, if there is one; ``then`` follows it.
    """

    level: Literal["bad", "note"]
    what: str
    todo: str
    command: str = ""
    link: str = ""
    then: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is judged. ``panic`` is "off" or "on since ... by ..."; times are epoch seconds.

    ``dropped`` are rules that their breaker or precision dropped, and the pause of all reporting; ``held`` accounts
    wait for them. ``rehearsing_by`` has switched the dry run on by hand, "" where nobody has.
    """

    queues: Sequence[QueueFacts]
    workers: Sequence[WorkerRow]
    recurring: Sequence[RecurringRow]
    scheduler: bool
    panic: str
    blocked_until: float
    now: float
    dropped: Sequence[Dropped] = ()
    held: int = 0
    paused_queues: Sequence[PausedQueueRow] = ()
    maintenance: MaintenanceRow | None = None
    rehearsing_by: str = ""
    store: StoreFacts | None = None


def find(facts: Facts) -> list[Finding]:
    """Return what is wrong, the worst first; none means that all is well."""
    found = [
        *_stopped(facts),
        *_dropped(facts),
        *_store(facts),
        *_unmanned(facts),
        *_at_odds(facts),
        *_behind(facts),
        *_paused(facts),
        *_recurring(facts),
        *_held(facts),
        *_rehearsing(facts),
        *_blocked(facts),
        *_failed(facts),
    ]
    return sorted(found, key=lambda finding: finding.level != "bad")


def headline(findings: Sequence[Finding]) -> str:
    """Return the answer, in one sentence."""
    bad = sum(finding.level == "bad" for finding in findings)
    if bad:
        return "One thing needs you." if bad == 1 else f"{bad} things need you."
    if findings:
        return "All is well, with one note." if len(findings) == 1 else f"All is well, with {len(findings)} notes."
    return "All is well."


def summary(facts: Facts) -> str:
    """Return how busy it is, in one sentence."""
    waiting, running = sum(queue.depth for queue in facts.queues), sum(queue.started for queue in facts.queues)
    return f"{_many(waiting, 'job')} waiting, {running} running, {_many(len(facts.workers), 'worker').lower()}."


def _many(count: int, what: str) -> str:
    return f"{count or 'No'} {what}{'' if count == 1 else 's'}"


def _stopped(facts: Facts) -> Iterator[Finding]:
    if facts.panic != "off":
        yield Finding(
            "bad",
            f"All work is stopped: the panic stop is {facts.panic}.",
            "Look at the switches",
            "mastowatch panic off",
            "/switches",
            ", or to go on:",
        )


def _dropped(facts: Facts) -> Iterator[Finding]:
    paused = [one for one in facts.dropped if one.rule_id == EVERY_RULE]
    rules = [one for one in facts.dropped if one.rule_id != EVERY_RULE]
    few = len(rules) <= TOLD_ONE_BY_ONE
    yield from (_drop(describe(one), to_go_on(one.rule_id)) for one in (*paused, *(rules if few else ())))
    if few:
        return
    names = ", ".join(sorted(one.rule_id for one in rules))
    last = max(rules, key=lambda one: one.at)
    what = f"{len(rules)} rules were dropped to shadow: {names}. The latest, {last.rule_id}: {last.why}."
    yield _drop(what, "mastowatch rules arm RULE")


def _drop(what: str, command: str) -> Finding:
    return Finding("bad", what, "Look at the latest cases", command, "/cases", "; if they are right, go on:")


def _unmanned(facts: Facts) -> Iterator[Finding]:
    if not facts.workers:
        yield Finding("bad", "No worker runs, so no job is done.", "Start one:", "systemctl start mastowatch-worker@1")
    if not facts.scheduler:
        yield Finding(
            "bad",
            "No scheduler leads, so nothing is polled.",
            "See why, and start it:",
            "systemctl status mastowatch-scheduler",
        )


def rehearsing(workers: Sequence[WorkerRow], *, default: bool) -> Rehearsing:
    """Return whether reports are rehearsed, as the workers have it; they file, and may be older than a setting."""
    known = {worker.dry_run for worker in workers if worker.dry_run is not None} or {default}
    if len(known) > 1:
        return "mixed"
    return "on" if known.pop() else "off"


def _at_odds(facts: Facts) -> Iterator[Finding]:
    if rehearsing(facts.workers, default=True) == "mixed":
        yield Finding(
            "bad",
            "Some workers rehearse and some file reports: they were started with different DRY_RUN.",
            "Restart the older ones:",
            "systemctl restart 'mastowatch-worker@*'",
            link="/workers",
        )


def _behind(facts: Facts) -> Iterator[Finding]:
    paused = {one.queue for one in facts.paused_queues}
    for queue in facts.queues:
        if queue.oldest_s > BEHIND_S and facts.workers and facts.panic == "off" and queue.name not in paused:
            number = len(facts.workers) + 1
            yield Finding(
                "bad",
                f"The queue {queue.name} falls behind: its oldest job has waited {queue.oldest_s / 60:.0f} minutes.",
                "Look at what the workers do, or start one more:",
                f"systemctl start mastowatch-worker@{number}",
                link="/workers",
            )


def _store(facts: Facts) -> Iterator[Finding]:
    """Yield what is wrong with Redis itself: what a full memory or a crash would cost.

    What mends it doctor says: it knows whether ours is the private Redis, or needs a password or TLS. A plain redis-cli
    would change Mastodon's own in its stead.
    """
    store = facts.store
    if store is None:
        return
    if not store.saves:
        yield Finding(
            "bad",
            "Redis could not write to its disk the last time.",
            "See how to find out why:",
            "mastowatch doctor --check redis-persistence",
        )
    if store.part_used > NEARLY_FULL:
        what = "throws jobs away" if store.evicts else "refuses new jobs"
        full = f"Redis has used {store.part_used:.0%} of its memory; when that is full it {what}."
        yield Finding("bad", full, "See how to give it more:", "mastowatch doctor --check redis-memory")
    elif store.evicts:
        yield Finding(
            "note",
            f"Redis would throw jobs away when its memory is full ({store.policy}).",
            "See how to have it refuse instead:",
            "mastowatch doctor --check redis-policy",
        )
    if store.unsettled:
        one = store.unsettled == 1
        jobs = "One job of a dead worker is" if one else f"{store.unsettled} jobs of dead workers are"
        yield Finding(
            "bad",
            f"{jobs} set aside: nobody could tell what came of {'it' if one else 'them'}.",
            "See how to find out which:",
            "mastowatch doctor --check stuck-jobs",
        )
    if not store.log_on:
        yield Finding(
            "note",
            "Redis keeps snapshots only: if it is killed, the jobs of the last minutes are lost.",
            "See how to have it write down each:",
            "mastowatch doctor --check redis-persistence",
        )


def _paused(facts: Facts) -> Iterator[Finding]:
    pause = facts.maintenance
    if pause is not None:
        since, why = pause.at.strftime("%H:%M UTC"), f": {pause.reason}" if pause.reason else ""
        what = f"All work is paused for maintenance since {since} by {pause.by}{why}."
        yield Finding("note", what, "When that is done:", "mastowatch resume")
    for one in facts.paused_queues:
        if pause is not None and one.queue in pause.queues:
            continue
        since = one.at.strftime("%H:%M UTC")
        what = f"The queue {one.queue} is paused since {since} by {one.by}; its jobs wait."
        yield Finding("note", what, "Resume it, or see why.", link="/switches")


def _held(facts: Facts) -> Iterator[Finding]:
    if facts.held:
        accounts = "One account is" if facts.held == 1 else f"{facts.held} accounts are"
        what = f"{accounts} kept from being reported until a rule is re-armed."
        yield Finding("note", what, "See which rules.", link="/switches")


def _rehearsing(facts: Facts) -> Iterator[Finding]:
    if facts.rehearsing_by:
        what = f"{facts.rehearsing_by} has switched the dry run on: nothing is reported."
        yield Finding("note", what, "Look at the switches", "mastowatch dry-run off", "/switches", ", or to go on:")


def _recurring(facts: Facts) -> Iterator[Finding]:
    for one in facts.recurring:
        if one.paused:
            yield Finding("note", f"{one.id} is paused and does not run.", "Press Resume beside it", link="/recurring",
                          then=", or type:", command=f"mastowatch jobs recurring resume {one.id}")  # fmt: skip
        late = facts.now - one.next_run_at.timestamp() if one.next_run_at else OVERDUE_S + 1
        if facts.scheduler and late > OVERDUE_S and not one.paused:
            yield Finding("bad", f"{one.id} is not planned as it should be.", "See the scheduler's journal:",
                          "journalctl -u mastowatch-scheduler")  # fmt: skip
        if one.last_status in ("failed", "stopped"):
            yield Finding("bad", f"The last run of {one.id} {one.last_status}.".replace(" stopped", " was stopped"),
                          "Read its error.", link=f"/jobs/{one.id}")  # fmt: skip


def _blocked(facts: Facts) -> Iterator[Finding]:
    if facts.blocked_until > facts.now:
        seconds = facts.blocked_until - facts.now
        yield Finding("note", f"Mastodon asked for a pause; requests go on in {seconds:.0f} s.", "Nothing to do.")


def _failed(facts: Facts) -> Iterator[Finding]:
    failed = sum(queue.failed for queue in facts.queues)
    if failed:
        jobs = "One failed job is" if failed == 1 else f"{failed} failed jobs are"
        yield Finding("note", f"{jobs} on record.", "See what went wrong.", link="/failures")
