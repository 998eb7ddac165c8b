"""Names that may stand on the command line, as constants: to look them up would take a tenth of a second.

A test holds them against what they are the names of.
"""

from __future__ import annotations

QUEUES = ("high", "default", "low")
STATUSES = (
    "started",
    "queued",
    "scheduled",
    "deferred",
    "rate_limited",
    "ready_to_enqueue",
    "failed",
    "stopped",
    "canceled",
    "finished",
    "created",
)
TASKS = (
    "poll_admin_accounts",
    "poll_admin_accounts_local",
    "analyze_and_maybe_report",
    "judge_again",
    "process_new_status",
    "annotate_report",
    "read_report_outcomes",
    "process_new_statuses",
    "poll_public_timeline",
    "undo_expired_actions",
    "send_alerts",
    "record_queue_stats",
)
RECURRING = (
    "poll_admin_accounts",
    "poll_admin_accounts_local",
    "poll_public_timeline",
    "record_queue_stats",
    "read_report_outcomes",
    "send_alerts",
    "undo_expired_actions",
)
PURGED = ("failed", "finished", "canceled")
BULK = ("cancel", "requeue", "delete", "run")
OUTCOMES = ("watched", "rehearsed", "filed", "exempt", "gone", "refused", "held")
AUDIT_EVENTS = ("judged", "annotated", "dropped", "rearmed", "enforced", "undone", "action")
