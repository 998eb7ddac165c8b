"""Notices when the rule files have changed, and reads them: all of them come into force, or none.

A file that is being written is not read: a change counts when nothing has changed any more for a second. Bad files
are told of once, not at each look, and leave the rules that were in force in force.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from mastowatch.domain.ruleset import RuleSet
from mastowatch.errors import MastoWatchError, RuleErrors
from mastowatch.jobs.context import load_rules, stamp_of_rules
from mastowatch.logs import event

log = logging.getLogger(__name__)

LOOK_S, QUIET_S = 2.0, 1.0
TOLD_MAX = 5  # faults in one line of the journal


class RuleFiles:
    """The rule files of a process. Make it before the rules are read for the first time: it counts from there."""

    def __init__(self, directory: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._directory, self._clock = directory, clock
        self._read = self._seen = stamp_of_rules(directory)
        self._look_at = clock() + LOOK_S

    def changed(self) -> bool:
        """Tell whether other files are there than were read last, and have stood still since the look before.

        Looks at the files every LOOK_S at most, and again after QUIET_S where something has changed.
        """
        if self._clock() < self._look_at:
            return False
        found = stamp_of_rules(self._directory)
        still, self._seen = found == self._seen, found
        fresh = found != self._read
        self._look_at = self._clock() + (QUIET_S if fresh and not still else LOOK_S)
        return fresh and still

    def read(self, directory: Path, before: RuleSet) -> RuleSet:
        """Return the rules in ``directory``, or ``before`` where anything is wrong; says what came of it."""
        self._directory = directory
        # Looked at before they are read: what changes meanwhile is a change.
        self._read = self._seen = stamp_of_rules(directory)
        try:
            rules = load_rules(directory)
        except MastoWatchError as error:
            event(log, logging.ERROR, "rules_not_reloaded", error=_told(error), in_force=before.digest)
            return before
        event(log, logging.INFO, "rules_reloaded", rules=len(rules), digest=rules.digest)
        return rules


def _told(error: MastoWatchError) -> str:
    if not isinstance(error, RuleErrors) or len(error.faults) <= TOLD_MAX:
        return str(error)
    told = "; ".join(map(str, error.faults[:TOLD_MAX]))
    return f"{told}; and {len(error.faults) - TOLD_MAX} more: mastowatch rules check names all"
