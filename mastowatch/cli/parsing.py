"""What the parsers of all commands are made of. Imports nothing that takes time: each command loads its own."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from mastowatch import journal
from mastowatch.errors import ConfigError

if TYPE_CHECKING:
    from mastowatch.config import Sources

Command = Callable[["Sources", argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """Says in the journal what is wrong with an argument in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """End with what is wrong."""
        if journal.is_stderr():
            raise ConfigError(f"command line: {message}")
        super().error(message)


def add(
    actions: argparse._SubParsersAction[Any], name: str, about: str, parents: Sequence[Parser]
) -> argparse.ArgumentParser:
    """Add a command that says in its own help, too, what it is for."""
    description = f"{about[:1].upper()}{about[1:]}."
    one: argparse.ArgumentParser = actions.add_parser(name, help=about, description=description, parents=parents)
    return one


def later(module: str, function: str = "run") -> Command:
    """Return a command that imports ``function`` of ``mastowatch.cli.MODULE`` when it is called.

    The function takes the settings as loaded, and the arguments.
    """

    def command(sources: Sources, arguments: argparse.Namespace) -> int:
        from importlib import import_module

        from mastowatch.config.loading import read

        run = getattr(import_module(f"mastowatch.cli.{module}"), function)
        return int(run(read(sources), arguments))

    return command


def suggest(action: argparse.Action, words: Sequence[str]) -> None:
    """Have the shell's completion offer ``words``, where other values are allowed too."""
    action.suggestions = tuple(words)  # type: ignore[attr-defined]  # for packaging/command_tree.py


def number(text: str) -> int:
    """Read a whole number above 0, as the type of an argument."""
    found = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= found <= 1_000_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number; give 1 or more")
    return found
