"""``mastowatch rules check``: reads the rules and runs their examples, as tests."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mastowatch.config import Loaded
from mastowatch.domain.examples import ExampleFailure
from mastowatch.domain.rule import Rule
from mastowatch.domain.ruleset import RuleSet, parse_all
from mastowatch.errors import RuleError, RuleErrors
from mastowatch.jobs.context import read_rule_documents

Documents = list[tuple[str, dict[str, Any]]]


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Check the directory in ``arguments``, or RULES_DIR."""
    return check(read_rule_documents, arguments.directory or loaded.settings.rules_dir)


def check(read: Callable[[Path], tuple[Documents, list[RuleError]]], directory: Path) -> int:
    """Print a line a rule and a line a fault; 1 if there is a fault.

    Rules without a fault are shown with their examples even where others have one.
    """
    documents, errors = read(directory)
    rules, refused = parse_all(documents)
    errors += refused
    failed: list[ExampleFailure] = []
    try:
        failed = RuleSet.compile(rules).check_examples()
    except RuleErrors as group:
        errors += group.faults
    for rule in rules:
        print(_line(rule, sum(one.rule is rule for one in failed)))
    return _end(rules, [*errors, *(one.as_error() for one in failed)])


def _line(rule: Rule, failed: int) -> str:
    count = len(rule.match) + len(rule.no_match)
    examples = "examples not run" if rule.mode == "off" else f"examples {count - failed}/{count}"
    return f"{rule.id:<28} {rule.mode:<7} weight {rule.weight:>5.1f}  {examples:<16}  {rule.file}"


def _end(rules: list[Rule], faults: Iterable[RuleError]) -> int:
    faults = list(faults)
    for fault in faults:
        print(fault, file=sys.stderr)
    told = f"{len(faults)} fault{'s' * (len(faults) > 1)}" if faults else "all well"
    print(f"{len(rules)} rules, {told}")
    return 1 if faults else 0
