"""How many reports a rule, and all rules together, may lead to before a person has to look.

A breaker counts reports in sliding windows of an hour and a day, before each is filed. See
docs/explanation/breakers.md for why the defaults are what they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mastowatch.domain.limits import Limits
from mastowatch.domain.wording import count
from mastowatch.ports.types import EVERY_RULE, Full, Quota


@dataclass(frozen=True, slots=True)
class Defaults:
    """Limits of a rule that names none, and of all rules together."""

    rule_per_hour: int
    rule_per_day: int
    all_per_hour: int
    all_per_day: int


def quotas(rules: Iterable[tuple[str, Limits]], defaults: Defaults) -> tuple[Quota, ...]:
    """Return what a report that these rules (id, limits) lead to must be counted in: all together, then each."""
    of_rules = (
        Quota(
            rule_id, limits.reports_per_hour or defaults.rule_per_hour, limits.reports_per_day or defaults.rule_per_day
        )
        for rule_id, limits in rules
    )
    return (Quota(EVERY_RULE, defaults.all_per_hour, defaults.all_per_day), *of_rules)


def why(full: Full) -> str:
    """Return why the breaker tripped, for people."""
    window = "an hour" if full.window == "hour" else "24 hours"
    return f"{count(full.limit, 'report')} within {window}, and another one was due"
