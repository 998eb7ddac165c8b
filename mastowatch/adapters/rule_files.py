"""Reads a directory of rule files into (file name, TOML document) pairs, in the order of their names."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from mastowatch.errors import RuleError, RuleErrors

SIZE_MAX = 64 * 1024  # bytes; 64 kB of words is more than anybody maintains

Documents = list[tuple[str, dict[str, Any]]]


def read_rules(directory: Path) -> Documents:
    """Return every ``*.toml`` of ``directory``; raises RuleErrors that name each file that can't be read."""
    documents, errors = read_what_can_be(directory)
    if errors:
        raise RuleErrors("some rule files can't be read", errors)
    return documents


def read_what_can_be(directory: Path) -> tuple[Documents, list[RuleError]]:
    """Return every ``*.toml`` of ``directory`` that can be read, and what is wrong with the others."""
    documents: Documents = []
    errors: list[RuleError] = []
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix == ".toml" and not path.name.startswith("."))
    except OSError as error:
        hint = "set RULES_DIR, or name a directory: mastowatch rules check DIR"
        return [], [RuleError(str(directory), "", f"can't be read: {error.strerror}", hint)]
    for path in paths:
        try:
            documents.append((path.name, _read(path)))
        except RuleError as error:
            errors.append(error)
    return documents, errors


def _read(path: Path) -> dict[str, Any]:
    raw = _bytes(path)
    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise RuleError(path.name, "", f"is not UTF-8 at line {line}", "save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        # The parser's own words name line and column.
        raise RuleError(
            path.name, "", f"is not TOML: {error}", "patterns stand in single quotes, other texts in double ones"
        ) from error


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(SIZE_MAX + 1)
    except OSError as error:
        problem = f"can't be read: {error.strerror}"
        raise RuleError(path.name, "", problem, "the user that runs MastoWatch must be able to read it") from error
    if len(raw) > SIZE_MAX:
        raise RuleError(path.name, "", f"is larger than {SIZE_MAX} bytes", "split it: one rule a file")
    return raw
