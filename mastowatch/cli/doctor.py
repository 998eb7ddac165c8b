"""``mastowatch doctor``: what is wrong, what it means, and the command that mends it."""

from __future__ import annotations

import argparse
import logging
import os
import re
import shlex
import shutil
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from mastowatch.cli.rules_common import print_json
from mastowatch.cli.tables import harmless
from mastowatch.config import Sources
from mastowatch.jobs.checks.examination import examine
from mastowatch.jobs.checks.finding import Finding, State
from mastowatch.jobs.checks.world import World

EXIT = {"warning": 1, "failure": 2}
_WORDS: dict[State, str] = {"ok": "ok", "note": "note", "warning": "WARN", "failure": "FAIL", "unknown": "?"}
_COLOURS: dict[State, str] = {"ok": "32", "note": "36", "warning": "33", "failure": "1;31", "unknown": "35"}
# Our command at the start of a word: no path, no unit, and no user of Redis.
_OURS = re.compile(r"(?<![\w/.-])(?<!--user )mastowatch (?=[a-z])")
# So many that say the same are told in one line.
MANY = 3
WIDTH_MAX = 110


def run(sources: Sources, arguments: argparse.Namespace) -> int:
    """Tell what the checks find; 0 where all is well or only to be noted, 1 with a warning, 2 with a failure."""
    # Its own lines are the answer: what the code below would log is in them.
    logging.getLogger("mastowatch").addHandler(logging.NullHandler())
    found = examine(World(sources, time.time()), arguments.check or ())
    if sources.file is not None:
        found = [replace(one, mend=with_settings(one.mend, sources.file)) for one in found]
    if arguments.json:
        print_json(as_json(found))
    else:
        shown = [one for one in found if one.state != "ok"] if arguments.quiet else found
        width = min(WIDTH_MAX, shutil.get_terminal_size((100, 24)).columns)
        lines = list(told(shown, width, colour=_may_colour()))
        if not arguments.quiet or lines:
            lines += ["", summary(found)]
        sys.stdout.write("".join(f"{harmless(line) if chr(27) not in line else line}\n" for line in lines))
    return exit_status(found)


def with_settings(mend: str, file: Path) -> str:
    """Return the command that mends it with the settings that were looked at, where they are not the machine's own."""
    return _OURS.sub(lambda found: f"{found[0]}--config {shlex.quote(str(file))} ", mend)


def exit_status(found: Sequence[Finding]) -> int:
    """Return what scripts go by."""
    return max((EXIT.get(one.state, 0) for one in found), default=0)


def as_json(found: Sequence[Finding]) -> dict[str, object]:
    """Return what other programs read."""
    counts = Counter(one.state for one in found)
    return {
        "findings": [asdict(one) for one in found],
        "summary": {state: counts[state] for state in _WORDS},
        "exit_status": exit_status(found),
    }


def summary(found: Sequence[Finding]) -> str:
    """Return the end: how many of each, the worst first."""
    counts = Counter[State](one.state for one in found)
    names: tuple[tuple[State, str], ...] = (
        ("failure", "failure"),
        ("warning", "warning"),
        ("note", "note"),
        ("unknown", "not looked at"),
        ("ok", "ok"),
    )
    parts = []
    for state, name in names:
        if count := counts[state]:
            plural = "s" if count != 1 and state in ("failure", "warning", "note") else ""
            parts.append(f"{count} {name}{plural}")
    text = ", ".join(parts) or "nothing was looked at"
    if exit_status(found):
        return f"{text}. More on each: man mastowatch-doctor"
    return f"{text}. All is well." if not counts["unknown"] else f"{text}."


def told(found: Sequence[Finding], width: int, *, colour: bool) -> Iterator[str]:
    """Yield the lines: one a finding, and below one that is not ok what it means and what mends it."""
    alike = Counter(one.says for one in found if one.state == "unknown")
    column = max((len(one.check) for one in found), default=0)
    # What could not be looked at for one reason stands below the reason.
    found = sorted(found, key=lambda one: one.state == "unknown" and alike[one.says] >= MANY)
    said: set[str] = set()
    for number, one in enumerate(found):
        name, says = one.check, one.says
        if one.state == "unknown" and alike[one.says] >= MANY:
            if one.says in said:
                continue
            said.add(one.says)
            names = [other.check for other in found if other.state == "unknown" and other.says == one.says]
            name, says = f"{len(names)} checks", f"{one.says}: {', '.join(dict.fromkeys(names))}"
        yield from _line(one, name.ljust(column), says, width, colour=colour)
        # Of several that mean the same it is told once, below the last.
        after = found[number + 1] if number + 1 < len(found) else None
        if after is None or (one.check, one.means, one.mend) != (after.check, after.means, after.mend):
            yield from _below(one, width)


def _line(one: Finding, name: str, says: str, width: int, *, colour: bool) -> Iterator[str]:
    word = _WORDS[one.state].ljust(4)
    before = f"{word}  {name}  "
    room = max(30, width - len(before))
    first, *more = textwrap.wrap(harmless(says), room, break_on_hyphens=False, break_long_words=False) or [""]
    shown = f"\x1b[{_COLOURS[one.state]}m{word}\x1b[0m" if colour else word
    yield f"{shown}  {name}  {first}".rstrip()
    yield from (" " * len(before) + line for line in more)


def _below(one: Finding, width: int) -> Iterator[str]:
    if one.state == "ok":
        return
    for line in textwrap.wrap(harmless(one.means), max(30, width - 6), break_on_hyphens=False, break_long_words=False):
        yield f"      {line}"
    if one.mend:
        # In one line, however long: it is to be copied.
        yield f"      mend: {harmless(one.mend)}"


def _may_colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
