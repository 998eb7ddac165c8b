"""``mastowatch rules check``: reads the rules and runs their examples, as tests."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mastowatch.config import Loaded
from mastowatch.domain.composites import independent_of
from mastowatch.domain.examples import ExampleFailure
from mastowatch.domain.reading import Lists
from mastowatch.domain.rule import Rule
from mastowatch.domain.ruleset import RuleSet, parse_all
from mastowatch.errors import RuleError, RuleErrors
from mastowatch.jobs.context import read_rule_documents

Read = tuple[list[tuple[str, dict[str, Any]]], Lists, list[RuleError]]


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Check the directory in ``arguments``, or RULES_DIR."""
    return check(read_rule_documents, arguments.directory or loaded.settings.rules_dir)


def check(read: Callable[[Path], Read], directory: Path) -> int:
    """Print a line a rule and a line a fault; 1 if there is a fault.

    Rules without a fault are shown with their examples even where others have one.
    """
    documents, lists, errors = read(directory)
    rules, refused = parse_all(documents, lists)
    errors = [*errors, *refused]
    tried = independent_of(rules, _unread(documents, rules))
    failed: list[ExampleFailure] = []
    try:
        failed = RuleSet.compile(tried).check_examples()
    except RuleErrors as group:
        errors += group.faults
        tried = []
    for rule in rules:
        print(_line(rule, sum(one.rule is rule for one in failed), tried=rule in tried and rule.mode != "off"))
    return _end(rules, [*errors, *(one.as_error() for one in failed)])


def _unread(documents: Iterable[tuple[str, dict[str, Any]]], rules: Iterable[Rule]) -> set[str]:
    """Return the ids of rules whose files have faults: that others look at them is no fault of those."""
    return {str(document.get("id")) for _, document in documents} - {rule.id for rule in rules}


def _line(rule: Rule, failed: int, *, tried: bool) -> str:
    count = len(rule.match) + len(rule.no_match)
    examples = f"examples {count - failed}/{count}" if tried else "examples not run"
    return f"{rule.id:<28} {rule.mode:<7} weight {rule.weight:>5.1f}  {examples:<16}  {rule.file}"


def _end(rules: list[Rule], faults: Iterable[RuleError]) -> int:
    faults = list(faults)
    for fault in faults:
        print(fault, file=sys.stderr)
    told = f"{len(faults)} fault{'s' * (len(faults) > 1)}" if faults else "all well"
    print(f"{len(rules)} rules, {told}")
    return 1 if faults else 0
