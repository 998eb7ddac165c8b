"""Prints tables that fit the terminal, and JSON; texts of strangers can't do anything to a terminal."""

from __future__ import annotations

import argparse
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

GAP = 2
# A column that gives way is no narrower than that.
NARROWEST = 10
NOTHING = "-"


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Iterable[str] = ()) -> None:
    """Print the rows under their heads. On a terminal the widest columns give way until all fit.

    The columns named in ``right`` stand at their right edge.
    """
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in table(heads, rows, right=right, width=width):
        print(line)


def table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Iterable[str] = (), width: int | None = None
) -> list[str]:
    """Return the lines, none of them wider than ``width`` if the columns can be that narrow."""
    cells = [[head.upper() for head in heads], *([plain(cell) or NOTHING for cell in row] for row in rows)]
    widths = _widths([max(map(wide, column)) for column in zip(*cells, strict=True)], width)
    at_right = set(right)
    lines = []
    for row in cells:
        fitted = [
            _pad(_cut(cell, column), column, right=head in at_right)
            for cell, column, head in zip(row, widths, heads, strict=True)
        ]
        lines.append((" " * GAP).join(fitted).rstrip())
    return lines


def plain(text: str) -> str:
    """Return a text in one line, without what would steer a terminal."""
    return "".join(one if one.isprintable() else "\ufffd" for one in " ".join(text.split()))


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, each as ``plain`` leaves it but for the blanks at its beginning."""
    return [" " * (len(line) - len(line.lstrip())) + plain(line) for line in text.splitlines()]


def wide(text: str) -> int:
    """Return how many cells of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text
    )


def print_json(value: Any) -> None:  # noqa: ANN401 -- JSON
    """Print a model of the API, or what is made of such, as JSON."""
    print(to_json(value, indent=2))


def tell(arguments: argparse.Namespace, text: str, document: Mapping[str, object]) -> None:
    """Print what was done in a line: ``text`` for a person; with ``--json`` the fields that the API would answer."""
    print(to_json(document) if arguments.json else text)


def to_json(value: Any, *, indent: int | None = None) -> str:  # noqa: ANN401 -- JSON
    """Return it as JSON, times as the API writes them."""
    from pydantic_core import to_json as dump

    return harmless(dump(value, indent=indent).decode())


def harmless(json_text: str) -> str:
    """Return the same JSON with what would steer a terminal escaped: JSON itself lets C1, DEL and marks pass."""
    return "".join(one if one.isprintable() or one == "\n" else _escaped(one) for one in json_text)


def _escaped(char: str) -> str:
    raw = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{raw[at]:02x}{raw[at + 1]:02x}" for at in range(0, len(raw), 2))


def ago(at: datetime | None, now: float) -> str:
    """Return how long ago something was, or in how long it will be: "3 min ago", "in 2 h"."""
    if at is None:
        return NOTHING
    past = now - at.timestamp()
    return f"{span(past)} ago" if past >= 0 else f"in {span(-past)}"


def span(seconds: float | None) -> str:
    """Return a length of time in one unit: "0.2 s", "45 s", "3 min", "5 h", "2 d"."""
    if seconds is None:
        return NOTHING
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    for unit, length, until in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172_800)):
        if seconds < until:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"


def moment(at: datetime | None) -> str:
    """Return a time in full."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else NOTHING


def _widths(natural: Sequence[int], width: int | None) -> list[int]:
    widths = list(natural)
    while width is not None and sum(widths) + GAP * (len(widths) - 1) > width:
        widest = max(widths)
        if widest <= NARROWEST:
            break
        widths[len(widths) - 1 - widths[::-1].index(widest)] -= 1
    return widths


def _cut(text: str, width: int) -> str:
    if wide(text) <= width:
        return text
    while text and wide(text) > width - 1:
        text = text[:-1]
    return f"{text}…"


def _pad(text: str, width: int, *, right: bool) -> str:
    blanks = " " * (width - wide(text))
    return blanks + text if right else text + blanks
