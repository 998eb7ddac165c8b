"""``mastowatch setup``, from the first question to what doctor says of the result."""

from __future__ import annotations

import argparse
import socket
import sys
from pathlib import Path

from mastowatch.cli import doctor
from mastowatch.cli.setup import dashboard, doing, server, token, units, webhooks, which_redis
from mastowatch.cli.setup.begin import Setup, alone, begin
from mastowatch.cli.setup.places import Places
from mastowatch.cli.setup.stopping import CutOff, Refused
from mastowatch.config import Sources
from mastowatch.errors import ConfigError, MastodonError

EXIT_NO, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def run(sources: Sources, arguments: argparse.Namespace, places: Places | None = None) -> int:
    """Ask, check, say what will be written, write it; 1 where something is not as it must be, then or at the end."""
    places = places or Places.of(sources.file)
    with alone(places):
        return _run(begin(arguments, places), sources)


def _run(setup: Setup, sources: Sources) -> int:
    if setup.talk.asks and setup.first:
        setup.talk.say(
            "This sets up MastoWatch. What stands in [brackets] is taken by Enter. Nothing is written before you have "
            "seen all of it and said yes; Ctrl-C ends it before that."
        )
    kept: str | None = None
    try:
        found = _asked(setup)
        kept = found.secrets.get("access_token") if found else None
    except (KeyboardInterrupt, EOFError):
        print("\nNothing was changed.")
        return EXIT_INTERRUPTED
    except Refused as error:
        print(f"mastowatch: {error}. Nothing was changed.", file=sys.stderr)
        return EXIT_NO
    finally:
        setup.plan.give_back(but=kept)
    if found is None:
        print("Nothing was changed.")
        return EXIT_NO
    return _done(setup, found, sources)


def _asked(setup: Setup) -> doing.Changes | None:
    """Return what is to be done; None after a no."""
    if setup.first or setup.told or setup.talk.asks:
        for question in (server, token, which_redis, webhooks, dashboard, units):
            question.ask(setup)
    dry_run = setup.arguments.dry_run
    if setup.first:
        if dry_run is False:
            raise ConfigError(
                "--no-dry-run: not at the first set-up; look at what the rules would do, then say it again"
            )
        setup.set("DRY_RUN", "true")
    elif dry_run is not None:
        setup.set("DRY_RUN", str(dry_run).lower())
    found = doing.changes(setup)
    if not found.any:
        return found
    setup.talk.head("This will be done:")
    if setup.talk.asks:
        for line in doing.planned(setup, found):
            print(f"  {line}")
        if not setup.talk.confirm("Go on?", default=True):
            return None
    return found


def _done(setup: Setup, found: doing.Changes, sources: Sources) -> int:
    try:
        all_run = doing.do(setup, found)
    except CutOff as error:
        _tell_left(error)
        return EXIT_NO
    except (KeyboardInterrupt, ConfigError, MastodonError) as error:
        if setup.kept("access_token") != found.secrets.get("access_token"):
            setup.plan.give_back(but=None)  # it has not come to its file: nobody will use it
        told = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
        print(f"mastowatch: {told}. What is told above is done; run this again for the rest.", file=sys.stderr)
        return EXIT_NO
    for hint in setup.plan.hints:
        setup.talk.say(hint)
    if setup.settings.dry_run:
        setup.talk.say("MastoWatch rehearses: it judges and shows, and reports nobody until DRY_RUN is turned off.")
    elif found.values.get("DRY_RUN") == "false":
        setup.talk.say("MastoWatch reports from now on. The way back, at once and everywhere: mastowatch dry-run on")
    if setup.first and setup.places.units:
        setup.talk.say(f"Look at the first cases in a while: mastowatch cases, or {_dashboard(setup)}")
        setup.talk.say("When you like what you see: mastowatch setup --no-dry-run")
    if not doing.starts(setup):
        config = "" if setup.places.units else f" --config {setup.places.env}"
        setup.talk.say("When it runs, see whether all is well:")
        setup.talk.show(f"mastowatch{config} doctor")
        return 0
    return 0 if _is_well(sources.file) and all_run else EXIT_NO


def _tell_left(cut: CutOff) -> None:
    done = "All is written" if cut.written else "What is told above is done; run this again for the rest"
    if not cut.left:
        print(f"mastowatch: {cut}. {done}; whether all runs, says: mastowatch doctor", file=sys.stderr)
        return
    when = "" if cut.written else " after that"
    print(f"mastowatch: {cut}. {done}. Left to do{when}, in this order:", file=sys.stderr)
    for words in cut.left:
        print(f"    {' '.join(words)}", file=sys.stderr)


def _dashboard(setup: Setup) -> str:
    """Return where the dashboard is, for somebody who sits at another machine."""
    settings = setup.settings
    if settings.dashboard_url and not settings.dashboard_url.startswith("http://"):
        return settings.dashboard_url
    tunnel = f"ssh -L {settings.dashboard_bind.port}:{settings.dashboard_bind} {socket.gethostname()}"
    return f"{settings.dashboard_url or f'http://{settings.dashboard_bind}'} (from your own machine after `{tunnel}`)"


def _is_well(file: Path | None) -> bool:
    print("\nmastowatch doctor:", flush=True)
    asked = argparse.Namespace(check=None, json=False, quiet=False)
    try:
        return doctor.run(Sources({}, file), asked) < doctor.EXIT["failure"]
    except KeyboardInterrupt:
        print("mastowatch: interrupted while it looked; all is done", file=sys.stderr)
        return False
