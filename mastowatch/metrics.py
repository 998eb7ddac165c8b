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
DEFERRED = "jobs_deferred"
