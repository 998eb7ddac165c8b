"""Reads a file the way systemd reads an EnvironmentFile, so that units and the command line agree.

Source: systemd.exec(5), EnvironmentFile=. Unlike a shell or a .env library: no variables are expanded, a ``#``
begins a comment only at the start of a line, and a value may be quoted or go on after a backslash.
"""

from __future__ import annotations

from pathlib import Path

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
    for number, line in _logical_lines(text):
        key, equals, value = line.partition("=")
        key = key.strip()
        if not equals or not key.replace("_", "a").isalnum() or key[0].isdigit():
            raise ConfigError(f"{name}: line {number} is not KEY=value; begin a comment with #")
        found[key] = _unquote(value.strip())
    return found


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Join lines that end in a backslash; drop empty ones and comments."""
    lines: list[tuple[int, str]] = []
    carried, first = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        if not carried and (not raw.strip() or raw.lstrip()[0] in "#;"):
            continue
        first = first if carried else number
        if raw.endswith("\\"):
            carried += raw[:-1]
            continue
        lines.append((first, carried + raw))
        carried = ""
    if carried:
        lines.append((first, carried))
    return lines


def _unquote(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1].replace('\\"', '"') if value[0] == '"' else value[1:-1]
    return value
