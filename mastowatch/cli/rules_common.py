"""What the commands about rules share: the rules themselves, secrets of this machine, and how results are printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from mastowatch.cli.tables import harmless
from mastowatch.config import Loaded
from mastowatch.config.loading import CREDENTIALS
from mastowatch.domain.ruleset import RuleSet
from mastowatch.errors import ConfigError, RuleErrors
from mastowatch.jobs.context import load_rules


def rules_in_force(loaded: Loaded) -> RuleSet | None:
    """Return the rules of RULES_DIR; None, after a line a fault, where they can't be used."""
    try:
        return load_rules(loaded.settings.rules_dir)
    except RuleErrors as errors:
        tell_faults(errors.faults)
        return None


def tell_faults(faults: Iterable[object]) -> None:
    """Print what is wrong with rules, a line a fault."""
    for fault in faults:
        print(fault, file=sys.stderr)


def with_secrets(loaded: Loaded) -> Loaded:
    """Return the settings with the secrets of this machine, where the settings are its own.

    Raises ConfigError where they are hidden from this user.
    """
    if not loaded.of_this_machine:
        return loaded
    try:
        (CREDENTIALS / "access_token").is_file()
    except PermissionError as error:
        raise ConfigError(f"the secrets in {CREDENTIALS} are root's alone: run this command with sudo") from error
    return replace(loaded, credentials=CREDENTIALS)


def print_json(value: object) -> None:
    """Print a value as JSON for other programs."""
    print(harmless(json.dumps(value, ensure_ascii=False, indent=2, default=_plain)))


def _plain(value: object) -> Any:  # noqa: ANN401 -- JSON
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value)


def moment(at: float) -> str:
    """Return a time for people."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"


def share(part: float | None) -> str:
    """Return a share for people; "-" for none."""
    return "-" if part is None else f"{part:.0%}"
