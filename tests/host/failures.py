"""What failed on a host, noted while its pytest runs (``-p tests.host.failures --failures=FILE``) and told at the end.

The output of all hosts together is long, and where it is cut only its end is left to read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import pytest

LINES = 30  # of the first failure's traceback
REASON_MAX = 200


class Failure(TypedDict):
    """A failed test, or a file that could not be read: why in one line, and in full."""

    name: str
    reason: str
    text: str


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the file be named."""
    parser.addoption("--failures", type=Path, help="a file to write what failed to, a JSON object a line")


def pytest_configure(config: pytest.Config) -> None:
    """Note from now on."""
    if file := config.getoption("failures"):
        config.pluginmanager.register(_Notes(file), "failures-notes")


class _Notes:
    def __init__(self, file: Path) -> None:
        self._file = file

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._note(report, "" if report.when == "call" else f" ({report.when})")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._note(report, " (collection)")

    def _note(self, report: pytest.TestReport | pytest.CollectReport, when: str) -> None:
        text = report.longreprtext
        crash = getattr(report.longrepr, "reprcrash", None)
        # A file that can't be read has no such message; the end of its text says why.
        reason = _line(crash.message)[:REASON_MAX] if crash else _line(text)[-REASON_MAX:]
        one = Failure(name=report.nodeid + when, reason=reason, text=text)
        with self._file.open("a") as file:
            file.write(json.dumps(one) + "\n")


def _line(text: str) -> str:
    return " ".join(text.split())


def read(file: Path) -> list[Failure]:
    """Return what was noted."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def excerpt(failures: Sequence[Failure], last_lines: Sequence[str]) -> list[str]:
    """Return the end of the first failure's traceback.

    ``last_lines`` is what the pytest printed at last, told where it noted nothing: it was killed, perhaps.
    """
    return (failures[0]["text"].splitlines() if failures else list(last_lines))[-LINES:]


def names(failures: Sequence[Failure]) -> list[str]:
    """Return a line for each failure: its name, and why."""
    if not failures:
        return ["FAILED without a failed test; its last lines are above"]
    return [f"FAILED {one['name']}: {one['reason']}" for one in failures]
