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
    else:
        print("dry run: off")
    if view.settings.dry_run:
        print("DRY_RUN is true in the settings, so reports are only rehearsed whatever the switch says")
    return 0
