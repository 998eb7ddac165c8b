"""Every figure that /metrics gives: its name, type, labels and meaning; what ``docs/reference/metrics.md`` lists.

Those that begin with ``rq_`` are named as the boards for RQ in Grafana know them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mastowatch import metrics

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Family:
    """A figure with its labels; a counter's ``name`` ends in ``_total``."""

    name: str
    kind: Kind
    about: str
    labels: tuple[str, ...] = ()


def _counter(name: str, about: str, *labels: str) -> Family:
    return Family(name, "counter", about, labels)


def _gauge(name: str, about: str, *labels: str) -> Family:
    return Family(name, "gauge", about, labels)


_RQ = (
    _gauge("rq_workers", "1 for each registered worker.", "name", "state", "queues"),
    _counter("rq_workers_success_total", "Jobs that a worker has finished since its start.", "name", "queues"),
    _counter(
        "rq_workers_failed_total",
        "Runs that failed in a worker since its start, or were put off, as RQ counts them.",
        "name",
        "queues",
    ),
    _counter("rq_workers_working_time_total", "Seconds that a worker has worked since its start.", "name", "queues"),
    _gauge("rq_jobs", "Jobs on a queue by status; ended ones as long as their records are kept.", "queue", "status"),
    _gauge("rq_queue_latency_seconds", "How long the first job of a queue has waited; 0 when none waits.", "queue"),
)
_JOBS = (
    _counter("mastowatch_jobs_finished_total", "Jobs finished, ever; no worker that leaves takes them along.", "queue"),
    _counter("mastowatch_jobs_failed_total", "Jobs failed or stopped, ever.", "queue"),
    _gauge("mastowatch_queue_workers", "Workers that serve a queue.", "queue"),
    _gauge("mastowatch_queue_paused", "1 while a person has paused the queue.", "queue"),
    _gauge("mastowatch_scheduler_alive", "1 while a scheduler leads."),
    _gauge("mastowatch_recurring_interval_seconds", "Time between two runs of a recurring job.", "task"),
    _gauge("mastowatch_recurring_next_run_timestamp_seconds", "When it runs next; absent while it is paused.", "task"),
    _gauge("mastowatch_recurring_last_run_timestamp_seconds", "When it last went on its queue.", "task"),
    _gauge("mastowatch_recurring_last_duration_seconds", "How long its last run took, or has taken so far.", "task"),
    _gauge("mastowatch_recurring_last_status", "1, with the status of its last run.", "task", "status"),
    _counter("mastowatch_recurring_skipped_total", "Ticks left out, as the run before still waited or ran.", "task"),
    _gauge("mastowatch_recurring_paused", "1 while a person has paused it.", "task"),
)
_RULES = (
    _gauge("mastowatch_rule_accounts", "Accounts that a rule hit, about; by what it did then.", "rule", "mode"),
    _counter("mastowatch_rule_reports_total", "Reports that a rule led to, alone or with others.", "rule"),
    _counter("mastowatch_rule_outcomes_total", "Its reports by what moderators decided.", "rule", "outcome"),
    _gauge("mastowatch_rule_last_hit_timestamp_seconds", "When it last hit.", "rule"),
    _gauge("mastowatch_rule_dropped", "1 while a breaker keeps the rule from reporting.", "rule"),
    _gauge("mastowatch_held_accounts", "Accounts that a breaker keeps back; rule=* for all reporting.", "rule"),
    _gauge("mastowatch_reporting_paused", "1 while a breaker has paused all reporting."),
    _gauge("mastowatch_reports_open", "Reports on which moderators have not decided yet."),
)
_MASTODON = (
    _counter("mastowatch_requests_total", "Requests to Mastodon by what they were for.", "purpose"),
    _counter("mastowatch_requests_paged_total", "Those of them that count for the limit on paging."),
    _counter("mastowatch_answers_total", "Mastodon's answers by status; none: it did not answer.", "status"),
    Family(
        "mastowatch_request_duration_seconds", "histogram", "Time from a request to Mastodon's answer.", ("purpose",)
    ),
    _gauge("mastowatch_budget_limit", "Requests allowed in a window of a limit of Mastodon's.", "family"),
    _gauge("mastowatch_budget_left", "Requests left in the present window.", "family"),
    _gauge("mastowatch_budget_resets_timestamp_seconds", "When the present window ends.", "family"),
    _gauge(
        "mastowatch_budget_blocked_until_timestamp_seconds", "Until when a 429 forbids all requests; 0: it doesn't."
    ),
    _gauge("mastowatch_stream_running", "1 while a process reads, or tries to read, the public stream."),
    _gauge("mastowatch_stream_connected", "1 while the public stream is connected."),
    _gauge("mastowatch_stream_lag_seconds", "Age of the freshest post that came in of late; absent when none did."),
    _gauge("mastowatch_stream_last_post_timestamp_seconds", "When a post last came in over the stream."),
)
_STATE = (
    _gauge("mastowatch_panic_stop", "1 while all work is stopped, by the switch or the settings."),
    _gauge("mastowatch_dry_run", "1 while reports are only rehearsed, by the switch or the settings."),
    _gauge("mastowatch_processes", "Processes that live.", "kind", "version"),
    _gauge("mastowatch_layout", "The layout of MastoWatch's keys in Redis."),
    _gauge("mastowatch_redis_memory_used_bytes", "Memory that Redis uses."),
    _gauge("mastowatch_redis_memory_max_bytes", "Memory that Redis may use; 0: as much as there is."),
    _gauge("mastowatch_build_info", "1, with the version that answers.", "version"),
    _gauge("mastowatch_unreadable", "Parts that could not be read, so that their figures are absent here."),
)

# What a counter of mastowatch.metrics counts; those below with a label of their own are left out here.
_COUNTED: Mapping[str, str] = {
    metrics.ACCOUNTS_SEEN: "Accounts seen in polls and sweeps.",
    metrics.ACCOUNTS_SCREENED: "Accounts that a look at the page could not clear, handed on for judgement.",
    metrics.ACCOUNTS_JUDGED: "Accounts judged.",
    metrics.POSTS_SEEN: "Public posts seen by the stream and the timeline.",
    metrics.POSTS_HANDED_ON: "Posts of them handed on for judgement.",
    metrics.STATUSES_JUDGED: "Posts judged with their accounts.",
    metrics.REPORTS_FILED: "Reports filed with Mastodon.",
    metrics.REPORTS_FOUND: "Reports that were there already after an answer got lost.",
    metrics.REPORTS_REHEARSED: "Reports that would have been filed, in dry run.",
    metrics.REPORTS_REFUSED: "Reports that Mastodon refused.",
    metrics.WATCHED: "Accounts put on watch.",
    metrics.EXEMPT: "Accounts that would have been reported, but are exempt.",
    metrics.REPORTS_ANNOTATED: "Reports by people to whose accounts a verdict was added.",
    metrics.REPORTS_HELD: "Reports held back by a breaker.",
    metrics.RULES_DROPPED: "Times that a breaker dropped a rule or paused all reporting.",
    metrics.ALERTS_SENT: "Alerts sent.",
    metrics.ACTIONS_TAKEN: "Measures taken against accounts.",
    metrics.ACTIONS_UNDONE: "Measures undone.",
    metrics.DEFERRED: "Jobs put off until there is budget for them.",
    metrics.REPORTS_KEPT: "Reports that moderators acted on.",
    metrics.REPORTS_REJECTED: "Reports that moderators closed without acting.",
}
# Counters that share a name in /metrics: the figure, and its label's value by the counter's name.
LABELED: Mapping[str, Mapping[str, str]] = {
    "mastowatch_webhooks_total": {
        metrics.WEBHOOKS_QUEUED: "queued",
        metrics.WEBHOOKS_WAITING: "already_queued",
        metrics.WEBHOOKS_REPEATED: "repeated",
        metrics.WEBHOOKS_PRIVATE: "private",
        metrics.WEBHOOKS_IDLE: "without_work",
        metrics.WEBHOOKS_BAD: "not_understood",
        metrics.WEBHOOKS_REFUSED: "refused",
        metrics.WEBHOOKS_PUT_OFF: "put_off",
    },
    "mastowatch_webhook_events_total": {metrics.webhook_event(name): name for name in metrics.WEBHOOK_EVENTS},
    "mastowatch_requests_total": {metrics.requests_for(purpose): purpose for purpose in metrics.PURPOSES},
    "mastowatch_sweeps_total": {metrics.sweeps_of(origin): origin for origin in metrics.ORIGINS},
}
PLAIN: Mapping[str, str] = {
    **{f"mastowatch_{name}_total": name for name in _COUNTED},
    "mastowatch_requests_paged_total": metrics.REQUESTS_PAGED,
}
_TALLY = (
    *(_counter(f"mastowatch_{name}_total", about) for name, about in _COUNTED.items()),
    _counter("mastowatch_webhooks_total", "Webhooks by what came of them.", "outcome"),
    _counter("mastowatch_webhook_events_total", "Webhooks that were understood, by their event.", "event"),
    _counter("mastowatch_sweeps_total", "Sweeps that have come round once.", "origin"),
)

FAMILIES: Mapping[str, Family] = {one.name: one for one in (*_RQ, *_JOBS, *_TALLY, *_RULES, *_MASTODON, *_STATE)}
