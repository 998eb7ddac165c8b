"""The commands as the program itself parses them: what the manual pages and the completion are made from."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field

from mastowatch.cli import _parser

# How a value is called that is a file's name.
FILES = ("FILE", "DIRECTORY")


@dataclass(frozen=True)
class Option:
    """One option or operand, as the help shows it."""

    names: tuple[str, ...]
    value: str
    choices: tuple[str, ...]
    about: str
    optional: bool
    several: bool = False  # whether it may be given more than once

    def among(self, shown: str) -> str:
        """Return ``shown``, its names and value, as it stands in a synopsis: in brackets if it may be left out."""
        told = f"[{shown}]" if self.optional else shown
        return f"{told} ..." if self.several else told


@dataclass(frozen=True)
class Command:
    """A command with what stands below it; the program itself is the one without words."""

    words: tuple[str, ...]
    about: str
    options: tuple[Option, ...] = ()
    operands: tuple[Option, ...] = ()
    below: tuple[Command, ...] = field(default=())
    alone: bool = True  # whether it may stand without one of those below it

    def walk(self) -> Iterator[Command]:
        """Yield this command and all below it."""
        yield self
        for command in self.below:
            yield from command.walk()


def suggested(option: Option) -> tuple[str, ...]:
    """Return the words that completion offers for a value."""
    return option.choices or (tuple(option.value.split(",")) if option.value.startswith("high,") else ())


def read() -> Command:
    """Return the whole tree."""
    parser = _parser()
    return _command((), parser.description or "", parser)


def _command(words: tuple[str, ...], about: str, parser: argparse.ArgumentParser) -> Command:
    options, operands, below, alone = [], [], [], True
    for action in parser._actions:  # noqa: SLF001 -- argparse has no public way to read a parser
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}  # noqa: SLF001
            alone = not action.required
            below = [_command((*words, name), helps[name], one) for name, one in action.choices.items()]
        elif action.option_strings:
            options.append(_option(action))
        else:
            operands.append(_option(action))
    return Command(words, about, tuple(options), tuple(operands), tuple(below), alone)


def _option(action: argparse.Action) -> Option:
    takes_value = action.nargs != 0
    value = str(action.metavar or action.dest.upper()) if takes_value else ""
    choices = tuple(str(choice) for choice in action.choices or getattr(action, "suggestions", ()))
    return Option(
        tuple(action.option_strings),
        "|".join(choices) if choices and not action.metavar else value,
        choices,
        (action.help or "") % {"prog": "mastowatch", "default": action.default} if action.help else "",
        # argparse calls an operand that may be given any number of times required.
        optional=not action.required or action.nargs == argparse.ZERO_OR_MORE,
        several=action.nargs in (argparse.ZERO_OR_MORE, argparse.ONE_OR_MORE)
        or isinstance(action, argparse._AppendAction),  # noqa: SLF001
    )
