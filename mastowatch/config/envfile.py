"""Reads a file the way systemd reads an EnvironmentFile, so that units and the command line agree.

Source: systemd.exec(5), EnvironmentFile=. Unlike a shell or a .env library: no variables are expanded, a ``#``
begins a comment only at the start of a line, and a value may be quoted or go on after a backslash.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from mastowatch.errors import ConfigError


def read(path: Path) -> dict[str, str]:
    """Return the assignments of ``path``; raises ConfigError for a file that can't be read or a line that is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such file; make it, or name another with --config") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read: {error}; it must be UTF-8 text that this user may read") from error
    return parse(text, str(path))


def parse(text: str, name: str) -> dict[str, str]:
    """Return the assignments of ``text``, later ones winning, as systemd does."""
    found: dict[str, str] = {}
    for one in assignments(text):
        if not one.equals or not one.key.replace("_", "a").isalnum() or one.key[0].isdigit():
            raise ConfigError(f"{name}: line {one.first} is not KEY=value; begin a comment with #")
        found[one.key] = _unquote(one.value)
    return found


class Assignment(NamedTuple):
    """What stands in lines ``first`` to ``last`` (from 1 on), split at ``equals``, which is empty if it is none."""

    first: int
    last: int
    key: str
    equals: str
    value: str


def assignments(text: str) -> list[Assignment]:
    """Join lines that end in a backslash; leave out empty ones and comments. The values are still in their quotes."""
    found: list[Assignment] = []
    carried, first, last = "", 0, 0
    for last, raw in enumerate(text.splitlines(), start=1):
        if not carried and (not raw.strip() or raw.lstrip()[0] in "#;"):
            continue
        first = first if carried else last
        if raw.endswith("\\"):
            carried += raw[:-1]
            continue
        found.append(_assignment(first, last, carried + raw))
        carried = ""
    if carried:
        found.append(_assignment(first, last, carried))
    return found


def _assignment(first: int, last: int, line: str) -> Assignment:
    key, equals, value = line.partition("=")
    return Assignment(first, last, key.strip(), equals, value.strip())


def _unquote(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1].replace('\\"', '"') if value[0] == '"' else value[1:-1]
    return value
