"""``mastowatch jobs workers`` and ``jobs worker stop NAME``."""

from __future__ import annotations

import argparse

from mastowatch.cli.records import answer, change
from mastowatch.cli.tables import NOTHING, ago, print_json, print_table, span, tell
from mastowatch.config import Loaded
from mastowatch.jobs.actions import Actions
from mastowatch.jobs.context import View
from mastowatch.jobs.workforce import WorkerRow, read_workers, unit_of

_HEADS = ("worker", "state", "queues", "job", "heard", "up", "finished", "failed")


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Print a line a worker."""
    return answer(loaded, lambda view: _list(view, arguments))


def stop(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Have it finish the job at hand and end."""
    return change(loaded, lambda _, actions: _stop(actions, arguments))


def _stop(actions: Actions, arguments: argparse.Namespace) -> int:
    actions.stop_worker(arguments.name)
    unit = unit_of(arguments.name)
    said = f"{arguments.name}: finishes the job at hand and ends; {unit} stays stopped until it is started"
    tell(arguments, f"{said}: systemctl start {unit}", {"name": arguments.name, "status": "stopping"})
    return 0


def _list(view: View, arguments: argparse.Namespace) -> int:
    rows = read_workers(view.redis)
    if arguments.json:
        print_json({"workers": rows})
    elif rows:
        print_table(_HEADS, [_row(one, view.clock()) for one in rows], right=("up", "finished", "failed"))
    else:
        print("No worker is registered; start one: systemctl start mastowatch-worker@1")
    return 0


def _row(one: WorkerRow, now: float) -> tuple[str, ...]:
    return (
        one.name,
        one.state,
        ",".join(one.queues),
        one.current_job_id or "",
        ago(one.last_heartbeat, now),
        span(now - one.started_at.timestamp()) if one.started_at else NOTHING,
        str(one.finished),
        str(one.failed),
    )
