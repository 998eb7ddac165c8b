"""How a command reaches the records in Redis, says who asks, and tells in one line why something can't be done."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Callable
from dataclasses import replace

from redis import Redis
from redis.exceptions import RedisError

from mastowatch.cli.tables import plain
from mastowatch.config import Loaded
from mastowatch.config.loading import CREDENTIALS
from mastowatch.errors import LayoutUnready, StoreUnavailable
from mastowatch.jobs import context as contexts
from mastowatch.jobs.actions import Actions
from mastowatch.jobs.context import View
from mastowatch.jobs.refusals import BadParameter, Refusal
from mastowatch.logs import set_up
from mastowatch.redis_trouble import AWAY, CLOSED, NOT_ALLOWED, trouble

EXIT_NO, EXIT_USAGE = 1, 2
NAME_MAX = 64


def answer(loaded: Loaded, look: Callable[[View], int], *, away: str = "`mastowatch doctor` says what to do") -> int:
    """Return the exit status of ``look``, which is given the records; 1 with Redis away, which ``away`` explains."""
    # What is done is printed for a person, and stands in the audit; events are for the journal.
    set_up("error")
    try:
        with connect(loaded) as redis:
            return look(contexts.view(loaded, redis))
    except BadParameter as error:
        return refuse(str(error), EXIT_USAGE)
    except Refusal as error:
        return refuse(str(error))
    except LayoutUnready as error:
        return refuse(str(error))
    except (StoreUnavailable, RedisError) as error:
        return refuse(_why_away(error, away))


def change(
    loaded: Loaded, act: Callable[[View, Actions], int], *, away: str = "what was done until then is in the audit"
) -> int:
    """Do the same with what a command changes; the keys have the layout that this version knows, or nothing is done."""

    def look(view: View) -> int:
        with contexts.ensure_layout(view.redis):
            return act(view, Actions(view, by()))

    return answer(loaded, look, away=away)


def connect(loaded: Loaded) -> Redis:
    """Return a client with Redis' password, where this user may read it."""
    return contexts.connect(with_redis_password(loaded))


def with_redis_password(loaded: Loaded) -> Loaded:
    """Return the settings with the secrets of this machine, where the settings are its own and this user may read them.

    Elsewhere Redis may ask for no password; if it does, that is told.
    """
    if not loaded.of_this_machine or not os.access(CREDENTIALS, os.R_OK | os.X_OK):
        return loaded
    password = CREDENTIALS / "redis_password"
    return replace(loaded, credentials=CREDENTIALS) if os.access(password, os.R_OK) else loaded


def by() -> str:
    """Return who acts: the person behind sudo, or whoever is signed in."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in a container
        name = str(os.getuid())
    printable = "".join(one for one in name if one.isprintable())[:NAME_MAX]
    return f"{printable or os.getuid()} on the command line"


def refuse(why: str, status: int = EXIT_NO) -> int:
    """Say why it is not done, in a line, and return the exit status."""
    print(f"mastowatch: {plain(why)}", file=sys.stderr)
    return status


def wanted(arguments: argparse.Namespace, question: str) -> bool:
    """Ask a person; where none is, nothing is done without ``--yes``."""
    if arguments.yes:
        return True
    if not sys.stdin.isatty():
        print("Nothing was done; say --yes to do it without being asked.", file=sys.stderr)
        return False
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _why_away(error: Exception, away: str) -> str:
    found = trouble(error)
    if found in (CLOSED, NOT_ALLOWED):
        return "Redis asks for a password, or for another; run this command with sudo"
    if found is not AWAY:
        return f"{found.says}; {away}. See more: {found.mend}"
    told = str(error) if isinstance(error, StoreUnavailable) else f"Redis: {type(error).__name__}: {error}"
    return f"{told}; {away}"
