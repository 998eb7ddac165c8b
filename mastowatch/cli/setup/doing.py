"""Carries a plan out: says what will be done, does it, and says what was done, a line each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mastowatch.cli.setup import private_redis, units
from mastowatch.cli.setup.begin import Setup
from mastowatch.cli.setup.stopping import CutOff
from mastowatch.config import envfile
from mastowatch.config.loading import SECRETS, without_password
from mastowatch.config.writing import replace_file, rights_of_secret, set_values
from mastowatch.errors import ConfigError
from mastowatch.jobs.context import register_sign_in
from mastowatch.web.dashboard.access.oauth import CALLBACK

CLIENT = "oauth_client"
Words = list[str]


@dataclass(frozen=True)
class Changes:
    """What of a plan is not so already.

    ``made`` are files and directories of the private Redis, ``start_redis`` whether it does not run yet.
    """

    values: dict[str, str]
    secrets: dict[str, str | None]
    made: tuple[Path, ...]
    start_redis: bool
    on: tuple[str, ...]
    off: tuple[str, ...]
    register: bool
    # Whether units are started, or only those that run take the changes in.
    start: bool

    @property
    def any(self) -> bool:
        """Whether there is anything to do."""
        parts = (self.values, self.secrets, self.start_redis, self.on, self.off, self.register, self.start)
        return any(map(bool, parts))


def changes(setup: Setup) -> Changes:
    """Compare the plan with what is there."""
    places, plan = setup.places, setup.plan
    if not places.units:
        # Nobody hands these out: the settings say where they are.
        kept = {**plan.secrets, **({CLIENT: "to come"} if plan.register_dashboard else {})}
        for name, secret in kept.items():
            if secret is not None:
                setup.set(SECRETS[name].upper(), str(setup.secret_path(name)))
    now = envfile.read(places.env) if places.env.exists() else {}
    for name, secret in plan.secrets.items():
        if secret is None and getattr(setup.settings, SECRETS[name]) is not None:
            # The file may be somebody's; that nothing names it any more is enough.
            setup.set(SECRETS[name].upper(), "")
    made = private_redis.missing(places) if plan.private_redis else []
    on, off = units.to_enable(setup) if places.units else ([], [])
    return Changes(
        values={name: value for name, value in plan.values.items() if now.get(name) != value},
        secrets={name: secret for name, secret in plan.secrets.items() if setup.kept(name) != _stripped(secret)},
        made=tuple(made),
        start_redis=plan.private_redis and (bool(made) or not places.redis_socket.exists()),
        on=tuple(on),
        off=tuple(off),
        register=plan.register_dashboard,
        start=places.units and bool(setup.first or setup.arguments.start),
    )


def _stripped(secret: str | None) -> str | None:
    return secret.strip() if secret else None


def starts(setup: Setup) -> bool:
    """Tell whether commands are run, or only named."""
    return setup.places.units and setup.arguments.start is not False and units.is_there(setup.places)


def planned(setup: Setup, found: Changes) -> Iterator[str]:
    """Yield what will be done, a line each."""
    for path in found.made:
        yield f"make {path}"
    if found.register:
        yield f"register the dashboard with {setup.server}, and write {setup.secret_path(CLIENT)}"
    for name, secret in found.secrets.items():
        yield f"write {setup.secret_path(name)}, {_whose(setup)}" if secret else f"remove {setup.secret_path(name)}"
    for name, value in found.values.items():
        yield f"set {name}={without_password(value)} in {setup.places.env}"
    if starts(setup):
        for words in [*(private_redis.commands() if found.start_redis else ()), *commands(found)]:
            yield f"run {' '.join(words)}"


def do(setup: Setup, found: Changes) -> bool:
    """Do it all; returns whether all units that are to run do. Raises ConfigError, MastodonError or CutOff."""
    if not found.any:
        print("Nothing to change.")
        return True
    starting = starts(setup)
    secrets = dict(found.secrets)
    if found.register:
        # First, as the server may refuse.
        secrets[CLIENT] = _register(setup)
    if found.start_redis:
        _make_redis(setup, starting=starting)
    _write(setup, found, secrets, starting=starting)
    return _run(found, secrets) if starting else _leave(setup, found, secrets)


def _write(setup: Setup, found: Changes, secrets: dict[str, str | None], *, starting: bool) -> None:
    """Write all files; raises ConfigError while nothing is written, and CutOff after that."""
    written: dict[str, str | None] = {}
    try:
        for name in _write_secrets(setup, secrets):
            written[name] = secrets[name]
        for name in set_values(setup.places.env, found.values):
            print(f"set {name}={without_password(found.values[name])} in {setup.places.env}")
    except (KeyboardInterrupt, ConfigError) as error:
        anew = units.affected((), written)
        if setup.first or not (starting and anew):
            raise
        # The units read a secret when they start, and another run won't know that it is new.
        raise CutOff(_told(error), [["systemctl", "try-restart", *anew]], written=False) from error


def _told(error: BaseException) -> str:
    return "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)


def _register(setup: Setup) -> str:
    settings = setup.settings
    url = (settings.dashboard_url or f"http://{settings.dashboard_bind}").rstrip("/")
    client_id, secret, scope = register_sign_in(settings, f"{url}{CALLBACK}")
    print(f"registered the dashboard with {settings.instance_base}, which sends people back to {url}")
    return f"{client_id}\n{secret}\n{scope}"


def _make_redis(setup: Setup, *, starting: bool) -> None:
    for path in private_redis.make(setup.places):
        print(f"made {path}")
    if starting:
        for words in private_redis.commands():
            units.run(words)
            print(f"ran {' '.join(words)}")
        private_redis.wait_until_it_answers(setup.places)


def _write_secrets(setup: Setup, secrets: dict[str, str | None]) -> Iterator[str]:
    """Write them, and yield the name of each when it is there, or gone."""
    if secrets:
        _make_directory(setup.places.credentials)
    for name, secret in secrets.items():
        path = setup.secret_path(name)
        if secret is None:
            with suppress(FileNotFoundError):
                path.unlink()
            print(f"removed {path}")
        else:
            mode, owner = _rights(setup, path)
            replace_file(path, f"{secret.rstrip()}\n".encode(), mode=mode, owner=owner)
            print(f"wrote {path}, {_whose(setup)}")
        yield name


def _whose(setup: Setup) -> str:
    return "for root alone" if setup.places.units else "for its owner alone"


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
    except OSError as error:
        raise ConfigError(f"{path}: can't be made ({error.strerror}); run this as root") from error


def _rights(setup: Setup, path: Path) -> tuple[int, tuple[int, int] | None]:
    """Return mode and owner: root's alone, or of who could read it where the settings name a file elsewhere."""
    if path.parent == setup.places.credentials:
        return 0o600, (os.geteuid(), os.getegid())
    return rights_of_secret(path)


def commands(found: Changes) -> list[Words]:
    """Return what systemd must be told, in order."""
    told: list[Words] = []
    if found.start:
        told.append(["systemctl", "enable", units.TARGET, *found.on])
    elif found.on:
        told.append(["systemctl", "enable", "--now", *found.on])
    if found.off:
        told.append(["systemctl", "disable", "--now", *found.off])
    secrets = [*found.secrets, *([CLIENT] if found.register else [])]
    anew = units.affected(found.values, dict.fromkeys(secrets))
    if anew:
        told.append(["systemctl", "try-restart", *anew])
    if found.values and anew != units.ALL and not found.start:
        told.append(["systemctl", "reload", units.TARGET])
    if found.start:
        told.append(["systemctl", "start", units.TARGET])
    return told


def _run(found: Changes, secrets: dict[str, str | None]) -> bool:
    """Tell systemd; raises CutOff with what is left."""
    if units.affected(found.values, secrets):
        print("Workers that run finish the job at hand before they start anew.", flush=True)
    active = found.start or units.is_active(units.TARGET)
    todo = [words for words in commands(found) if active or "reload" not in words]
    for number, words in enumerate(todo):
        with _leaving(todo[number:]):
            units.run(words)
        print(f"ran {' '.join(words)}", flush=True)
    if not active:
        return True
    wanted = units.belonging()
    if found.start:
        # The target may have been there before, without what was not configured then.
        start = ["systemctl", "start", *wanted]
        with _leaving([start]):
            units.run(start)
    with _leaving([]):
        late = units.wait_until_active(wanted)
    for unit, state in late.items():
        print(f"{unit} is {state}: journalctl -u {unit} -n 20")
    if not late:
        print(f"{len(wanted)} units of {units.TARGET} are active")
    return not late


@contextmanager
def _leaving(left: Sequence[Words]) -> Iterator[None]:
    """Raise CutOff with what is left, where the block is interrupted or fails."""
    try:
        yield
    except (KeyboardInterrupt, ConfigError) as error:
        raise CutOff(_told(error), left, written=True) from error


def _leave(setup: Setup, found: Changes, secrets: dict[str, str | None]) -> bool:
    del secrets
    if setup.places.units:
        made = private_redis.commands() if found.start_redis else []
        left = [*made, *commands(found)]
        if left:
            print("Left to do, in this order:")
            for words in left:
                print(f"    {' '.join(words)}")
    return True
