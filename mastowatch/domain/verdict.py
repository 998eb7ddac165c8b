"""What the rules make of an account: a score, a level, and the reasons, each with evidence people can read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mastowatch.ports.types import Category

Level = Literal["none", "watch", "report"]


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule that hit. ``evidence`` quotes words and hosts, never whole posts; ``status_ids`` newest first."""

    rule_id: str
    rule_name: str
    weight: float
    shadow: bool
    evidence: str
    status_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The sum. Shadow rules add up apart in ``shadow_score`` and never change the level."""

    score: float
    shadow_score: float
    level: Level
    reasons: tuple[Reason, ...] = ()
    status_ids: tuple[str, ...] = ()
    category: Category = "other"
    rule_ids: tuple[str, ...] = ()
    forward: bool = False

    @property
    def counting_rules(self) -> tuple[str, ...]:
        """The ids of the rules whose weights make up the score."""
        return tuple(reason.rule_id for reason in self.reasons if not reason.shadow)


def level_of(score: float, *, watch_at: float, report_at: float) -> Level:
    """Return the level that ``score`` reaches."""
    if score >= report_at:
        return "report"
    return "watch" if score >= watch_at else "none"
