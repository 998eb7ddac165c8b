"""The rules as they stand in RULES_DIR now, read once for each change of the files, for processes that show them.

Workers read them by themselves, and keep what they had while a file has a fault; so do not take these for the rules in
force where there are faults.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mastowatch.domain.explaining import Explainer
from mastowatch.domain.rule import Rule
from mastowatch.domain.ruleset import RuleSet, parse_all
from mastowatch.errors import RuleError, RuleErrors
from mastowatch.jobs.context import load_rules, read_rule_documents, stamp_of_rules

_lock = threading.Lock()


@dataclass(frozen=True)
class RulesOnDisk:
    """The rules that can be read, and what is wrong with the others. ``loaded`` is None while anything is wrong."""

    rules: tuple[Rule, ...]
    faults: tuple[RuleError, ...]
    loaded: RuleSet | None
    explainer: Explainer | None


def rules_on_disk(directory: Path) -> RulesOnDisk:
    """Return the rules in ``directory``; compiles them where a file has changed since. Raises nothing."""
    # Before they are read: what changes meanwhile is read again the next time.
    stamp = stamp_of_rules(directory)
    with _lock:  # two who ask at once wait for one reading
        return _read(directory, stamp)


@lru_cache(maxsize=2)
def _read(directory: Path, stamp: object) -> RulesOnDisk:
    del stamp
    try:
        loaded = load_rules(directory)
    except RuleErrors as error:
        documents, lists, _ = read_rule_documents(directory)
        rules, _ = parse_all(documents, lists)
        return RulesOnDisk(tuple(rules), tuple(error.faults), None, None)
    return RulesOnDisk(loaded.rules, (), loaded, Explainer(loaded))
