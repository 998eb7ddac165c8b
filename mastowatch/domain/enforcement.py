"""What is done to an account beside reporting it, where a rule asks for it, and when that may be undone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import get_args

from mastowatch.domain.evidence import age
from mastowatch.domain.rule import Rule
from mastowatch.domain.verdict import Verdict
from mastowatch.ports.types import Account, AccountAction, Measure

_MILDEST_FIRST: tuple[Measure, ...] = get_args(Measure)
_TOLD: Mapping[Measure, str] = {
    "sensitive": "Its media are marked sensitive",
    "silence": "It is limited",
    "suspend": "It is suspended",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A measure that a rule asks for, and for how long."""

    measure: Measure
    expires: timedelta
    rule_id: str

    @property
    def told(self) -> str:
        """Return a sentence for the report."""
        return f"{_TOLD[self.measure]} by MastoWatch for {age(self.expires)}, or for good once this report is resolved."


def wanted(verdict: Verdict, rules: Iterable[Rule]) -> Wanted | None:
    """Return the strongest measure that the rules of the score ask for, for the longest time; None for none."""
    hit = set(verdict.counting_rules)
    asked = [
        Wanted(rule.action, rule.expires, rule.id)
        for rule in rules
        if rule.id in hit and rule.action != "report" and rule.expires is not None
    ]
    return max(asked, key=lambda one: (_MILDEST_FIRST.index(one.measure), one.expires, one.rule_id), default=None)


def announced(comment: str) -> Measure | None:
    """Return the measure that a report of ours says is taken beside it; None for none."""
    said = (measure for measure in _MILDEST_FIRST if f"\n{_TOLD[measure]} by MastoWatch for " in comment)
    return next(said, None)


def in_force(account: Account) -> frozenset[str]:
    """Return the measures in force on the account, and "disable", which is a person's alone."""
    states = {
        "sensitive": account.sensitized,
        "silence": account.silenced,
        "suspend": account.suspended,
        "disable": account.disabled,
    }
    return frozenset(name for name, on in states.items() if on)


def is_needless(wanted: Wanted, account: Account) -> bool:
    """Tell whether it, or something stronger, is in force already, by a person's decision."""
    measures = _MILDEST_FIRST[_MILDEST_FIRST.index(wanted.measure) :]
    return bool(in_force(account) & {*measures, "disable"})


def left_because(action: AccountAction, account: Account) -> str:
    """Return why the measure is not undone, as a moderator has decided otherwise since; "" to undo it."""
    now = in_force(account)
    if action.measure not in now:
        return "it was lifted already"
    if now != {action.measure, *action.others}:
        return f"moderators have changed it since: {', '.join(sorted(now))} in force"
    return ""
