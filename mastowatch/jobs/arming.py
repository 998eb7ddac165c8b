"""Re-arms what a breaker has dropped, and has the accounts that it kept back judged again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mastowatch.jobs import trail
from mastowatch.jobs.queues import Jobs
from mastowatch.logs import event
from mastowatch.ports import store
from mastowatch.ports.types import EVERY_RULE, AuditEntry

log = logging.getLogger(__name__)

ALL = "all"


class Where(Protocol):
    """What arming touches; a Context and a View have it."""

    @property
    def rule_switches(self) -> store.RuleSwitches: ...  # noqa: D102 -- as in Context
    @property
    def quotas(self) -> store.Quotas: ...  # noqa: D102
    @property
    def held(self) -> store.Held: ...  # noqa: D102
    @property
    def audit(self) -> store.Audit: ...  # noqa: D102
    @property
    def jobs(self) -> Jobs: ...  # noqa: D102
    @property
    def clock(self) -> Callable[[], float]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Armed:
    """What was re-armed (rule ids, EVERY_RULE for all reporting), and how many accounts are judged again for it."""

    scopes: tuple[str, ...]
    queued: int


def arm(where: Where, which: str, by: str) -> Armed:
    """Re-arm the rule ``which``, or with "all" everything that was dropped and the pause of all reporting.

    Its counters begin anew: else the next report would trip it again. Whatever it kept back is judged again; one
    that died in between is made good by calling it once more.
    """
    scopes = _scopes(where, which)
    armed = tuple(scope for scope in scopes if _rearm(where, scope, by))
    return Armed(armed, sum(_release(where, scope) for scope in scopes))


def _scopes(where: Where, which: str) -> list[str]:
    if which != ALL:
        return [which]
    # What was re-armed before as well: whoever died after that has judged nobody again.
    rules = {*where.rule_switches.shadowed(), *where.rule_switches.rearmed()} - {EVERY_RULE}
    return [*sorted(rules), EVERY_RULE]


def _rearm(where: Where, scope: str, by: str) -> bool:
    now, everything = where.clock(), scope == EVERY_RULE
    if not (where.rule_switches.paused() if everything else scope in where.rule_switches.shadowed()):
        return False
    # First, while nothing is counted: else a report right after the rearming finds the old count, and trips it again.
    where.quotas.clear(scope)
    if not where.rule_switches.rearm(scope, now):
        return False
    event(log, logging.WARNING, "reporting_resumed" if everything else "rule_rearmed", rule_id=scope, by=by)
    trail.write(where, AuditEntry(now, "rearmed", "counts again", f"re-armed by {by}", rules={scope: 0.0}, by=by))
    return True


def _release(where: Where, scope: str) -> int:
    """Queue the judgement of each account held; forgotten only once it is queued. How many were."""
    held = where.held.waiting(scope)
    for account_id, held_at in held.items():
        where.jobs.analyze_again(account_id)
        where.held.release(scope, account_id, held_at)
    return len(held)
