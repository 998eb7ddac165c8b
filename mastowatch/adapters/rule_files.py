"""Reads a directory of rule files into (file name, TOML document) pairs, and the lists beside them into lines."""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from mastowatch.errors import RuleError, RuleErrors

SIZE_MAX = 64 * 1024  # bytes; 64 kB of words is more than anybody maintains

# Words and hosts, one a line: ten thousand or so of them.
LISTS, LIST_SIZE_MAX = "lists", 512 * 1024

_MODE = 0o644  # rules hold no secret, and the service's own user reads them

# By file name; the first line is number 1.
Lists = dict[str, tuple[str, ...]]
Documents = list[tuple[str, dict[str, Any]]]


def read_rules(directory: Path) -> Documents:
    """Return every ``*.toml`` of ``directory``; raises RuleErrors that name each file that can't be read."""
    documents, errors = read_what_can_be(directory)
    if errors:
        raise RuleErrors("some rule files can't be read", errors)
    return documents


def stamp(directory: Path) -> tuple[tuple[str, int, int, int], ...]:
    """Return what tells that a rule or a list has changed: names, times, sizes and inodes; () if it can't be read.

    Names as they stand, not what links point to, but times and sizes of that.
    """
    found: list[tuple[str, int, int, int]] = []
    for folder, ending in ((directory, ".toml"), (directory / LISTS, "")):
        with suppress(OSError), os.scandir(folder) as entries:
            found.extend(_stamped(entry) for entry in entries if entry.name.endswith(ending))
    return tuple(sorted(found))


def _stamped(entry: os.DirEntry[str]) -> tuple[str, int, int, int]:
    try:
        facts = entry.stat()
    except OSError:  # gone since, or a link to nowhere
        return entry.path, 0, 0, 0
    return entry.path, facts.st_mtime_ns, facts.st_size, facts.st_ino


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


def read_rule(path: Path) -> tuple[str, dict[str, Any]]:
    """Return one rule file as a pair of its name and its TOML document; raises RuleError."""
    return path.name, _read(path)


def read_source(path: Path) -> str:
    """Return a rule file as it is written; raises RuleError."""
    return _decoded(_bytes(path, path.name, SIZE_MAX, "split it: one rule a file"), path.name)


def read_lists(directory: Path) -> tuple[Lists, list[RuleError]]:
    """Return the lines of every file in ``directory/lists`` that can be read, and what is wrong with the others."""
    lists: Lists = {}
    errors: list[RuleError] = []
    try:
        paths = sorted(path for path in (directory / LISTS).iterdir() if not path.name.startswith((".", "#")))
    except FileNotFoundError:
        return {}, []
    except OSError as error:
        return {}, [RuleError(LISTS, "", f"can't be read: {error.strerror}", "it must be a directory")]
    for path in paths:
        name = f"{LISTS}/{path.name}"
        try:
            raw = _bytes(path, name, LIST_SIZE_MAX, "split it: a rule can name one list, two rules two")
            lists[path.name] = tuple(_decoded(raw, name).splitlines())
        except RuleError as error:
            errors.append(error)
    return lists, errors


def sources(directory: Path) -> Iterator[tuple[str, str]]:
    """Yield each rule file and each list as it is written, by its name below ``directory``; raises RuleError."""
    for path in sorted(directory.glob("*.toml")):
        if not path.name.startswith("."):
            yield path.name, read_source(path)
    for path in sorted((directory / LISTS).glob("*")):
        if not path.name.startswith((".", "#")):
            name = f"{LISTS}/{path.name}"
            yield name, _decoded(_bytes(path, name, LIST_SIZE_MAX, "split it"), name)


def write(directory: Path, name: str, text: str) -> None:
    """Write a rule file or a list whole, or leave what was there; it belongs to whoever ``directory`` belongs to.

    Raises OSError.
    """
    path = directory / name
    if not path.parent.exists():
        path.parent.mkdir(mode=0o755)
        if owner := _other_owner(directory):
            os.chown(path.parent, *owner, follow_symlinks=False)
    # Names that begin with a dot are no rules: nobody reads half a file.
    handle, beside = tempfile.mkstemp(prefix=".", suffix=".import", dir=path.parent)
    try:
        # By its handle: whoever the directory belongs to could put a link to any file of root's in its place.
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, _MODE)
            if owner := _other_owner(directory):
                os.fchown(handle, *owner)
            file.write(text.encode())
            file.flush()
            os.fsync(handle)
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def _other_owner(directory: Path) -> tuple[int, int] | None:
    facts = directory.stat()
    owner = (facts.st_uid, facts.st_gid)
    return owner if owner != (os.geteuid(), os.getegid()) else None


def parse(name: str, text: str) -> dict[str, Any]:
    """Return the TOML document of a rule file; raises RuleError."""
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise RuleError(name, "", "is nested too deeply", "a rule has tables and lists of texts") from error
    except ValueError as error:
        # TOMLDecodeError is one, whose words name line and column; so is a number of thousands of digits.
        raise RuleError(
            name, "", f"is not TOML: {error}", "patterns stand in single quotes, other texts in double ones"
        ) from error


def _read(path: Path) -> dict[str, Any]:
    return parse(path.name, read_source(path))


def _decoded(raw: bytes, name: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise RuleError(name, "", f"is not UTF-8 at line {line}", "save it as UTF-8") from error


def _bytes(path: Path, name: str, largest: int, hint: str) -> bytes:
    try:
        # Unbuffered: of a thousand files a third of the time is saved.
        with path.open("rb", buffering=0) as file:
            raw = file.read(largest + 1) or b""
    except OSError as error:
        problem = f"can't be read: {error.strerror}"
        missing = isinstance(error, FileNotFoundError)
        todo = "is the path right?" if missing else "the user that runs MastoWatch must be able to read it"
        raise RuleError(name, "", problem, todo) from error
    if len(raw) > largest:
        raise RuleError(name, "", f"is larger than {largest} bytes", hint)
    return raw
