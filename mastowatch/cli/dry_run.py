"""``mastowatch dry-run on|off|status``: the switch that has reports only rehearsed."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from mastowatch.cli.records import answer, change
from mastowatch.cli.tables import moment, plain
from mastowatch.config import Loaded
from mastowatch.jobs.actions import Actions
from mastowatch.jobs.context import View

_AWAY = "until then nothing is reported"


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Switch it, or say how it stands."""
    if arguments.action == "status":
        return answer(loaded, _tell, away=_AWAY)

    def act(view: View, actions: Actions) -> int:
        actions.set_dry_run(on=arguments.action == "on")
        return _tell(view)

    return change(loaded, act, away=_AWAY)


def _tell(view: View) -> int:
    state = view.switches.state("dry_run")
    if state is not None and state.on:
        print(f"dry run: on since {moment(datetime.fromtimestamp(state.at, UTC))} by {plain(state.by)}")
        if view.settings.dry_run:
            print("DRY_RUN is true in the settings as well, so reports are only rehearsed whatever the switch says")
    elif view.settings.dry_run:
        print("dry run: on, as DRY_RUN is true in the settings (the switch is off)")
    else:
        print("dry run: off")
    return 0
