"""What the walk sets beside what its pages say."""

from __future__ import annotations

# The mock Mastodon has pages of 40 accounts and no limits, and more spam an hour than a server of 5,000 has in a week.
# The intervals are so short that no test waits for a tick; that of the other poll stands in a page.
MOCK = """
API_REQUESTS_PER_5_MINUTES=100000
API_PAGED_REQUESTS_PER_15_MINUTES=100000
RULE_REPORTS_PER_HOUR=1000
RULE_REPORTS_PER_DAY=1000
REPORTS_PER_HOUR=1000
REPORTS_PER_DAY=1000
POLL_ADMIN_ACCOUNTS_LOCAL_INTERVAL=10
QUEUE_STATS_INTERVAL=1
"""

WEBHOOK_SECRET = "the-secret-that-mastodon-shows"
