"""What a rule may do at most: reports in a time, the precision it must keep, and an action beyond a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from mastowatch.domain import reading
from mastowatch.domain.reading import Keys, Reader

Action = Literal["report", "sensitive", "silence", "suspend"]
# The mildest first.
ACTIONS: tuple[Action, ...] = ("report", "sensitive", "silence", "suspend")
# Mastodon deletes what a suspended account has posted 30 days after; no undoing brings that back.
EXPIRES_MAX = timedelta(days=28)
PRECISION_MIN, PRECISION_AFTER = 0.5, 20
_REPORTS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Past these a rule drops to shadow; LIMIT_KEYS says what each means. None: as the settings say."""

    reports_per_hour: int | None = None
    reports_per_day: int | None = None
    precision_min: float = PRECISION_MIN
    precision_after: int = PRECISION_AFTER


NO_LIMITS = Limits()


def _reports(reader: Reader, key: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _REPORTS_MAX:
        raise reader.fail(key, f"{value!r} is not a whole number from 1 to {_REPORTS_MAX}", f"write {key} = 20")
    return value


def _share(reader: Reader, key: str, value: object) -> float:
    share = reading.number(reader, key, value)
    if share > 1:
        raise reader.fail(key, f"{value!r} is more than all", "write 0.5 for half of the reports; 0 never drops it")
    return share


LIMIT_KEYS: Keys = {
    "reports_per_hour": (_reports, "Past so many reports in an hour it drops to shadow; `RULE_REPORTS_PER_HOUR`."),
    "reports_per_day": (_reports, "Past so many in 24 hours it drops to shadow; `RULE_REPORTS_PER_DAY`."),
    "precision_min": (
        _share,
        f"Where moderators keep a smaller share of its reports it drops to shadow; {PRECISION_MIN}.",
    ),
    "precision_after": (_reports, f"How many decided reports that takes at least; {PRECISION_AFTER}."),
}


def read_limits(file: str, document: Mapping[str, Any]) -> Limits:
    """Return the table ``[limits]`` of a rule's document; raises RuleError."""
    return Limits(**Reader(file, "limits", document.get("limits", {})).read(LIMIT_KEYS))


def read_action(top: Reader) -> dict[str, Any]:
    """Return Rule's arguments ``action`` and ``expires``; raises RuleError."""
    action = top.choice("action", ACTIONS, "report")
    expires = reading.duration(top, "expires", top.values["expires"]) if "expires" in top else None
    if action == "report" and expires is not None:
        raise top.fail("expires", "says when an action ends, but a report has no end", "take it away, or add action")
    if action != "report" and expires is None:
        raise top.fail("expires", f"is missing: {action!r} must end by itself", 'write expires = "7d"')
    if expires is not None and expires > EXPIRES_MAX:
        raise top.fail("expires", "is too long for an action that nobody has looked at", 'at most "28d"')
    return {"action": action, "expires": expires}
