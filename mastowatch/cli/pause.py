"""``mastowatch pause`` and ``resume``: no worker on any machine takes a job, for maintenance."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from typing import Any

from mastowatch.cli.records import answer, change
from mastowatch.cli.tables import moment, plain, tell
from mastowatch.config import Loaded
from mastowatch.domain.wording import count
from mastowatch.jobs import maintenance
from mastowatch.jobs.actions import Actions
from mastowatch.jobs.context import View
from mastowatch.jobs.maintenance import Busy
from mastowatch.jobs.queue_control import paused_queues

LOOK_S = 0.5  # between two looks at what runs
EXIT_INTERRUPTED = 130


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Pause all queues, or tell how it stands; with ``--wait`` ends when nothing runs any more."""
    if arguments.status:
        return answer(loaded, lambda view: _tell(view, arguments))

    def act(view: View, actions: Actions) -> int:
        actions.pause_all(maintenance.checked(arguments.reason))
        if arguments.wait and not _wait(view):
            return EXIT_INTERRUPTED
        return _tell(view, arguments)

    return change(loaded, act)


def resume(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Resume what was paused, and tell what stays paused."""

    def act(view: View, actions: Actions) -> int:
        resumed = actions.resume_all()
        left = sorted(paused_queues(view.redis))
        told = f"work goes on: {', '.join(resumed)} resumed" if resumed else "work was not paused"
        if left:
            told += f"; still paused, by themselves: {', '.join(left)} (mastowatch jobs resume QUEUE)"
        tell(arguments, told, {"resumed": list(resumed), "still_paused": left})
        return 0

    return change(loaded, act)


def _wait(view: View) -> bool:
    """Wait until no worker has a job in hand, and say what it waits for; False after Ctrl-C: it stays paused."""
    told = ""
    try:
        while busy := maintenance.busy(view.redis):
            waits_for = _waits_for(busy)
            if waits_for != told:
                print(f"waiting for {waits_for}", file=sys.stderr, flush=True)
                told = waits_for
            time.sleep(LOOK_S)
    except KeyboardInterrupt:
        print("\nno longer waiting; it stays paused until `mastowatch resume`", file=sys.stderr)
        return False
    return True


def _waits_for(busy: Busy) -> str:
    jobs = ", ".join(f"job {plain(one.job_id)} of worker {plain(one.worker)}" for one in busy.running)
    return jobs or f"what follows the end of {count(busy.follow_ups, 'job')}"


def _tell(view: View, arguments: argparse.Namespace) -> int:
    pause, busy = maintenance.all_paused(view.redis), maintenance.busy(view.redis)
    others = {name: one for name, one in paused_queues(view.redis).items() if not pause or name not in pause.queues}
    lines = [_headline(pause)] if pause else ["not paused for maintenance"]
    lines += [f"queue {plain(name)}: paused by {plain(one.by)}" for name, one in sorted(others.items())]
    if pause:
        lines.append(f"still running: {_waits_for(busy)}" if busy else "nothing runs")
    lines += [
        f"job {plain(one.job_id)} was with worker {plain(one.worker)}, which is gone: another worker will put it back"
        for one in busy.in_hand
        if not one.alive
    ]
    tell(arguments, "\n".join(lines), _document(pause, sorted(others), busy))
    return 0


def _headline(pause: maintenance.AllPaused) -> str:
    since = moment(datetime.fromtimestamp(pause.at, UTC))
    reason = f": {plain(pause.reason)}" if pause.reason else ""
    return f"paused for maintenance since {since} by {plain(pause.by)}{reason}"


def _document(pause: maintenance.AllPaused | None, others: list[str], busy: Busy) -> dict[str, Any]:
    told = None
    if pause is not None:
        at = datetime.fromtimestamp(pause.at, UTC)
        told = {"by": pause.by, "at": at, "reason": pause.reason, "queues": list(pause.queues)}
    running = [{"job": one.job_id, "worker": one.worker} for one in busy.running]
    return {"maintenance": told, "paused_queues": others, "running": running, "follow_ups": busy.follow_ups}
