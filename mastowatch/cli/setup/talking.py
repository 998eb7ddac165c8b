"""Talks to the person at the terminal: questions with their defaults, findings, and what is done."""

from __future__ import annotations

import getpass
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mastowatch.cli.tables import lines_of, plain
from mastowatch.jobs.checks.finding import Finding, State

# So wide is a text at most: longer lines are hard to read.
WIDEST = 100
# Where what a finding says begins.
_INDENT = 11
_SHOWN: dict[State, str] = {
    "ok": "ok",
    "note": "note",
    "warning": "WARNING",
    "failure": "FAILURE",
    "unknown": "unknown",
}


class Choice(NamedTuple):
    """One way to go: the word for the flag, and what it means."""

    word: str
    about: str


class Talk:
    """``asks`` says whether somebody is there to answer. Ends of input come out as EOFError."""

    def __init__(self, *, asks: bool) -> None:
        self.asks = asks

    def say(self, text: str = "") -> None:
        """Say something in as many lines as the terminal needs."""
        width = min(WIDEST, shutil.get_terminal_size().columns) if sys.stdout.isatty() else WIDEST
        print(textwrap.fill(plain(text), width, break_long_words=False, break_on_hyphens=False))

    def head(self, text: str) -> None:
        """Begin with another matter."""
        if self.asks:
            print(f"\n{text}")

    def explain(self, text: str) -> None:
        """Say what a person must know for the question that comes; nobody needs it who isn't asked."""
        if self.asks:
            self.say(text)

    def show(self, text: str) -> None:
        """Print what is to be copied: as it is, in lines of its own, a little to the right."""
        for line in lines_of(text):
            print(f"    {line}", flush=True)

    def ask(self, question: str, default: str = "") -> str:
        """Return an answer, or the default; asks again where there is neither."""
        while True:
            answer = input(f"{question}{f' [{default}]' if default else ''}: ").strip()
            if answer or default:
                return answer or default

    def hidden(self, question: str, *, may_be_empty: bool = False, as_typed: bool = False) -> str:
        """Return what is typed or pasted, and not shown; without blanks around it, unless it is wanted ``as_typed``."""
        while True:
            typed = getpass.getpass(f"{question} (not shown): ")
            answer = typed if as_typed else typed.strip()
            if answer or may_be_empty:
                return answer

    def confirm(self, question: str, *, default: bool) -> bool:
        """Return whether it is a yes."""
        while True:
            answer = input(f"{question} [{'Y/n' if default else 'y/N'}] ").strip().lower()
            if answer in ("", "y", "yes", "n", "no"):
                return answer[:1] == "y" if answer else default
            print("Answer y or n.")

    def choose(self, question: str, ways: Sequence[Choice], default: str) -> str:
        """Return the word of the way that is chosen, by its number or its word."""
        for number, way in enumerate(ways, start=1):
            print(f"  {number}  {way.about}")
        words = [way.word for way in ways]
        while True:
            answer = input(f"{question} [{words.index(default) + 1}]: ").strip()
            if answer in ("", *words):
                return answer or default
            if answer.isdecimal() and 1 <= int(answer) <= len(words):
                return words[int(answer) - 1]
            print(f"Answer with a number, 1 to {len(words)}.")

    def findings(self, found: Iterable[Finding]) -> None:
        """Show what checks have found, and what mends it."""
        for one in found:
            print(f"  {_SHOWN[one.state]:<8} {plain(one.says)}", flush=True)
            if one.state == "ok":
                continue
            for line in textwrap.wrap(plain(one.means), WIDEST - _INDENT, break_long_words=False):
                print(f"{' ' * _INDENT}{line}")
            if one.mend and not one.mend.startswith("mastowatch setup"):  # that is where we are
                # In one line, however long: it is to be copied.
                print(f"{' ' * _INDENT}mend: {plain(one.mend)}")


def is_bad(found: Iterable[Finding], *states: State) -> bool:
    """Tell whether something was found in one of these states; failure, if none is named."""
    return any(one.state in (states or ("failure",)) for one in found)
