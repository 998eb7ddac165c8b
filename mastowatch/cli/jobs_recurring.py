"""``mastowatch jobs recurring``: the recurring jobs, and what can be done about them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import suppress

from mastowatch.cli.jobs_filter import length
from mastowatch.cli.records import answer, change
from mastowatch.cli.tables import ago, print_json, print_table, span, tell
from mastowatch.config import Loaded
from mastowatch.jobs.actions import Actions
from mastowatch.jobs.context import View
from mastowatch.jobs.recurrence import RecurringRow, recurring_rows, scheduler_alive
from mastowatch.jobs.refusals import WrongState
from mastowatch.jobs.scheduler import recurring_jobs

_HEADS = ("task", "every", "next", "last", "status", "took", "skipped", "changed by")


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Print a line a job."""
    return answer(loaded, lambda view: _list(view, arguments))


def resume(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Let it run again, from its next tick on."""
    return _changed(loaded, arguments, lambda actions: actions.resume_recurring(arguments.task), paused=False)


def pause(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Let its ticks pass without a run."""
    return _changed(loaded, arguments, lambda actions: actions.pause_recurring(arguments.task), paused=True)


def interval(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Have it run so often from now on, or as the settings say."""

    def act(view: View, actions: Actions) -> int:
        every_s = None if arguments.every == "settings" else length("interval", arguments.every)
        actions.set_interval(arguments.task, every_s)
        if arguments.json:
            print_json(next(one for one in _rows(view) if one.id == arguments.task))
        else:
            print(f"{arguments.task}: runs {'as the settings say' if every_s is None else f'every {every_s} s'}")
        return 0

    return change(loaded, act)


def reschedule(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Plan all of them anew, now."""

    def act(_: View, actions: Actions) -> int:
        ids = actions.reschedule()
        tell(arguments, "\n".join(f"{job_id}: planned for now" for job_id in ids), {"ids": ids})
        return 0

    return change(loaded, act)


def _changed(loaded: Loaded, arguments: argparse.Namespace, act: Callable[[Actions], None], *, paused: bool) -> int:
    """Do it; where it is so already, it stays so."""

    def act_and_tell(_: View, actions: Actions) -> int:
        with suppress(WrongState):
            act(actions)
        said = f"{arguments.task}: {'paused' if paused else 'not paused'}"
        tell(arguments, said, {"id": arguments.task, "paused": paused})
        return 0

    return change(loaded, act_and_tell)


def _list(view: View, arguments: argparse.Namespace) -> int:
    rows = _rows(view)
    if arguments.json:
        print_json({"jobs": rows, "count": len(rows)})
        return 0
    print_table(_HEADS, [_row(one, view.clock()) for one in rows], right=("every", "took", "skipped"))
    if not scheduler_alive(view.redis):
        print("No scheduler leads, so none of them runs; start one: systemctl start mastowatch-scheduler")
    return 0


def _rows(view: View) -> list[RecurringRow]:
    return recurring_rows(view.redis, recurring_jobs(view.settings), view.clock())


def _row(one: RecurringRow, now: float) -> tuple[str, ...]:
    return (
        one.id,
        span(one.interval_s) if one.interval_s >= 120 else f"{one.interval_s} s",
        "paused" if one.paused else ago(one.next_run_at, now),
        ago(one.last_run_at, now),
        one.last_status or "",
        span(one.last_duration_s),
        str(one.skipped),
        one.changed_by or "",
    )


def run_now(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Queue a run right now, beside its plan; 1 if the last one still waits or runs."""

    def act(_: View, actions: Actions) -> int:
        job_id = actions.run_recurring(arguments.task)
        tell(arguments, f"{job_id}: queued", {"id": job_id, "status": "queued"})
        return 0

    return change(loaded, act)
