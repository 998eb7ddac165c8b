"""``mastowatch setup``, from the first question to what doctor says of the result."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mastowatch.cli import doctor
from mastowatch.cli.setup import dashboard, doing, server, token, units, webhooks, which_redis
from mastowatch.cli.setup.begin import Setup, begin
from mastowatch.cli.setup.places import Places
from mastowatch.cli.setup.stopping import Refused
from mastowatch.config import Sources
from mastowatch.errors import ConfigError, MastodonError

EXIT_NO, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def run(sources: Sources, arguments: argparse.Namespace, places: Places | None = None) -> int:
    """Ask, check, say what will be written, write it; 1 where something is not as it must be, then or at the end."""
    setup = begin(arguments, places or Places.of(sources.file))
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
    except (KeyboardInterrupt, ConfigError, MastodonError) as error:
        told = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
        print(f"mastowatch: {told}. What is told above is done; run this again for the rest.", file=sys.stderr)
        return EXIT_NO
    for hint in setup.plan.hints:
        setup.talk.say(hint)
    if setup.settings.dry_run:
        setup.talk.say("MastoWatch rehearses: it judges and shows, and reports nobody until DRY_RUN is turned off.")
    if not doing.starts(setup):
        config = "" if setup.places.units else f" --config {setup.places.env}"
        setup.talk.say("When it runs, see whether all is well:")
        setup.talk.show(f"mastowatch{config} doctor")
        return 0
    return 0 if _is_well(sources.file) and all_run else EXIT_NO


def _is_well(file: Path | None) -> bool:
    print("\nmastowatch doctor:", flush=True)
    asked = argparse.Namespace(check=None, json=False, quiet=False)
    return doctor.run(Sources({}, file), asked) < doctor.EXIT["failure"]
