"""``mastowatch jobs queues|pause|resume``: how the queues stand, and whether workers take their jobs."""

from __future__ import annotations

import argparse
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from mastowatch.cli.records import answer, change
from mastowatch.cli.tables import NOTHING, print_json, print_table, span, tell
from mastowatch.config import Loaded
from mastowatch.jobs.actions import Actions
from mastowatch.jobs.context import View
from mastowatch.jobs.listing import all_queues
from mastowatch.jobs.refusals import WrongState
from mastowatch.reliable.facts import QueueFacts, queue_facts

_HEADS = ("queue", "waiting", "oldest", "running", "delayed", "failed", "finished", "workers", "paused by")


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Print a line a queue, the most urgent first."""
    return answer(loaded, lambda view: _list(view, arguments))


def pause(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Have no worker take its jobs; paused already, it stays so."""
    return change(loaded, lambda _, actions: _pause(actions, arguments))


def resume(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Let workers take its jobs again."""
    return change(loaded, lambda _, actions: _resume(actions, arguments))


def _pause(actions: Actions, arguments: argparse.Namespace) -> int:
    with suppress(WrongState):
        actions.pause_queue(arguments.queue)
    tell(arguments, f"{arguments.queue}: paused", {"queue": arguments.queue, "paused": True})
    return 0


def _resume(actions: Actions, arguments: argparse.Namespace) -> int:
    with suppress(WrongState):
        actions.resume_queue(arguments.queue)
    tell(arguments, f"{arguments.queue}: not paused", {"queue": arguments.queue, "paused": False})
    return 0


def _list(view: View, arguments: argparse.Namespace) -> int:
    facts = queue_facts(view.redis, all_queues(view.redis), view.clock())
    if arguments.json:
        print_json({"queues": [_document(one) for one in facts]})
        return 0
    print_table(_HEADS, [_row(one) for one in facts], right=_HEADS[1:8])
    return 0


def _document(one: QueueFacts) -> dict[str, Any]:
    """Return it with the API's names, without the API."""
    paused = {"by": one.paused.by, "at": datetime.fromtimestamp(one.paused.at, UTC)} if one.paused else None
    return {**asdict(one), "paused": paused}


def _row(one: QueueFacts) -> tuple[str, ...]:
    counts = (one.started, one.scheduled, one.failed, one.finished_total, one.workers)
    oldest = span(one.oldest_s) if one.depth else NOTHING
    return (one.name, str(one.depth), oldest, *map(str, counts), one.paused.by if one.paused else NOTHING)
