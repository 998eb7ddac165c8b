"""How much memory MastoWatch may take in Redis at most, family by family: what docs/explanation/memory.md states.

``python -m benchmarks.load.bound`` prints the bound for a server: ``--known`` accounts, ``--webhooks`` a day,
``--rules``, and the settings that count. ``--markdown`` prints the table of the page; a test holds the page to it, and
another holds what Redis really takes to the bytes that stand here.

All follows from one bound: Mastodon answers so many requests, and each account that is judged costs one at least.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mastowatch.adapters.redis_audit import ENTRIES_MAX
from mastowatch.adapters.redis_campaigns import KEPT_MAX
from mastowatch.adapters.redis_handed_on import AT_MOST
from mastowatch.adapters.redis_quotas import HELD_MAX
from mastowatch.adapters.redis_store import CASES_MAX, CLAIM_TTL_S, JUDGED_TTL_S, PLANNED_TTL_S, POINTS_MAX
from mastowatch.config import Settings
from mastowatch.jobs.intake import MARK_TTL_S
from mastowatch.jobs.queues import WAITING_MAX

DAY_S = 86_400
REPORT_DAYS = 120
QUEUES = 3
TRIES = 4  # of a job that fails: once, and three times more
# Redis itself, its clients' buffers, scripts, counters, locks, and all that is bounded by the number of processes.
REST = 12 * 2**20


@dataclass(frozen=True)
class Host:
    """A server to watch: accounts that it knows, webhooks that it sends a day, and rules in force."""

    known: int
    webhooks: int
    rules: int = 30
    settings: Settings = Settings()  # noqa: RUF009 -- frozen

    @property
    def requests(self) -> int:
        """The requests of a day."""
        return DAY_S // 300 * self.settings.api_requests_per_5_minutes

    @property
    def judged(self) -> int:
        """Accounts judged a day: filing has the last twentieth of the requests to itself."""
        return int(self.requests * 0.95)


@dataclass(frozen=True)
class Family:
    """Keys of one purpose. ``size``: bytes for one of ``what``, all included; ``count``: how many at most."""

    keys: str
    what: str
    size: int
    formula: str
    count: Callable[[Host], int]


def _days(seconds: float) -> float:
    return seconds / DAY_S


FAMILIES: tuple[Family, ...] = (
    Family(
        "judged:*",
        "account judged in a week",
        200,
        "least of K and 7 J",
        lambda one: min(one.known, int(_days(JUDGED_TTL_S) * one.judged)),
    ),
    Family(
        "claim:*",
        "report of 90 days",
        450,
        "90 × REPORTS_PER_DAY",
        lambda one: int(_days(CLAIM_TTL_S) * one.settings.reports_per_day),
    ),
    Family(
        "claim:* (planned)",
        "account to report that a breaker kept back, of a day",
        270,
        "least of K and J",
        lambda one: min(one.known, int(_days(PLANNED_TTL_S) * one.judged)),
    ),
    Family("case:*, cases", "case", 1500, f"{CASES_MAX:,}", lambda _: CASES_MAX),
    Family(
        "recent*",
        "post kept to try rules on",
        700,
        "RECENT_POSTS_MAX",
        lambda one: one.settings.recent_posts_max,
    ),
    Family("audit", "decision", 300, f"{ENTRIES_MAX:,}", lambda _: ENTRIES_MAX),
    Family("handed_on", "post handed on", 140, f"{AT_MOST:,}", lambda _: AT_MOST),
    Family(
        "campaign:*, campaigns*",
        "account in a campaign; alone in it at worst",
        560,
        f"{KEPT_MAX:,}",
        lambda _: KEPT_MAX,
    ),
    Family(
        "report:*, reports:open",
        "report of 120 days",
        450,
        "120 × REPORTS_PER_DAY",
        lambda one: REPORT_DAYS * one.settings.reports_per_day,
    ),
    Family("rule:*", "rule, with whom it hit", 30_000, "R", lambda one: one.rules),
    Family(
        "quota:*",
        "report of a day, by rule and all together",
        130,
        "REPORTS_PER_DAY + R × RULE_REPORTS_PER_DAY",
        lambda one: one.settings.reports_per_day + one.rules * one.settings.rule_reports_per_day,
    ),
    Family(
        "held:*",
        "account kept back, with every rule dropped at worst",
        150,
        f"least of K and {HELD_MAX:,}, times R + 1",
        lambda one: min(one.known, HELD_MAX) * (one.rules + 1),
    ),
    Family("history:*", "point of a queue's history", 60, f"{QUEUES} × {POINTS_MAX:,}", lambda _: QUEUES * POINTS_MAX),
    Family(
        "webhook:*",
        "webhook of a day",
        160,
        "W",
        lambda one: int(_days(MARK_TTL_S) * one.webhooks),
    ),
    Family(
        "rq: waiting jobs",
        "job that waits, put off ten times at worst",
        6500,
        f"least of K and {WAITING_MAX:,}; least of W and {WAITING_MAX:,} on the queue high",
        lambda one: min(one.known, WAITING_MAX) + min(one.webhooks, WAITING_MAX),
    ),
    Family(
        "rq: finished jobs",
        "job that finished within RESULT_TTL",
        3000,
        "RESULT_TTL in days × requests a day",
        lambda one: math.ceil(_days(one.settings.result_ttl) * one.requests),
    ),
    Family(
        "rq: failed jobs",
        "job that failed within FAILURE_TTL, after four tries",
        5500,
        "FAILURE_TTL in days × least of K + W and a quarter of the requests a day",
        lambda one: math.ceil(_days(one.settings.failure_ttl) * min(one.requests // TRIES, one.known + one.webhooks)),
    ),
)
EXAMPLES = (Host(5_000, 500), Host(200_000, 10_000), Host(10_000_000, 100_000))


def total(host: Host) -> int:
    """Return the bytes that all families take at most, with what else there is."""
    return REST + sum(family.size * family.count(host) for family in FAMILIES)


def table() -> Iterator[str]:
    """Yield the lines of the page's table."""
    yield "| keys | one is | bytes | at most | " + " | ".join(f"{one.known:,}" for one in EXAMPLES) + " |"
    yield "|---|---|---|---|" + "---|" * len(EXAMPLES)
    for family in FAMILIES:
        sizes = " | ".join(_mib(family.size * family.count(one)) for one in EXAMPLES)
        yield f"| {_name(family.keys)} | {family.what} | {family.size:,} | {family.formula} | {sizes} |"
    rest = " | ".join([_mib(REST)] * len(EXAMPLES))
    yield f"| all else | counters, locks, cursors, switches, workers; Redis itself, its clients | | | {rest} |"
    yield "| **all** | | | | " + " | ".join(f"**{_mib(total(one))}**" for one in EXAMPLES) + " |"


def _name(keys: str) -> str:
    return f"`{keys}`" if not keys.startswith("rq:") and "(" not in keys else keys


def _mib(size: float) -> str:
    return f"{size / 2**20:,.1f}" if size < 10 * 2**20 else f"{size / 2**20:,.0f}"


def main() -> None:
    """Print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load.bound", description="Memory in Redis at most.")
    parser.add_argument("--known", type=int, default=200_000, help="accounts that the server knows")
    parser.add_argument("--webhooks", type=int, default=10_000, help="webhooks that it sends a day")
    parser.add_argument("--rules", type=int, default=30)
    parser.add_argument("--reports-per-day", type=int, default=Settings().reports_per_day)
    parser.add_argument("--recent-posts-max", type=int, default=Settings().recent_posts_max)
    parser.add_argument("--api-requests-per-5-minutes", type=int, default=Settings().api_requests_per_5_minutes)
    parser.add_argument("--markdown", action="store_true", help="the table of docs/explanation/memory.md")
    given = parser.parse_args()
    if given.markdown:
        print("\n".join(table()))
        return
    chosen = Settings(
        reports_per_day=given.reports_per_day,
        recent_posts_max=given.recent_posts_max,
        api_requests_per_5_minutes=given.api_requests_per_5_minutes,
    )
    host = Host(given.known, given.webhooks, given.rules, chosen)
    for family in FAMILIES:
        count = family.count(host)
        print(f"{family.keys:<26}{count:>12,} × {family.size:>7,} bytes{_mib(count * family.size):>10} MiB")
    print(f"{'all else':<26}{'':>28}{_mib(REST):>10} MiB\n{'all':<26}{'':>28}{_mib(total(host)):>10} MiB")


if __name__ == "__main__":
    main()
