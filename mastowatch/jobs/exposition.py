"""Collects what ``/metrics`` gives, out of Redis: the figures of all processes, whichever of them is asked.

A look takes about ten round trips and writes nothing. A part that can't be read costs its own figures: the others are
given, and ``mastowatch_unreadable`` says how many are missing. Raises RedisError or StoreUnavailable while Redis is
away.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from redis.exceptions import ResponseError

from mastowatch import __version__
from mastowatch.jobs.context import View
from mastowatch.jobs.families import FAMILIES, LABELED, PLAIN
from mastowatch.jobs.listing import all_queues
from mastowatch.jobs.recurrence import recurring_rows, scheduler_alive
from mastowatch.jobs.workforce import read_workers
from mastowatch.logs import event
from mastowatch.ports.types import EVERY_RULE, Readings
from mastowatch.reliable.facts import QueueFacts, queue_facts
from mastowatch.reliable.scheduler import Recurring

log = logging.getLogger(__name__)

# Other programs may have queues and workers in the same Redis: of what they name there is an end.
QUEUES_MAX, WORKERS_MAX = 100, 1000
LABEL_MAX = 200  # characters
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")
_STATUSES = {
    "queued": "depth",
    "started": "started",
    "finished": "finished",
    "failed": "failed",
    "scheduled": "scheduled",
    "deferred": "deferred",
    "canceled": "canceled",
}


def render(view: View, schedule: Sequence[Recurring], accept: str) -> tuple[bytes, str]:
    """Return the figures and their media type, as OpenMetrics where ``accept`` asks for that."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(collect(view, schedule)))
    encoder, media_type = choose_encoder(accept)
    return encoder(registry), media_type


def collect(view: View, schedule: Sequence[Recurring]) -> list[Metric]:
    """Return all figures in the order in which they are documented."""
    sheet = Sheet()
    found = view.watching.read(view.clock())
    sheet.unreadable += list(found.unreadable)
    for name, part in (
        ("workers", lambda: _workers(sheet, view)),
        ("queues", lambda: _queues(sheet, view)),
        ("recurring", lambda: _recurring(sheet, view, schedule)),
    ):
        _one(sheet, name, part)
    _tally(sheet, found)
    _rules(sheet, found)
    _mastodon(sheet, found)
    _stream(sheet, found)
    _state(sheet, view, found)
    return sheet.metrics()


class Sheet:
    """Figures as they are found."""

    def __init__(self) -> None:
        self._found: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        self._histograms: dict[str, HistogramMetricFamily] = {}
        self.unreadable: list[str] = []

    def put(self, name: str, value: float, *labels: str) -> None:
        """Add a figure; ``labels`` are the values of its family's, in their order."""
        family = FAMILIES[name]
        if name not in self._found:
            kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
            self._found[name] = kind(name, family.about, labels=family.labels)
        self._found[name].add_metric([label(one) for one in labels], value)

    def put_histogram(self, name: str, buckets: Sequence[tuple[str, float]], total: float, *labels: str) -> None:
        """Add a histogram; ``buckets`` are counted up, the last one is ``+Inf``."""
        family = FAMILIES[name]
        found = self._histograms.setdefault(name, HistogramMetricFamily(name, family.about, labels=family.labels))
        found.add_metric([label(one) for one in labels], list(buckets), total)

    def metrics(self) -> list[Metric]:
        """Return the families that have a figure."""
        found: dict[str, Metric] = {**self._found, **self._histograms}
        return [found[name] for name in FAMILIES if name in found]


def label(text: str) -> str:
    """Return a label's value: bounded, in one line, and such as UTF-8 can hold."""
    return _UNPRINTABLE.sub("\ufffd", text)[:LABEL_MAX]


class _Once(Collector):
    def __init__(self, found: Iterable[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        return iter(self._found)


def _one(sheet: Sheet, name: str, part: Callable[[], None]) -> None:
    """Take one part; what another program has left where ours should be costs this part alone."""
    try:
        part()
    except (ResponseError, ValueError, TypeError, KeyError) as error:
        event(log, logging.WARNING, "metrics_unreadable", part=name, error=type(error).__name__)
        sheet.unreadable.append(name)


def _workers(sheet: Sheet, view: View) -> None:
    for row in read_workers(view.redis)[:WORKERS_MAX]:
        queues = ",".join(row.queues)
        sheet.put("rq_workers", 1, row.name, row.state, queues)
        sheet.put("rq_workers_success_total", row.finished, row.name, queues)
        sheet.put("rq_workers_failed_total", row.failed, row.name, queues)
        sheet.put("rq_workers_working_time_total", row.working_s, row.name, queues)


def _queues(sheet: Sheet, view: View) -> None:
    for one in queue_facts(view.redis, all_queues(view.redis)[:QUEUES_MAX], view.clock()):
        _queue(sheet, one)


def _queue(sheet: Sheet, one: QueueFacts) -> None:
    for status, field in _STATUSES.items():
        sheet.put("rq_jobs", getattr(one, field), one.name, status)
    sheet.put("rq_queue_latency_seconds", one.oldest_s, one.name)
    sheet.put("mastowatch_jobs_finished_total", one.finished_total, one.name)
    sheet.put("mastowatch_jobs_failed_total", one.failed_total, one.name)
    sheet.put("mastowatch_queue_workers", one.workers, one.name)
    sheet.put("mastowatch_queue_paused", one.paused is not None, one.name)


def _recurring(sheet: Sheet, view: View, schedule: Sequence[Recurring]) -> None:
    sheet.put("mastowatch_scheduler_alive", scheduler_alive(view.redis))
    for row in recurring_rows(view.redis, schedule, view.clock()):
        sheet.put("mastowatch_recurring_interval_seconds", row.interval_s, row.id)
        sheet.put("mastowatch_recurring_skipped_total", row.skipped, row.id)
        sheet.put("mastowatch_recurring_paused", row.paused, row.id)
        if row.next_run_at:
            sheet.put("mastowatch_recurring_next_run_timestamp_seconds", row.next_run_at.timestamp(), row.id)
        if row.last_run_at:
            sheet.put("mastowatch_recurring_last_run_timestamp_seconds", row.last_run_at.timestamp(), row.id)
        if row.last_duration_s is not None:
            sheet.put("mastowatch_recurring_last_duration_seconds", row.last_duration_s, row.id)
        if row.last_status:
            sheet.put("mastowatch_recurring_last_status", 1, row.id, row.last_status)


def _tally(sheet: Sheet, found: Readings) -> None:
    """Put the counters; those that have counted nothing yet as well, so that a first one shows as a rise."""
    if "tally" in found.unreadable:
        return
    for name, counter in PLAIN.items():
        sheet.put(name, found.tally.get(counter, 0))
    for name, values in LABELED.items():
        for counter, value in values.items():
            sheet.put(name, found.tally.get(counter, 0), value)


def _rules(sheet: Sheet, found: Readings) -> None:
    for one in found.rules:
        sheet.put("mastowatch_rule_accounts", one.hits, one.rule_id, "report")
        sheet.put("mastowatch_rule_accounts", one.shadow_hits, one.rule_id, "shadow")
        sheet.put("mastowatch_rule_reports_total", one.reports, one.rule_id)
        sheet.put("mastowatch_rule_outcomes_total", one.kept, one.rule_id, "kept")
        sheet.put("mastowatch_rule_outcomes_total", one.rejected, one.rule_id, "rejected")
        sheet.put("mastowatch_rule_last_hit_timestamp_seconds", one.last_hit_at, one.rule_id)
    known = {one.rule_id for one in found.rules}
    for rule_id in sorted((known | set(found.dropped)) - {EVERY_RULE}):
        sheet.put("mastowatch_rule_dropped", rule_id in found.dropped, rule_id)
    for scope, number in found.held.items():
        sheet.put("mastowatch_held_accounts", number, scope)
    if "dropped" not in found.unreadable:
        sheet.put("mastowatch_reporting_paused", EVERY_RULE in found.dropped)
    if "reports" not in found.unreadable:
        sheet.put("mastowatch_reports_open", found.open_reports)


def _mastodon(sheet: Sheet, found: Readings) -> None:
    for status, number in found.answers.items():
        sheet.put("mastowatch_answers_total", number, status)
    for one in found.durations:
        sheet.put_histogram("mastowatch_request_duration_seconds", one.up_to, one.sum_s, one.purpose)
    for use in found.budget:
        sheet.put("mastowatch_budget_limit", use.limit, use.family)
        sheet.put("mastowatch_budget_left", max(0, use.limit - use.used), use.family)
        sheet.put("mastowatch_budget_resets_timestamp_seconds", use.resets_at, use.family)
    if "block" not in found.unreadable:
        sheet.put("mastowatch_budget_blocked_until_timestamp_seconds", found.blocked_until)


def _stream(sheet: Sheet, found: Readings) -> None:
    if "stream" in found.unreadable:
        return
    note = found.stream
    sheet.put("mastowatch_stream_running", note is not None)
    sheet.put("mastowatch_stream_connected", note is not None and note.connected)
    if note is not None and note.lag_s is not None:
        sheet.put("mastowatch_stream_lag_seconds", note.lag_s)
    if note is not None and note.post_at:
        sheet.put("mastowatch_stream_last_post_timestamp_seconds", note.post_at)


def _state(sheet: Sheet, view: View, found: Readings) -> None:
    sheet.put("mastowatch_panic_stop", view.settings.panic_stop or found.panic_stop)
    sheet.put("mastowatch_dry_run", view.settings.dry_run or found.dry_run)
    for (kind, version), number in sorted(found.running.items()):
        sheet.put("mastowatch_processes", number, kind, version)
    if "layout" not in found.unreadable:
        sheet.put("mastowatch_layout", found.layout)
    if found.memory is not None:
        used, most = found.memory
        sheet.put("mastowatch_redis_memory_used_bytes", used)
        sheet.put("mastowatch_redis_memory_max_bytes", most)
    sheet.put("mastowatch_build_info", 1, __version__)
    sheet.put("mastowatch_unreadable", len(sheet.unreadable))
