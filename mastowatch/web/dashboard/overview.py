"""Gathers what the first page shows: a handful of round trips, nothing written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mastowatch import metrics
from mastowatch.jobs.context import View
from mastowatch.jobs.listing import all_queues
from mastowatch.jobs.recurrence import RecurringRow, recurring_rows, scheduler_alive
from mastowatch.jobs.workforce import WorkerRow, read_workers
from mastowatch.ports.types import Case, Dropped
from mastowatch.reliable.facts import QueueFacts, queue_facts
from mastowatch.reliable.scheduler import Recurring
from mastowatch.web.dashboard.charts import Sparkline, sparkline
from mastowatch.web.dashboard.findings import Facts, Finding, Rehearsing, find, headline, rehearsing, summary

POINTS = 60
CASES = 8
COUNTERS: Mapping[str, str] = {
    metrics.ACCOUNTS_SEEN: "Accounts seen",
    metrics.POSTS_SEEN: "Public posts seen",
    metrics.ACCOUNTS_JUDGED: "Accounts judged",
    metrics.STATUSES_JUDGED: "Posts judged",
    metrics.REPORTS_FILED: "Reports filed",
    metrics.REPORTS_REHEARSED: "Reports rehearsed",
    metrics.REPORTS_HELD: "Reports held back",
    metrics.WATCHED: "Accounts watched",
    metrics.EXEMPT: "Exempt by policy",
    metrics.WEBHOOKS_QUEUED: "Webhooks turned into jobs",
    metrics.WEBHOOKS_REFUSED: "Webhooks refused",
    metrics.DEFERRED: "Jobs that waited",
}


@dataclass(frozen=True, slots=True)
class Gauge:
    """A budget of API requests: ``used`` of ``limit`` until ``resets_at`` (epoch seconds)."""

    name: str
    used: int
    limit: int
    resets_at: float


@dataclass(frozen=True, slots=True)
class Overview:
    """The first page."""

    headline: str
    summary: str
    findings: Sequence[Finding]
    queues: Sequence[tuple[QueueFacts, Sparkline | None]]
    workers: Sequence[WorkerRow]
    recurring: Sequence[RecurringRow]
    budget: Sequence[Gauge]
    counters: Sequence[tuple[str, int]]
    cases: Sequence[Case]
    dry_run: Rehearsing
    panic: str


def overview(view: View, schedule: Sequence[Recurring], now: float) -> Overview:
    """Return the first page as of ``now`` (epoch seconds)."""
    facts = _facts(view, schedule, now)
    findings = find(facts)
    tally = view.tally.read()
    return Overview(
        headline=headline(findings),
        summary=summary(facts),
        findings=findings,
        queues=[(one, sparkline(view.history.recent(one.name, POINTS))) for one in facts.queues],
        workers=facts.workers,
        recurring=facts.recurring,
        budget=[Gauge(one.family, one.used, one.limit, one.resets_at) for one in view.budget.read()],
        counters=[(label, tally.get(name, 0)) for name, label in COUNTERS.items()],
        cases=view.cases.latest(CASES),
        dry_run=rehearsing(facts.workers, default=view.settings.dry_run),
        panic=facts.panic,
    )


def _facts(view: View, schedule: Sequence[Recurring], now: float) -> Facts:
    return Facts(
        queues=queue_facts(view.redis, all_queues(view.redis), now),
        workers=read_workers(view.redis),
        recurring=recurring_rows(view.redis, schedule, now),
        scheduler=scheduler_alive(view.redis),
        panic="on in the settings" if view.settings.panic_stop else view.switches.describe_panic_stop(),
        blocked_until=view.budget.blocked_until(),
        now=now,
        dropped=_dropped(view),
    )


def _dropped(view: View) -> list[Dropped]:
    paused, rules = view.rule_switches.paused(), view.rule_switches.shadowed().values()
    return [*([paused] if paused else []), *sorted(rules, key=lambda one: one.at)]
