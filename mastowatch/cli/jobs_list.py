"""``mastowatch jobs list``: jobs as the API lists them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from mastowatch.cli.jobs_filter import job_filter
from mastowatch.cli.records import answer
from mastowatch.cli.tables import ago, plain, print_json, print_table, span, to_json
from mastowatch.config import Loaded
from mastowatch.jobs.context import View
from mastowatch.jobs.failure_names import brief
from mastowatch.jobs.listing import LIMIT_MAX, JobFilter, JobPage, list_jobs
from mastowatch.jobs.records import JobRow

_HEADS = ("id", "status", "queue", "when", "took", "error")


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Print a page, or all pages."""
    return answer(loaded, lambda view: _list(view, arguments))


def _list(view: View, arguments: argparse.Namespace) -> int:
    where = job_filter(arguments, view.clock())
    for page in _pages(view, where, arguments):
        if not arguments.json:
            _print(page, view.clock(), follows=not arguments.all)
        elif arguments.all:
            for row in page.jobs:
                print(to_json(row))
        else:
            print_json(page)
    return 0


def _pages(view: View, where: JobFilter, arguments: argparse.Namespace) -> Iterator[JobPage]:
    """Yield the page asked for; with ``--all`` those after it too. A page may be empty, with more behind it."""
    cursor, limit = arguments.cursor, LIMIT_MAX if arguments.all else arguments.limit
    while True:
        page = list_jobs(view.redis, view.clock(), where, limit=limit, cursor=cursor)
        cursor = page.next_cursor
        if page.jobs or cursor is None or not arguments.all:
            yield page
        if cursor is None or not arguments.all:
            return


def _print(page: JobPage, now: float, *, follows: bool) -> None:
    if page.jobs:
        print_table(_HEADS, [_row(one, now) for one in page.jobs], right=("took",))
    elif page.next_cursor is None or follows:
        print("No job found." if page.next_cursor is None else f"No job found among {page.scanned} looked through.")
    if page.next_cursor is not None and follows:
        of = page.total if page.exact else f"at most {page.total}"
        print(f"{page.count} of {of}; the next ones: --cursor {page.next_cursor}")


def _row(one: JobRow, now: float) -> tuple[str, ...]:
    return (one.id, one.status, one.queue, _when(one, now), span(one.duration_s), plain(brief(one.error or "")))


def _when(one: JobRow, now: float) -> str:
    if one.due_at is not None and one.ended_at is None:
        return ago(one.due_at, now)
    return ago(one.ended_at or one.started_at or one.enqueued_at or one.created_at, now)
