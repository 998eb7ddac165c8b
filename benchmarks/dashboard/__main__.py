"""``python -m benchmarks.dashboard``: see the package for how it measures, ``--help`` for what can be chosen."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from redis import Redis

from benchmarks.dashboard.measure import Cost, Page, measure
from benchmarks.dashboard.seed import KEEP_S, QUEUE, seed
from benchmarks.dashboard.sides import KEY, RQ_DASHBOARD, Side, ours, rq_dashboard
from mastowatch.jobs.cursors import write_cursor
from mastowatch.jobs.listing import JobFilter
from mastowatch.jobs.sources import Place
from tests.redis_server import private_redis

PAGE = 50
TARGET_MS = 12.0
SIGN_OF_LIFE = 0.1  # writes a page
PLACES = ("start", "middle", "end")


@dataclass(frozen=True)
class Row:
    """A line of the table: the same page of ours and theirs."""

    title: str
    ours: Page
    theirs: Page | None


def main() -> None:
    """Measure, print, and leave the figures in a file if asked to."""
    options = _options()
    begun, now = time.monotonic(), time.time()
    with contextlib.suppress(PermissionError):
        # Others wait while one of these has something to do; the processes that are started take it over.
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    machine = _busy_s()
    with tempfile.TemporaryDirectory() as directory, private_redis() as url, Redis.from_url(url) as redis:
        seed(redis, options.queued, options.failed, now)
        seeded_s = time.monotonic() - begun
        memory = int(redis.info("memory")["used_memory"]) / 2**20
        jobs = f"{options.queued:,} queued and {options.failed:,} failed jobs"
        _print_head(redis, f"{jobs}, {memory:,.0f} MiB, seeded in {seeded_s:.0f} s")
        with ours(url, Path(directory)) as (api, dashboard), rq_dashboard(url, Path(directory)) as theirs:
            found = list(_measured(redis, _rows(api, dashboard, theirs, options, now), options))
    _print_verdict(found)
    others = 1 - (_children_s() / max(_busy_s() - machine, 0.01))
    print(f"\n{time.monotonic() - begun:.0f} s; of the time in which the machine was busy, others had {others:.0%}")
    if options.json:
        told = {title: {"ours": asdict(us), "theirs": asdict(them) if them else None} for title, us, them in found}
        options.json.write_text(json.dumps(told, indent=1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboard", description="Pages of a million jobs.")
    parser.add_argument("--queued", type=int, default=1_000_000)
    parser.add_argument("--failed", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=200, help="how often each page is asked for")
    parser.add_argument("--limit", type=float, default=20.0, metavar="SECONDS", help="so long all requests may take")
    parser.add_argument("--alone", action="store_true", help="without rq-dashboard")
    parser.add_argument("--quick", action="store_true", help="a tenth of the jobs; a look, no figures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="leave all figures there")
    options = parser.parse_args()
    if options.quick:
        options.queued, options.failed = options.queued // 10, options.failed // 10
    return options


def _rows(api: Side, dashboard: Side, theirs: Side | None, options: argparse.Namespace, now: float) -> Iterator[Row]:
    theirs = None if options.alone else theirs
    key = {"Authorization": f"Bearer {KEY}"}
    for status, count in (("queued", options.queued), ("failed", options.failed)):
        for place, at in zip(PLACES, (0, count // 2, count - PAGE), strict=True):
            query = f"status={status}&cursor={_cursor(status, at, count, now)}" if at else f"status={status}"
            data = f"/0/data/jobs/{QUEUE}/{status}/{PAGE}/asc/{at // PAGE + 1}.json"
            frame = f"/0/view/jobs/{QUEUE}/{status}/{PAGE}/asc/{at // PAGE + 1}"
            yield Row(
                f"{status}, {place}, JSON",
                Page(api, [f"/jobs/jobs?limit={PAGE}&{query}"], key),
                Page(theirs, [data], {}) if theirs else None,
            )
            yield Row(
                f"{status}, {place}, page",
                Page(dashboard, [f"/jobs?{query}"], {}),
                Page(theirs, [frame, data], {}) if theirs else None,
            )
    yield Row(
        "overview, page",
        Page(dashboard, ["/"], {}),
        Page(theirs, ["/", "/0/data/queues.json"], {}) if theirs else None,
    )


def _cursor(status: str, at: int, count: int, now: float) -> str:
    """Return the cursor of a page in the middle, as the page before it would give it."""
    where = JobFilter(status=status)
    if status == "queued":
        return write_cursor(where, f"queue:{QUEUE}", Place(at))
    # Newest first: the one with number n has the score now + KEEP_S + n. The queue is the second of three.
    return write_cursor(where, status, Place(1, now + KEEP_S + count - at, 1))


def _measured(
    redis: Redis, rows: Iterator[Row], options: argparse.Namespace
) -> Iterator[tuple[str, Cost, Cost | None]]:
    for row in rows:
        us = measure(row.ours, redis, options.requests, options.limit)
        them = measure(row.theirs, redis, options.requests, options.limit) if row.theirs else None
        _print_row(row.title, us, them)
        yield row.title, us, them


def _busy_s() -> float:
    """Return how long the CPUs have been at work, in seconds."""
    user, nice, system = map(int, Path("/proc/stat").read_text().split(maxsplit=4)[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def _children_s() -> float:
    """Return how long this process and those that it has ended were at work, in seconds."""
    own, ended = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


def _print_head(redis: Redis, what: str) -> None:
    server = redis.info("server")["redis_version"]
    print(f"{what}\nPython {platform.python_version()}, Redis {server}, {RQ_DASHBOARD}, {os.cpu_count()} CPUs\n")
    print(f"{'':<24}{'ours':^62}{'rq-dashboard':^62}{'ratio':>10}")
    columns = f"{'p50 ms':>9}{'p99 ms':>9}{'bytes':>12}{'commands':>10}{'of Redis':>12}{'writes':>8}  "
    print(f"{'':<24}{columns}{columns}{'of p50':>10}", flush=True)


def _print_row(title: str, us: Cost, them: Cost | None) -> None:
    ratio = f"{'> ' if them.late else ''}{them.half_ms / us.half_ms:,.1f}" if them else ""
    print(f"{title:<24}{_columns(us)}{_columns(them) if them else '':<62}{ratio:>10}", flush=True)


def _columns(cost: Cost) -> str:
    if cost.late:
        return f"{f'> {cost.half_ms:,.0f}':>9}{'':>53}"
    return (
        f"{_ms(cost.half_ms):>9}{_ms(cost.p99_ms):>9}{cost.size:>12,}{cost.commands:>10,.0f}{cost.redis_bytes:>12,.0f}"
        f"{cost.writes:>8,.1f}  "
    )


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:,.1f}" if milliseconds < 1000 else f"{milliseconds:,.0f}"


def _print_verdict(found: Sequence[tuple[str, Cost, Cost | None]]) -> None:
    pages = [(title, us) for title, us, _ in found if not title.startswith("overview")]
    slow = [f"{title} ({us.p99_ms:.1f} ms)" for title, us in pages if us.late or us.p99_ms > TARGET_MS]
    writing = [title for title, us, _ in found if us.writes > SIGN_OF_LIFE]
    print(f"\np99 of at most {TARGET_MS:.0f} ms: {_held(slow)}")
    print(f"no write to Redis beside signs of life: {_held(writing)}")
    for kind in ("queued", "failed"):
        costs = [us.commands for title, us in pages if title.startswith(kind)]
        print(f"{kind}: {min(costs):.0f} to {max(costs):.0f} commands a page, wherever it lies")


def _held(exceptions: Sequence[str]) -> str:
    return f"not held by {', '.join(exceptions)}" if exceptions else "held by all pages"


if __name__ == "__main__":
    main()
