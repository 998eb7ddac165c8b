"""``mastowatch export`` and ``import``: rules, cases and audit as a file of JSON lines, and back."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from mastowatch.cli.jobs_filter import moment_of
from mastowatch.cli.records import EXIT_NO, answer, by, change, refuse, wanted
from mastowatch.cli.tables import plain, tell
from mastowatch.config import Loaded
from mastowatch.errors import RuleError
from mastowatch.jobs import trail
from mastowatch.jobs.actions import Actions
from mastowatch.jobs.context import View
from mastowatch.jobs.portable.exporting import Wanted, export
from mastowatch.jobs.portable.importing import Done, Given, import_
from mastowatch.jobs.portable.records import PARTS
from mastowatch.jobs.refusals import BadParameter

_DONE = {
    "added": "new",
    "updated": "newer than here",
    "same": "here already",
    "kept": "older than here, or another file of the same name",
    "late": "too old to be kept",
    "foreign": "of another server, left out",
    "damaged": "left out, as it or what is here is damaged",
}


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Write the file, whole or not at all."""

    def look(view: View) -> int:
        now = view.clock()
        parts = PARTS if arguments.what == "all" else (arguments.what,)
        damaged = Counter[str]()
        # Nothing is older than 1970, and nothing has happened after now.
        wanted_ = Wanted(parts, min(max(moment_of("--since", arguments.since, now) or 0.0, 0.0), now))
        if str(arguments.output) != "-":
            ensure_replaceable(arguments.output)
        lines = export(view.redis, loaded.settings, wanted_, now, left_out=lambda kind: damaged.update([kind]))
        if str(arguments.output) == "-":
            for line in lines:
                sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        else:
            print(f"{arguments.output}: {_write(arguments.output, lines)} lines", file=sys.stderr)
        for kind, number in damaged.items():
            print(f"left out, as damaged: {number} of kind {kind}", file=sys.stderr)
        return 0

    try:
        return answer(loaded, look)
    except RuleError as error:
        return refuse(str(error))
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        return refuse(f"{arguments.output}: can't be written: {error.strerror}")


def ensure_replaceable(path: Path) -> None:
    """Raise BadParameter for a device, a directory or a pipe: the file takes the place of what is there.

    As root that would be the end of /dev/null, or of the link /dev/stdout.
    """
    if (path.exists() and not path.is_file()) or path.absolute().parent in (Path("/dev"), Path("/dev/fd")):
        raise BadParameter(f"--output: {path}: is no ordinary file; without --output it goes to standard output")


def _write(path: Path, lines: Iterable[bytes]) -> int:
    """Write the lines to a file that its owner alone may read, all of them or none; returns how many."""
    handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            number = 0
            for line in lines:
                file.write(line)
                number += 1
            file.flush()
            os.fsync(file.fileno())
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    return number


def import_file(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Check the file, tell what is in it, ask, and merge it; 1 after a no, 2 for a file with a fault."""

    def act(view: View, actions: Actions) -> int:
        del actions
        try:
            file = arguments.file.open("rb")
        except OSError as error:
            raise BadParameter(f"{arguments.file}: can't be read: {error.strerror}") from error
        with file:
            if not file.seekable():
                raise BadParameter(f"{arguments.file}: is read twice, so it must be a file and no pipe")
            return _import(loaded, view, arguments, Given(file, str(arguments.file), arguments.overwrite, dry_run=True))

    return change(loaded, act, away="what was done until then stays; run the same command again")


def _import(loaded: Loaded, view: View, arguments: argparse.Namespace, dry: Given) -> int:
    checked, found = import_(view.redis, loaded.settings, dry, view.clock())
    changes = _changes(found)
    if arguments.dry_run or not changes:
        return _tell(arguments, found, f"{arguments.file}: nothing was changed.")
    of = plain(checked.header.instance)
    if not wanted(arguments, f"{_lines(found)}\nMerge {changes} records of {of}?"):
        _tell(arguments, found, f"{arguments.file}: nothing was changed.")
        return EXIT_NO
    given = Given(dry.file, dry.name, dry.overwrite)
    _, done = import_(view.redis, loaded.settings, given, view.clock())
    told = ", ".join(f"{sum(one.values())} {kind}" for kind, one in done.items() if one)
    trail.leave(view, by(), "imported", told)
    return _tell(arguments, done, f"{arguments.file}: {_changes(done)} records were merged.")


def _changes(done: Done) -> int:
    return sum(counts[word] for counts in done.values() for word in ("added", "updated"))


def _lines(done: Done) -> str:
    rows = []
    for kind, counts in done.items():
        told = ", ".join(f"{number} {_DONE.get(word, word)}" for word, number in counts.items() if number)
        rows.append(f"{kind:<13} {told}")
    return "\n".join(rows)


def _tell(arguments: argparse.Namespace, done: Done, text: str) -> int:
    table = _lines(done)
    tell(arguments, f"{table}\n{text}" if table else text, {kind: dict(counts) for kind, counts in done.items()})
    return 0
