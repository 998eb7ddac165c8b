"""The last question: how many workers, and whether the stream is read. And what systemd says of the units."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence

from mastowatch.cli.setup.begin import Setup
from mastowatch.cli.setup.places import Places
from mastowatch.errors import ConfigError

TARGET, STREAM = "mastowatch.target", "mastowatch-stream.service"
WORKERS, API, DASHBOARD = "mastowatch-worker@*.service", "mastowatch-api.service", "mastowatch-dashboard.service"
ALL = (WORKERS, "mastowatch-scheduler.service", STREAM, API, DASHBOARD)
# So long a unit may take until it is ready: it waits for nothing but Redis, and for that only seconds.
READY_S = 90.0
_WORKER = re.compile(r"mastowatch-worker@([1-9][0-9]{0,5})\.service")
MOST_WORKERS = 64


def ask(setup: Setup) -> None:
    """Plan workers and stream; raises ConfigError."""
    arguments, talk, plan = setup.arguments, setup.talk, setup.plan
    if arguments.workers and arguments.workers > MOST_WORKERS:
        raise ConfigError(f"--workers {arguments.workers}: one host has use for {MOST_WORKERS} at most")
    if not setup.places.units:
        _refuse_what_is_for_units(setup)
    plan.workers, plan.stream = arguments.workers, arguments.stream
    if not (setup.asks and setup.places.units and (plan.workers is None or plan.stream is None)):
        return
    talk.head("6. How much of it runs")
    if plan.stream is None:
        talk.explain("The stream has each public post looked at in seconds, without a request; it takes some 40 MB.")
        on = _is_enabled(setup.places, STREAM)
        wanted = talk.confirm("Read the public stream of posts?", default=on)
        plan.stream = wanted if wanted != on else None
    if plan.workers is None:
        now = len(enabled_workers(setup.places)) or 1
        talk.explain("A worker judges one account at a time and takes some 60 MB. One is enough for a small server.")
        wanted_workers = _number(setup, now)
        plan.workers = wanted_workers if wanted_workers != now else None


def _refuse_what_is_for_units(setup: Setup) -> None:
    """Raise ConfigError where a flag is about units, and the settings are others than theirs."""
    given = {"--workers": setup.arguments.workers, "--stream": setup.arguments.stream, "--start": setup.arguments.start}
    for flag, wanted in given.items():
        if wanted:
            told = f"{flag}: no unit of this machine reads {setup.places.env}; leave the flag or --config out"
            raise ConfigError(told)


def _number(setup: Setup, usual: int) -> int:
    while True:
        answer = setup.talk.ask("How many workers", str(usual))
        if answer.isdecimal() and answer.isascii() and 1 <= int(answer) <= MOST_WORKERS:
            return int(answer)
        setup.talk.say(f"Answer with a number, 1 to {MOST_WORKERS}.")


def is_there(places: Places) -> bool:
    """Tell whether systemd runs this machine: not so in a chroot or a container."""
    return places.systemd.is_dir()


def run(words: Sequence[str], *, check: bool = True) -> str:
    """Run systemctl and return what it printed; raises ConfigError where it fails, if ``check``."""
    environ = {**os.environ, "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0", "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=environ)  # noqa: S603 -- fixed words
    except OSError as error:
        raise ConfigError(f"{' '.join(words)}: {error.strerror}") from error
    if check and done.returncode:
        told = done.stderr.strip().splitlines()
        raise ConfigError(f"{' '.join(words)}: failed{f': {told[0]}' if told else ''}")
    return done.stdout


def enabled_workers(places: Places) -> list[int]:
    """Return the numbers of the workers that belong to the target, as their links say."""
    found = (_WORKER.fullmatch(one.name) for one in _links(places))
    return sorted(int(one[1]) for one in found if one)


def _is_enabled(places: Places, unit: str) -> bool:
    return any(one.name == unit for one in _links(places))


def _links(places: Places) -> list[os.DirEntry[str]]:
    # As files: there is no systemd to ask in a chroot, and this is all that "enabled" means.
    try:
        return list(os.scandir(places.wants))
    except OSError:
        return []


def to_enable(setup: Setup) -> tuple[list[str], list[str]]:
    """Return which units are to be enabled, and which to be disabled, for what is planned."""
    places, plan = setup.places, setup.plan
    now = enabled_workers(places)
    wanted = now if plan.workers is None else list(range(1, plan.workers + 1))
    if setup.first and not wanted:
        wanted = [1]
    on = [f"mastowatch-worker@{number}.service" for number in wanted if number not in now]
    off = [f"mastowatch-worker@{number}.service" for number in now if number not in wanted]
    streams = _is_enabled(places, STREAM)
    if plan.stream is not None and plan.stream != streams:
        (on if plan.stream else off).append(STREAM)
    return on, off


def belonging() -> list[str]:
    """Return the units that start with the target."""
    return sorted(run(["systemctl", "show", TARGET, "-p", "Wants", "--value"]).split())


def wait_until_active(units: Iterable[str]) -> dict[str, str]:
    """Wait until all are active; returns those that are not, with what systemd says of them."""
    units = list(units)
    until = time.monotonic() + READY_S
    while True:
        states = dict(zip(units, run(["systemctl", "is-active", *units], check=False).split(), strict=False))
        others = {unit: states.get(unit, "unknown") for unit in units if states.get(unit) != "active"}
        if not others or time.monotonic() > until:
            return others
        time.sleep(0.25)


def affected(values: Iterable[str], secrets: Mapping[str, str | None]) -> tuple[str, ...]:
    """Return the units that must be started anew for these settings and secrets to be in force; a reload does not."""
    found: set[str] = set()
    for name in values:
        if name in ("REDIS_URL", "REDIS_PASSWORD_FILE"):
            return ALL
    by_secret = {
        "access_token": (WORKERS, STREAM),
        "redis_password": ALL,
        "webhook_secret": (API,),
        "oauth_client": (DASHBOARD,),
        "dashboard_passwords": (DASHBOARD,),
    }
    for name in secrets:
        found |= set(by_secret[name])
    return tuple(one for one in ALL if one in found)


def is_active(unit: str) -> bool:
    """Tell whether the unit runs."""
    return run(["systemctl", "is-active", unit], check=False).strip() == "active"
