"""``mastowatch audit``: what was decided, and what people did, newest first."""

from __future__ import annotations

import argparse

from mastowatch.cli.records import answer
from mastowatch.cli.tables import ago, print_json, print_table
from mastowatch.config import Loaded
from mastowatch.jobs.audit_view import AuditRow, read_audit
from mastowatch.jobs.context import View

_HEADS = ("when", "event", "outcome", "account", "by", "why")


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Print a page of it."""
    return answer(loaded, lambda view: _list(view, arguments))


def _list(view: View, arguments: argparse.Namespace) -> int:
    page = read_audit(
        view,
        limit=arguments.limit,
        cursor=arguments.cursor,
        event=arguments.event,
        account_id=arguments.account,
        by=arguments.by,
    )
    if arguments.json:
        print_json(page)
        return 0
    if page.entries:
        print_table(_HEADS, [_row(one, view.clock()) for one in page.entries])
    else:
        print(f"Nothing found among {page.scanned} entries looked through.")
    if page.next_cursor is not None:
        print(f"{page.count} of at most {page.total}; the next ones: --cursor {page.next_cursor}")
    return 0


def _row(one: AuditRow, now: float) -> tuple[str, ...]:
    return (ago(one.at, now), one.event, one.outcome, one.acct or one.account_id, one.by, one.why)
