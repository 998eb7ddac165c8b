"""``mastowatch panic on|off|status``: the switch that halts all work at once."""

from __future__ import annotations

import argparse
import getpass
import sys

from mastowatch.config import Loaded
from mastowatch.errors import LayoutUnready, StoreUnavailable
from mastowatch.jobs.actions import Actions
from mastowatch.jobs.context import connect, ensure_layout, view
from mastowatch.logs import set_up


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Switch it, or say how it stands; 1 if Redis can't be reached, which stops all work as well."""
    # What it does is printed for a person, and in the audit; the event is for the API's journal.
    set_up("error")
    redis = connect(loaded)
    where = view(loaded, redis)
    try:
        if arguments.action != "status":
            with ensure_layout(redis):
                by = f"{getpass.getuser()} on the command line"
                Actions(where, by).set_panic_stop(on=arguments.action == "on")
        print(f"panic stop: {where.switches.describe_panic_stop()}")
    except LayoutUnready as error:
        print(f"mastowatch: {error}", file=sys.stderr)
        return 1
    except StoreUnavailable as error:
        print(f"mastowatch: {error}; while Redis is away nothing runs", file=sys.stderr)
        return 1
    return 0
