"""What a rule may do at most: reports in a time, the precision it must keep, and an action beyond a report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, get_args

from mastowatch.domain import reading
from mastowatch.domain.reading import Keys, Reader
from mastowatch.ports.types import Measure

Action = Literal["report"] | Measure
# The mildest first.
ACTIONS: tuple[Action, ...] = ("report", *get_args(Measure))
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


_reports = reading.between(1, _REPORTS_MAX)


def _share(reader: Reader, key: str, value: object) -> float:
    share = reading.number(reader, key, value)
    if share > 1:
        raise reader.fail(key, f"{share} is more than all", "write 0.5 for half of the reports; 0 never drops it")
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


def read_action(top: Reader) -> dict[str, Any]:
    """Return Rule's arguments ``action`` and ``expires``; what is wrong with them is noted in ``top``."""
    given = top.every({"action": reading.choice(*ACTIONS, default="report"), "expires": _expires})
    action, expires = given.get("action", "report"), given.get("expires")
    if action == "report" and expires is not None:
        top.refuse("expires", "says when an action ends, but a report has no end", "take it away, or add action")
    if action != "report" and "expires" not in top:
        top.refuse("expires", f"is missing: {action!r} must end by itself", 'write expires = "7d"')
    return given


def _expires(top: Reader, key: str, value: object) -> timedelta | None:
    if value is None:
        return None
    expires = reading.duration(top, key, value)
    if expires > EXPIRES_MAX:
        raise top.fail(key, "is too long for an action that nobody has looked at", 'at most "28d"')
    return expires
