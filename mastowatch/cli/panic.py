"""``mastowatch panic on|off|status``: the switch that halts all work at once."""

from __future__ import annotations

import argparse

from mastowatch.cli.records import answer, change
from mastowatch.config import Loaded
from mastowatch.jobs.actions import Actions
from mastowatch.jobs.context import View

_AWAY = "until then nothing runs"


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Switch it, or say how it stands; 1 if Redis can't be reached, which stops all work as well."""
    if arguments.action == "status":
        return answer(loaded, _tell, away=_AWAY)

    def act(view: View, actions: Actions) -> int:
        actions.set_panic_stop(on=arguments.action == "on")
        return _tell(view)

    return change(loaded, act, away=_AWAY)


def _tell(view: View) -> int:
    print(f"panic stop: {view.switches.describe_panic_stop()}")
    if view.settings.panic_stop:
        print("PANIC_STOP is true in the settings, so all work is stopped whatever the switch says")
    return 0
