"""``mastowatch panic on|off|status``: the switch that halts all work at once."""

from __future__ import annotations

import argparse
import getpass
import sys
import time

from mastowatch.config import Loaded
from mastowatch.errors import LayoutUnready, StoreUnavailable
from mastowatch.jobs.context import connect, ensure_layout, view


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Switch it, or say how it stands; 1 if Redis can't be reached, which stops all work as well."""
    redis = connect(loaded)
    switches = view(loaded, redis).switches
    try:
        if arguments.action != "status":
            with ensure_layout(redis):
                switches.set_panic_stop(on=arguments.action == "on", by=getpass.getuser(), now=time.time())
        print(f"panic stop: {switches.describe_panic_stop()}")
    except LayoutUnready as error:
        print(f"mastowatch: {error}", file=sys.stderr)
        return 1
    except StoreUnavailable as error:
        print(f"mastowatch: {error}; while Redis is away nothing runs", file=sys.stderr)
        return 1
    return 0
