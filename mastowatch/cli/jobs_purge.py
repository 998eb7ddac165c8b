"""``mastowatch jobs purge``: deletes the records of jobs that ended long ago, after a look at how many."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace

from mastowatch.cli.jobs_filter import length
from mastowatch.cli.records import EXIT_NO, change, wanted
from mastowatch.cli.tables import tell
from mastowatch.config import Loaded
from mastowatch.domain.wording import count
from mastowatch.jobs.actions import Actions
from mastowatch.jobs.context import View
from mastowatch.jobs.purging import STATUSES, Purge, Purged

_EVERY = 50_000  # jobs looked at, between two lines that say how far it is


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Count them, ask, and delete them; 1 after a no."""
    older_s = length("--older-than", arguments.older_than)

    def act(view: View, actions: Actions) -> int:
        statuses = (arguments.status,) if arguments.status else STATUSES
        told = f"that ended ({', '.join(statuses)}) more than {arguments.older_than} ago"
        where = Purge(view.clock() - older_s, statuses, told)
        found = actions.purge(replace(where, dry_run=True))
        if not found.total or arguments.dry_run:
            return _tell(arguments, found, f"{count(found.total, 'job')} {told}; none was deleted", deleted=False)
        if not wanted(arguments, f"Delete {count(found.total, 'job')} {told}. Go on?"):
            _tell(arguments, found, f"{count(found.total, 'job')} {told}; none was deleted", deleted=False)
            return EXIT_NO
        done = actions.purge(where, _progress(found.total) if sys.stderr.isatty() else lambda _: None)
        by_status = ", ".join(f"{number} {status}" for status, number in done.deleted.items())
        gone = f"Deleted: {count(done.total, 'job')}{f' ({by_status})' if by_status else ''}"
        return _tell(arguments, done, gone, deleted=True)

    return change(loaded, act)


def _tell(arguments: argparse.Namespace, done: Purged, text: str, *, deleted: bool) -> int:
    document = {
        "deleted" if deleted else "would_delete": {status: done.deleted.get(status, 0) for status in STATUSES},
        "kept": dict(done.kept),
        "younger": done.younger,
    }
    tell(arguments, f"{text}{f'; {done.why_kept}' if done.kept else ''}.", document)
    return 0


def _progress(total: int) -> Callable[[Purged], None]:
    told = 0

    def show(done: Purged) -> None:
        nonlocal told
        if done.looked - told >= _EVERY:
            told = done.looked
            print(f"{done.total} of {total} deleted", file=sys.stderr, flush=True)

    return show
