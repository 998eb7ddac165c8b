"""``mastowatch rules check``: reads the rules and runs their examples, as tests."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mastowatch.config import Loaded
from mastowatch.domain import examples
from mastowatch.errors import RuleError
from mastowatch.jobs.context import load_rules


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Print a line a rule and a line a fault; 1 if there is a fault."""
    directory = arguments.directory or loaded.settings.rules_dir or Path()
    try:
        rules = load_rules(directory)
        failures = examples.check(rules)
    except RuleError as error:
        return _faults([error])
    except ExceptionGroup as group:
        return _faults(group.exceptions)
    for rule in rules.rules:
        count = len(rule.match) + len(rule.no_match)
        print(f"{rule.id:<28} {rule.mode:<7} weight {rule.weight:>5.1f}  {count} examples  {rule.file}")
    if failures:
        return _faults(failures)
    print(f"{len(rules.rules)} rules, all examples as they should be")
    return 0


def _faults(faults: Sequence[object]) -> int:
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1
