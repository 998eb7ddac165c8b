"""What is there before the first question: the settings, the secrets, the terminal, and which flags were given."""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from mastowatch.cli.setup.parser import WISHES
from mastowatch.cli.setup.places import Places
from mastowatch.cli.setup.plan import Plan
from mastowatch.cli.setup.talking import Talk
from mastowatch.config import Loaded, Settings, Sources
from mastowatch.config.loading import SECRETS, examine
from mastowatch.errors import ConfigError

# What has no default: without these there is nothing to set up.
_NEEDED = (
    ("server", "--instance https://your.server"),
    ("token", "--access-token-file FILE (or --authorize)"),
)


@dataclass
class Setup:
    """One run. ``first``: nothing has been set up here yet. ``told``: some flag asks for a change."""

    arguments: argparse.Namespace
    places: Places
    loaded: Loaded
    talk: Talk
    first: bool
    told: bool
    # The server that the token which is there was made by; "" where the settings named none.
    old_server: str = ""
    plan: Plan = field(default_factory=Plan)

    @property
    def settings(self) -> Settings:
        """The settings as they stand, or as they will be as far as that is known."""
        return self.loaded.settings

    @property
    def asks(self) -> bool:
        """Whether to ask what no flag says: somebody is there, and has not asked for something in particular."""
        return self.talk.asks and (self.first or not self.told)

    @property
    def server(self) -> str:
        """Address of the Mastodon server, "" while it is not known."""
        return self.plan.values.get("INSTANCE_BASE", self.settings.instance_base)

    def kept(self, name: str) -> str | None:
        """Return the secret that is there, None for none."""
        try:
            return self.loaded.secret(name)
        except ConfigError:
            return None  # named in the settings, and not there yet

    def secret_path(self, name: str) -> Path:
        """Return the file of the secret called ``name``."""
        named: Path | None = getattr(self.settings, SECRETS[name])
        return named or self.places.secret(name)

    def set(self, name: str, value: str) -> None:
        """Plan a value for a setting; raises ConfigError if it is not allowed."""
        # With all that is planned: some values are only allowed together.
        planned = {**self.plan.values, name: value}
        loaded, faults = examine(Sources({}, self.loaded.sources.file, planned))
        if loaded is None:
            raise ConfigError(faults[0].removeprefix("command line: "))
        self.plan.values[name] = loaded.settings.as_text()[name]
        self.loaded = replace(loaded, credentials=self.loaded.credentials)

    @contextmanager
    def trying(self) -> Iterator[Callable[[], None]]:
        """Take back what is planned in a block, unless it calls what it is given."""
        before, values, secrets = self.loaded, dict(self.plan.values), dict(self.plan.secrets)
        good: list[bool] = []
        yield lambda: good.append(True)
        if not good:
            self.loaded, self.plan.values, self.plan.secrets = before, values, secrets


@contextmanager
def alone(places: Places) -> Iterator[None]:
    """Be the only one that sets up here; raises ConfigError where another does. It ends with the process at latest."""
    try:
        # What only those can open who may set up: nobody else can keep them from it.
        handle = os.open(places.credentials, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # not made yet, or told of later
        yield
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise ConfigError("another setup is under way here; wait until it has ended, and run this again") from error
    finally:
        os.close(handle)


def begin(arguments: argparse.Namespace, places: Places) -> Setup:
    """Find out what is there; raises ConfigError if it can't be gone on from there, or if some flag lacks."""
    if os.geteuid() != 0 and places.units:
        raise ConfigError("setup writes files that are root's alone, and starts units: run it with sudo")
    loaded = _loaded(places, arguments)
    _check_flags(arguments)
    told = any(getattr(arguments, name) not in (None, False) for name in WISHES) or _off(arguments)
    talk = Talk(asks=sys.stdin.isatty() and not arguments.yes)
    setup = Setup(arguments, places, loaded, talk, first=True, told=told, old_server=loaded.settings.instance_base)
    has_token = setup.kept("access_token") is not None
    setup.first = not (has_token and loaded.settings.instance_base)
    if not talk.asks:
        _check_enough(setup, has_token=has_token)
    return setup


def _loaded(places: Places, arguments: argparse.Namespace) -> Loaded:
    # One that is not there yet is made in the end, and reads as an empty one.
    file = places.env if places.env.exists() else Path(os.devnull)
    # A wrong address in the file is mended by another.
    overrides = {"INSTANCE_BASE": arguments.server} if arguments.server else {}
    loaded, faults = examine(Sources({}, file, overrides))
    if loaded is None:
        raise ConfigError("; ".join(faults))
    if not overrides:
        return replace(loaded, credentials=places.credentials)
    # As it stands in the file, for what has changed to be seen.
    stands, _ = examine(Sources({}, file))
    return replace(stands or loaded, credentials=places.credentials)


def _off(arguments: argparse.Namespace) -> bool:
    """Tell whether a flag asks for something to be off: --no-stream."""
    return any(getattr(arguments, name) is False for name in ("webhooks", "stream", "dry_run"))


def _check_flags(arguments: argparse.Namespace) -> None:
    files = ("access_token_file", "code_file", "redis_password_file", "webhook_secret_file", "dashboard_password_file")
    from_input = [f"--{name.replace('_', '-')}" for name in files if getattr(arguments, name) == "-"]
    if len(from_input) > 1:
        raise ConfigError(f"command line: {' and '.join(from_input)} can't both be read from standard input")
    if arguments.code_file and not arguments.authorize:
        raise ConfigError("command line: --code-file is the code that comes of --authorize; give both")
    if arguments.webhooks is False and arguments.webhook_secret_file:
        raise ConfigError("command line: --no-webhooks and --webhook-secret-file are not for each other")
    if arguments.redis == "private" and arguments.redis_password_file:
        raise ConfigError("command line: --redis private has no password; leave --redis-password-file out")
    way = arguments.dashboard
    if arguments.dashboard_password_file and (way or [""])[0] != "password":
        raise ConfigError("command line: --dashboard-password-file is for --dashboard password NAME; give both")
    if way and (way[0], len(way)) not in (("mastodon", 1), ("none", 1), ("password", 2)):
        raise ConfigError("command line: --dashboard takes `mastodon`, `none`, or `password` and a name")


def _check_enough(setup: Setup, *, has_token: bool) -> None:
    """Raise ConfigError that names the flags without which nothing can be done while nobody answers."""
    arguments = setup.arguments
    has = {
        "server": arguments.server or setup.settings.instance_base,
        "token": arguments.access_token_file or arguments.authorize or has_token,
    }
    lacks = [flag for name, flag in _NEEDED if not has[name]]
    if arguments.authorize and not arguments.code_file and not sys.stdin.isatty():
        lacks.append("--code-file FILE|- (with --authorize)")
    if arguments.dashboard and arguments.dashboard[0] == "password" and not arguments.dashboard_password_file:
        lacks.append("--dashboard-password-file FILE")
    if not arguments.yes and (setup.told or setup.first):
        lacks.append("--yes (there is no terminal to ask at)")
    if lacks:
        raise ConfigError(f"nothing was changed; give these as well: {', '.join(lacks)}")
