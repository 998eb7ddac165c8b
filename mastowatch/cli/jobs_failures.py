"""``mastowatch jobs failures``: failed jobs by what they failed of."""

from __future__ import annotations

import argparse

from mastowatch.cli.records import answer
from mastowatch.cli.tables import ago, print_json, print_table
from mastowatch.config import Loaded
from mastowatch.jobs.context import View
from mastowatch.jobs.failure_names import whole_name
from mastowatch.jobs.failures import FailureGroups, failure_groups

_HEADS = ("count", "last", "functions", "example", "error")


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Print a line an error, the most frequent first."""
    return answer(loaded, lambda view: _list(view, arguments))


def _list(view: View, arguments: argparse.Namespace) -> int:
    found = failure_groups(view.redis, view.clock(), queue=arguments.queue)
    if arguments.json:
        print_json(found)
    elif not found.groups:
        print("No failed jobs.")
    else:
        _print(found, view.clock())
    return 0


def _print(found: FailureGroups, now: float) -> None:
    rows = [
        (
            str(one.count),
            ago(one.last_at, now),
            ", ".join(name.rpartition(".")[2] for name in one.functions),
            one.example_id,
            whole_name(one.error.rpartition(".")[2], one.message),
        )
        for one in found.groups
    ]
    print_table(_HEADS, rows, right=("count",))
    if found.next_cursor is not None:
        print(f"These are the newest {found.scanned} of {found.total}.")
