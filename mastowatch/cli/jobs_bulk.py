"""``mastowatch jobs bulk`` and ``empty-failed``: something done to many jobs, after a look at how many."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import cast

from mastowatch.cli.jobs_filter import job_filter
from mastowatch.cli.records import EXIT_NO, change, wanted
from mastowatch.cli.tables import print_json
from mastowatch.config import Loaded
from mastowatch.domain.wording import count
from mastowatch.jobs.actions import Actions, BulkAction, BulkResult
from mastowatch.jobs.bulk import DONE
from mastowatch.jobs.context import View
from mastowatch.jobs.refusals import BadParameter

_QUESTIONS = {"cancel": "Cancel", "requeue": "Queue again", "delete": "Delete", "run": "Run now"}
# One step, with or without changing anything, from where the one before has ended.
_Step = Callable[[bool, str | None], BulkResult]


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Do it to all that match."""

    def act(view: View, actions: Actions) -> int:
        where, action = job_filter(arguments, view.clock()), cast("BulkAction", arguments.action)
        if where.any and not arguments.all:
            raise BadParameter("name the jobs that are meant (like --status failed), or say --all")
        return _act(
            arguments,
            action,
            lambda dry, cursor: actions.bulk(action, where, dry_run=dry, cursor=cursor),
        )

    return change(loaded, act)


def empty_failed(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Delete the failed and stopped jobs of a queue, or of all."""
    return change(
        loaded,
        lambda _, actions: _act(
            arguments, "delete", lambda dry, _: actions.empty_failed(arguments.queue, dry_run=dry), again=False
        ),
    )


def _act(arguments: argparse.Namespace, action: str, step: _Step, *, again: bool = True) -> int:
    """Count, ask, and do it; 1 after a no. ``again``: whether a count goes on where the one before has ended."""
    found = _count(step) if again else step(True, None)
    told = f"{'more than ' if found.left else ''}{count(found.matched, 'job')}"
    if not found.matched and not found.left:
        _tell(arguments, found, "No job matches.")
        return 0
    if arguments.dry_run:
        _tell(arguments, found, f"{_QUESTIONS[action]}: {told}; none was changed.")
        return 0
    if not wanted(arguments, f"{_QUESTIONS[action]}: {told}. Go on?"):
        _tell(arguments, found, f"{_QUESTIONS[action]}: {told}; none was changed.")
        return EXIT_NO
    done = _do(step, math.inf if found.left else found.matched)
    skipped = f"; {done.skipped} could not be: they run, have moved, or recur" if done.skipped else ""
    _tell(arguments, done, f"{DONE[action].capitalize()}: {count(done.done, 'job')}{skipped}.")
    return 0


def _tell(arguments: argparse.Namespace, result: BulkResult, text: str) -> None:
    if arguments.json:
        print_json(result)
    else:
        print(text)


def _count(step: _Step) -> BulkResult:
    """Return what matches over all steps."""
    found = step(True, None)
    while found.left and found.next_cursor is not None:
        found = _sum(found, step(True, found.next_cursor))
    return found


def _do(step: _Step, most: float) -> BulkResult:
    """Do as many steps as it takes.

    Ends after ``most`` jobs: what is queued again may fail again. And where a step has found nothing that it could
    change.
    """
    done = step(False, None)
    while done.left and done.done < most:
        following = step(False, done.next_cursor)
        stuck = not following.done and following.next_cursor in (None, done.next_cursor)
        done = _sum(done, following)
        if stuck:
            break
    return done


def _sum(before: BulkResult, after: BulkResult) -> BulkResult:
    sums = {name: getattr(before, name) + getattr(after, name) for name in ("matched", "done", "skipped", "scanned")}
    return after.model_copy(update=sums)
