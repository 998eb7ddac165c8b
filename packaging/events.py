"""The events that the code logs, with priorities and fields, as the calls of ``event(log, level, "name", ...)`` say."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CODE = Path(__file__).resolve().parents[1] / "mastowatch"
# What is no call of event(): a crash is told of without logging, a library logs as it likes.
OTHERS = {"crashed": ({"crit"}, {"error", "traceback"}), "library_message": ({"any"}, {"text"})}
_PRIORITIES = {"DEBUG": "debug", "INFO": "info", "WARNING": "warning", "ERROR": "err", "CRITICAL": "crit"}
_ORDER = ("crit", "err", "warning", "info", "debug", "any")


@dataclass
class Event:
    """One event: ``priorities`` as journalctl names them; ``open_ended`` where fields come from a mapping, too."""

    priorities: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)
    open_ended: bool = False

    def told(self) -> tuple[str, str]:
        """Return priorities and fields as they stand in the reference."""
        priorities = [one for one in _ORDER if one in self.priorities] or ["any"]
        return ", ".join(priorities), ", ".join(f"`{name}`" for name in sorted(self.fields))


def read(code: Path = CODE) -> dict[str, Event]:
    """Return every event by its name."""
    found = {name: Event(set(priorities), set(fields)) for name, (priorities, fields) in OTHERS.items()}
    for path in sorted(code.rglob("*.py")):
        for call in _calls(ast.parse(path.read_text(encoding="utf-8"))):
            for name in _constants(call.args[2]):
                one = found.setdefault(name, Event())
                one.priorities |= {_PRIORITIES[level] for level in _levels(call.args[1])}
                one.fields |= {each.arg for each in call.keywords if each.arg and each.arg != "exc_info"}
                one.fields |= {"exc_info"} & {each.arg for each in call.keywords if not _is_none(each.value)}
                one.open_ended |= any(each.arg is None for each in call.keywords)
    return found


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "event"
        if named and len(node.args) == 3:
            yield node


def _constants(node: ast.expr) -> list[str]:
    return [one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)]


def _levels(node: ast.expr) -> list[str]:
    return [one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute) and one.attr in _PRIORITIES]


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
