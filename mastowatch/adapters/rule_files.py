"""Reads a directory of rule files into (file name, TOML document) pairs, in the order of their names."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from mastowatch.errors import RuleError

SIZE_MAX = 64 * 1024


def read_rules(directory: Path) -> list[tuple[str, dict[str, Any]]]:
    """Return every ``*.toml`` of ``directory``; raises RuleError that names the file, or a group of them."""
    if not directory.is_dir():
        raise RuleError(str(directory), "", "there is no such directory", "set RULES_DIR, or name one: rules check DIR")
    documents, errors = [], []
    for path in sorted(directory.glob("*.toml")):
        try:
            documents.append((path.name, _read(path)))
        except RuleError as error:
            errors.append(error)
    if errors:
        raise ExceptionGroup("some rule files can't be read", errors)
    return documents


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = path.read_bytes()
        if len(raw) > SIZE_MAX:
            raise RuleError(path.name, "", f"is larger than {SIZE_MAX} bytes", "split it: one rule a file")
        return tomllib.loads(raw.decode("utf-8"))
    except OSError as error:
        raise RuleError(
            path.name, "", f"can't be read: {error.strerror}", "this user must be able to read it"
        ) from error
    except UnicodeDecodeError as error:
        raise RuleError(path.name, "", f"is not UTF-8 at byte {error.start}", "save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise RuleError(path.name, "", f"is not TOML: {error}", "patterns stand in single quotes") from error
