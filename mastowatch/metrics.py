"""Names of the counters that all processes share in Redis (the hash ``mastowatch:tally``).

One list, so that tasks, the API and the dashboard speak of the same things.
"""

from __future__ import annotations

ACCOUNTS_SEEN = "accounts_seen"
ACCOUNTS_SCREENED = "accounts_screened"
ACCOUNTS_JUDGED = "accounts_judged"
POSTS_SEEN = "posts_seen"
POSTS_HANDED_ON = "posts_handed_on"
STATUSES_JUDGED = "statuses_judged"
REPORTS_FILED = "reports_filed"
REPORTS_FOUND = "reports_found_again"
REPORTS_REHEARSED = "reports_rehearsed"
REPORTS_REFUSED = "reports_refused"
WATCHED = "accounts_watched"
EXEMPT = "accounts_exempt"
REPORTS_ANNOTATED = "reports_annotated"
REPORTS_HELD = "reports_held"
RULES_DROPPED = "rules_dropped"
ALERTS_SENT = "alerts_sent"
ACTIONS_TAKEN = "actions_taken"
ACTIONS_UNDONE = "actions_undone"
DEFERRED = "jobs_deferred"
REPORTS_KEPT = "reports_kept"
REPORTS_REJECTED = "reports_rejected"
# Webhooks by what came of them: led to a job; told of work that waits already; came again; held a post that is not
# for everybody; held no work; were no event of Mastodon's; had no valid signature; could not be taken in yet.
WEBHOOKS_QUEUED = "webhooks_queued"
WEBHOOKS_WAITING = "webhooks_already_queued"
WEBHOOKS_REPEATED = "webhooks_repeated"
WEBHOOKS_PRIVATE = "webhooks_private"
WEBHOOKS_IDLE = "webhooks_without_work"
WEBHOOKS_BAD = "webhooks_not_understood"
WEBHOOKS_REFUSED = "webhooks_refused"
WEBHOOKS_PUT_OFF = "webhooks_put_off"
REQUESTS_PAGED = "requests_paged"
# What the names below are made of.
WEBHOOK_EVENTS = (
    "account.approved",
    "account.created",
    "account.updated",
    "report.created",
    "report.updated",
    "status.created",
    "status.updated",
)
PURPOSES = ("sweep", "timeline", "poll", "judge", "webhook", "report")
ORIGINS = ("local", "remote")


def webhook_event(name: str) -> str:
    """Return the counter of an event: ``webhook_status_created``."""
    return f"webhook_{name.replace('.', '_')}"


def requests_for(purpose: str) -> str:
    """Return the counter of requests to Mastodon for a purpose: ``requests_judge``."""
    return f"requests_{purpose}"


def sweeps_of(origin: str) -> str:
    """Return the counter of sweeps that have come round: ``sweeps_local``."""
    return f"sweeps_{origin}"
