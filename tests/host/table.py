"""The printed table of what the tests have measured, one column a release."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict


class Measured(TypedDict):
    """One figure: ``what`` it is, as text with its unit."""

    release: str
    what: str
    value: str


def render(measured: Sequence[Measured], releases: Sequence[str]) -> str:
    """Return the table as text; a figure that was not taken is a dash."""
    rows = list(dict.fromkeys(one["what"] for one in measured))
    values = {(one["what"], one["release"]): one["value"] for one in measured}
    lines = [["", *releases], *([row, *(values.get((row, release), "-") for release in releases)] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(releases) + 1)]
    return "\n".join("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)) for line in lines)
