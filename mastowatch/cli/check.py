"""``mastowatch config check``: whether settings, rules and secrets are usable, as far as this user may read them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace

from mastowatch import journal
from mastowatch.config import Loaded, Sources
from mastowatch.config.loading import CREDENTIALS, SECRETS, examine
from mastowatch.errors import ConfigError, MastoWatchError, RuleErrors
from mastowatch.jobs.context import alerts, check_ca_file, check_instance, load_rules

EXIT_FAULTY = 2


def run(sources: Sources, arguments: argparse.Namespace, complain: Callable[[str], None]) -> int:
    """Say what is wrong, a line a fault, and return 2; or OK and 0."""
    loaded, faults = examine(sources)
    unseen: list[str] = []
    rules = 0
    if loaded is not None:
        rules, faults = _rules(loaded)
        faults += _of(lambda: check_instance(loaded.settings))
        faults += _of(lambda: check_ca_file(loaded.settings))
        for name in SECRETS:
            wrong, hidden = _secret(loaded, name)
            faults += wrong
            unseen += hidden
    for fault in faults:
        complain(fault)
    if not arguments.quiet:
        for one in unseen:
            print(f"not checked, as this user may not read it: {one}")
        if not faults:
            print(f"OK: {', '.join(map(str, sources.files())) or 'no settings file'}; {rules} rules")
    return EXIT_FAULTY if faults else 0


def _rules(loaded: Loaded) -> tuple[int, list[str]]:
    try:
        return len(load_rules(loaded.settings.rules_dir)), []
    except RuleErrors as errors:
        return 0, [str(one) for one in errors.faults]
    except MastoWatchError as error:
        return 0, [str(error)]


def _of(look: Callable[[], object]) -> list[str]:
    try:
        look()
    except ConfigError as error:
        return [str(error)]
    return []


def _secret(loaded: Loaded, name: str) -> tuple[list[str], list[str]]:
    """Return what is wrong with a secret, or where it is hidden from this user."""
    at_home = loaded.of_this_machine
    loaded = replace(loaded, credentials=CREDENTIALS) if at_home else loaded
    try:
        value = loaded.secret(name)
    except PermissionError:
        return [], [str(CREDENTIALS / name)]
    except ConfigError as error:
        # To the process that reloads its settings it is a fault that it can't read them.
        hidden = isinstance(error.__cause__, PermissionError) and not journal.is_stderr()
        return ([], [str(error)]) if hidden else ([str(error)], [])
    if value is not None and name == "alert_webhook":
        return _of(lambda: alerts(loaded)), []
    if value is None and name == "access_token" and at_home and CREDENTIALS.is_dir():
        return _of(lambda: loaded.need_secret(name)), []
    return [], []
