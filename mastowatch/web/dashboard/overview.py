"""Gathers what the first page shows: a handful of round trips, nothing written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from mastowatch import metrics
from mastowatch.config.settings import QUEUES
from mastowatch.jobs.context import View
from mastowatch.jobs.listing import all_queues
from mastowatch.jobs.recurrence import RecurringRow, recurring_rows, scheduler_alive
from mastowatch.jobs.switches import Switchboard, read_switches
from mastowatch.jobs.workforce import WorkerRow, read_workers
from mastowatch.ports.types import Case, Dropped
from mastowatch.reliable.facts import QueueFacts, queue_facts
from mastowatch.reliable.scheduler import Recurring
from mastowatch.web.dashboard.charts import Chart, Sparkline, bar_chart, line_chart, sparkline
from mastowatch.web.dashboard.findings import Facts, Finding, Rehearsing, find, headline, rehearsing, summary
from mastowatch.web.dashboard.store_facts import StoreFacts, read_store
from mastowatch.web.dashboard.trends import Span, Trend, TrendReader, Trends

CASES = 10
_NEVER = datetime.max.replace(tzinfo=UTC)
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
class QueueLine:
    """A queue in the table: how it stands, how many jobs finish in a minute, and its last hour."""

    facts: QueueFacts
    per_minute: float | None
    chart: Sparkline | None


@dataclass(frozen=True, slots=True)
class Panel:
    """A chart with its words. ``now`` is the value that stands beside its title, None where nothing is known."""

    key: Literal["done", "failed", "waited"]
    title: str
    trend: Trend
    chart: Chart
    now: float | None


@dataclass(frozen=True, slots=True)
class Overview:
    """The first page."""

    headline: str
    summary: str
    findings: Sequence[Finding]
    trends: Trends
    panels: Sequence[Panel]
    queues: Sequence[QueueLine]
    workers: Sequence[WorkerRow]
    recurring: Sequence[RecurringRow]
    budget: Sequence[Gauge]
    counters: Sequence[tuple[str, int]]
    cases: Sequence[Case]
    dry_run: Rehearsing
    panic: str
    switches: Switchboard
    store: StoreFacts | None


class OverviewReader:
    """Gathers the first page; one a dashboard, as it keeps the queues' history."""

    def __init__(self, view: View, schedule: Sequence[Recurring]) -> None:
        self._view, self._schedule = view, schedule
        self.trends = TrendReader(view.history, lambda: QUEUES)

    def read(self, span: Span, now: float) -> Overview:
        """Return the page as of ``now`` (epoch seconds) with charts over the ``span``."""
        view, switches = self._view, read_switches(self._view)
        facts = _facts(view, self._schedule, switches, now)
        findings = find(facts)
        tally = view.tally.read()
        trends = self.trends.trends(span, now)
        return Overview(
            headline=headline(findings),
            summary=summary(facts),
            findings=findings,
            trends=trends,
            panels=_panels(trends, max((one.oldest_s for one in facts.queues if one.depth), default=0.0)),
            queues=[self._line(one, now) for one in facts.queues],
            workers=facts.workers,
            recurring=sorted(facts.recurring, key=lambda one: one.next_run_at or _NEVER),
            budget=[Gauge(one.family, one.used, one.limit, one.resets_at) for one in view.budget.read()],
            counters=[(label, tally.get(name, 0)) for name, label in COUNTERS.items()],
            cases=view.cases.latest(CASES),
            dry_run=rehearsing(facts.workers, default=switches.dry_run.on),
            panic=facts.panic,
            switches=switches,
            store=facts.store,
        )

    def _line(self, facts: QueueFacts, now: float) -> QueueLine:
        name = facts.name
        return QueueLine(facts, self.trends.rate(name, now), sparkline(self.trends.depths(name, now)))


def _panels(trends: Trends, oldest_s: float) -> list[Panel]:
    failed = sum(one for one in trends.failed.values if one is not None)
    return [
        Panel("done", "Jobs done", trends.done, line_chart(trends.done), trends.done.now),
        Panel("failed", "Failures", trends.failed, bar_chart(trends.failed.values), failed),
        Panel("waited", "Longest wait", trends.waited, line_chart(trends.waited), oldest_s),
    ]


def _facts(view: View, schedule: Sequence[Recurring], switches: Switchboard, now: float) -> Facts:
    by_hand = switches.dry_run.on and not switches.dry_run.from_settings
    return Facts(
        queues=queue_facts(view.redis, all_queues(view.redis), now),
        workers=read_workers(view.redis),
        recurring=recurring_rows(view.redis, schedule, now),
        scheduler=scheduler_alive(view.redis),
        panic="on in the settings" if view.settings.panic_stop else view.switches.describe_panic_stop(),
        blocked_until=view.budget.blocked_until(),
        now=now,
        dropped=_dropped(view),
        held=sum(one.held for one in (*switches.dropped, *filter(None, [switches.reporting_paused]))),
        paused_queues=switches.paused_queues,
        maintenance=switches.maintenance,
        rehearsing_by=(switches.dry_run.by or "Somebody") if by_hand else "",
        store=read_store(view.redis),
    )


def _dropped(view: View) -> list[Dropped]:
    paused, rules = view.rule_switches.paused(), view.rule_switches.shadowed().values()
    return [*([paused] if paused else []), *sorted(rules, key=lambda one: one.at)]
