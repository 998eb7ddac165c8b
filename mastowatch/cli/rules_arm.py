"""``mastowatch rules arm ID|all``: has what a breaker has dropped count again."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Sequence

from mastowatch.config import Loaded
from mastowatch.domain.wording import count
from mastowatch.errors import LayoutUnready, StoreUnavailable
from mastowatch.jobs.arming import ALL, Armed, arm
from mastowatch.jobs.context import connect, ensure_layout, view
from mastowatch.logs import set_up
from mastowatch.ports.types import EVERY_RULE


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Re-arm, and say what came of it; 1 if the rule named wasn't dropped, or Redis can't be reached."""
    # What it does is printed for a person, and in the audit; the event is for the API's journal.
    set_up("error")
    redis = connect(loaded)
    try:
        with ensure_layout(redis):
            where = view(loaded, redis)
            armed = arm(where, arguments.rule, f"{getpass.getuser()} (command line)")
            left = sorted(where.rule_switches.shadowed())
            paused = where.rule_switches.paused() is not None
    except (LayoutUnready, StoreUnavailable) as error:
        print(f"mastowatch: {error}; nothing was re-armed, or not all of it: try again", file=sys.stderr)
        return 1
    print(told(armed, arguments.rule, left))
    if paused:
        print("all reporting is paused, so nothing is filed; `mastowatch rules arm all` ends that")
    return 0 if armed.scopes or armed.queued or arguments.rule == ALL else 1


def told(armed: Armed, which: str, left: Sequence[str]) -> str:
    """Return what came of it, in a line; ``left`` are the rules that are dropped still."""
    names = ", ".join("all reporting" if one == EVERY_RULE else one for one in armed.scopes)
    what = f"re-armed: {names}" if names else "nothing is dropped"
    if not names and which != ALL:
        what = f"{which} is not dropped; " + (f"dropped are: {', '.join(left)}" if left else "no rule is")
    if not armed.queued:
        return what
    return f"{what}; held back and judged again now: {count(armed.queued, 'account')}"
