"""The arguments of ``mastowatch jobs ...``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from mastowatch.cli.names import BULK, PURGED, QUEUES, RECURRING, STATUSES, TASKS
from mastowatch.cli.parsing import Parser, add, later, number, suggest

_Actions = argparse._SubParsersAction  # noqa: SLF001 -- argparse has no public name for it


def add_jobs(group: argparse.ArgumentParser, config: Parser) -> None:
    """Add what can be seen and done about jobs."""
    actions = group.add_subparsers(required=True, metavar="ACTION")
    as_json = Parser(add_help=False)
    as_json.add_argument("--json", action="store_true", help="print JSON, with the API's names, for other programs")
    seen = [config, as_json]
    _add_reading(actions, seen)
    _add_changes(actions, seen)
    _add_queues(actions, seen)
    _add_recurring(actions, seen)
    _add_workers(actions, seen)
    one = add(actions, "watch", "show the counters as they change, until Ctrl-C", seen)
    one.add_argument("--interval", type=_seconds, default=1.0, metavar="SECONDS", help="time between two looks; 1")
    one.add_argument("--count", type=number, metavar="N", help="end after so many looks")
    one.set_defaults(run=later("jobs_watch"))


def _add_reading(actions: _Actions[Any], seen: Sequence[Parser]) -> None:
    one = add(actions, "list", "list jobs, all of them or those that match", seen)
    _add_filters(one)
    one.add_argument("--limit", type=number, default=50, metavar="N", help="so many at most, up to 200; 50")
    one.add_argument("--cursor", metavar="CURSOR", help="go on where the last list ended, which told this")
    one.add_argument("--all", action="store_true", help="go on to the last one; with --json a job a line")
    one.set_defaults(run=later("jobs_list"))
    one = add(actions, "show", "show a job with its arguments, result and attempts", seen)
    one.add_argument("id", metavar="ID", help="the job's id")
    one.set_defaults(run=later("jobs_show"))
    one = add(actions, "failures", "list the failures by error, the most frequent first", seen)
    _add_queue_option(one)
    one.set_defaults(run=later("jobs_failures"))


def _add_changes(actions: _Actions[Any], seen: Sequence[Parser]) -> None:
    for name, about in (
        ("cancel", "cancel jobs that wait, and have those that run stopped"),
        ("requeue", "queue jobs that have ended again"),
        ("delete", "delete jobs and what they left"),
        ("run", "bring jobs that wait, or are due later, to the front of their queues"),
    ):
        one = add(actions, name, about, seen)
        one.add_argument("ids", nargs="+", metavar="ID", help="ids of jobs")
        one.set_defaults(run=later("jobs_change"), action=name)
    one = add(actions, "bulk", "do the same to all jobs that match; shows how many, and asks", seen)
    one.add_argument("action", choices=BULK, help="what to do, as above")
    _add_filters(one)
    one.add_argument("--all", action="store_true", help="needed where no filter says which jobs are meant")
    _add_asking(one)
    one.set_defaults(run=later("jobs_bulk"))
    one = add(actions, "purge", "delete the records of jobs that ended long ago; shows how many, and asks", seen)
    about = "delete those that ended longer ago than that, like 7d or 12h"
    one.add_argument("--older-than", required=True, metavar="TIME", help=about)
    about = "these alone; failed are stopped ones, too; if not given, all that ended"
    one.add_argument("--status", choices=PURGED, help=about)
    _add_asking(one)
    one.set_defaults(run=later("jobs_purge"))
    one = add(actions, "trigger", "queue a task now", seen)
    one.add_argument("task", choices=TASKS, metavar="TASK", help=f"one of {', '.join(TASKS)}")
    about = "its arguments, like account_id=109302; several ids with commas between"
    one.add_argument("arguments", nargs="*", metavar="NAME=VALUE", help=about)
    one.set_defaults(run=later("jobs_trigger"))


def _add_queues(actions: _Actions[Any], seen: Sequence[Parser]) -> None:
    add(actions, "queues", "tell how each queue stands", seen).set_defaults(run=later("jobs_queues"))
    for name, about in (
        ("pause", "have no worker take jobs of a queue; what runs goes on"),
        ("resume", "let workers take its jobs again"),
    ):
        one = add(actions, name, about, seen)
        suggest(one.add_argument("queue", metavar="QUEUE", help="the queue's name"), QUEUES)
        one.set_defaults(run=later("jobs_queues", name))
    one = add(actions, "empty-failed", "delete the failed and stopped jobs; shows how many, and asks", seen)
    about = "of this queue; of all where none is named"
    suggest(one.add_argument("queue", nargs="?", metavar="QUEUE", help=about), QUEUES)
    _add_asking(one)
    one.set_defaults(run=later("jobs_bulk", "empty_failed"))


def _add_recurring(actions: _Actions[Any], seen: Sequence[Parser]) -> None:
    group = add(actions, "recurring", "list the recurring jobs, or change one", seen)
    group.set_defaults(run=later("jobs_recurring"))
    below = group.add_subparsers(metavar="ACTION")
    for name, about in (
        ("run", "run it now, beside its plan"),
        ("pause", "let its ticks pass without a run, until it is resumed"),
        ("resume", "let it run again"),
        ("interval", "change how often it runs"),
    ):
        one = add(below, name, about, seen)
        one.add_argument("task", choices=RECURRING, metavar="TASK", help=f"one of {', '.join(RECURRING)}")
        if name == "interval":
            about = "like 90, 5m or 2h; settings: as the settings say"
            suggest(one.add_argument("every", metavar="TIME|settings", help=about), ("settings",))
        one.set_defaults(run=later("jobs_recurring", "run_now" if name == "run" else name))
    one = add(below, "reschedule", "plan all of them anew, now", seen)
    one.set_defaults(run=later("jobs_recurring", "reschedule"))


def _add_workers(actions: _Actions[Any], seen: Sequence[Parser]) -> None:
    add(actions, "workers", "list the workers and what each does", seen).set_defaults(run=later("jobs_workers"))
    below = add(actions, "worker", "do something about one worker", []).add_subparsers(required=True, metavar="ACTION")
    one = add(below, "stop", "have it finish the job at hand and end; its unit stays stopped", seen)
    one.add_argument("name", metavar="NAME", help="its name, as `mastowatch jobs workers` tells")
    one.set_defaults(run=later("jobs_workers", "stop"))


def _add_filters(one: argparse.ArgumentParser) -> None:
    _add_queue_option(one)
    one.add_argument("--status", choices=STATUSES, metavar="STATUS", help=f"one of {', '.join(STATUSES)}")
    about = "the function's name, like analyze_and_maybe_report"
    suggest(one.add_argument("--function", metavar="NAME", help=about), TASKS)
    one.add_argument("--error", metavar="TEXT", help="text in the error's first line, in any case")
    one.add_argument("--text", metavar="TEXT", help="text in the id or the description, in any case")
    about = "a kind of failure: its error, a colon and a space, and its message, as `jobs failures --json` has them"
    one.add_argument("--failure", metavar="TEXT", help=about)
    about = "from then on, like 2h (ago) or 2026-03-01T12:00 (UTC): when it ended, is due, or was queued"
    one.add_argument("--since", metavar="TIME", help=about)
    one.add_argument("--until", metavar="TIME", help="until then")


def _add_asking(one: argparse.ArgumentParser) -> None:
    either = one.add_mutually_exclusive_group()
    either.add_argument("--dry-run", action="store_true", help="tell how many there are, and change nothing")
    either.add_argument("--yes", action="store_true", help="do it without asking")


def _add_queue_option(one: argparse.ArgumentParser) -> None:
    suggest(one.add_argument("--queue", metavar="QUEUE", help="this queue; all where none is named"), QUEUES)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; give 0.1 to 3600 seconds")
    return seconds
