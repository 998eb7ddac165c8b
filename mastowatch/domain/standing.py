"""Tells how an account stands with Mastodon: which reports are ours, what is in them, and what is new since.

Pure: the reports are looked up by ``jobs.filing``. See docs/explanation/filing-once.md.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from mastowatch.domain.verdict import Verdict
from mastowatch.ports.types import FiledReport, Status

_MARKER = re.compile(r"\[mw:([0-9a-f]{8})\]\s*\Z")
# As ``comment`` writes them.
_RULE = re.compile(r"^\+ \d+\.\d+ .*\[([^\[\]\s]+)\]$", re.MULTILINE)
_MORE = re.compile(r"^\.\.\. and \d+ more", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class News:
    """What a verdict rests on that an earlier report did not have; false when there is nothing."""

    rules: tuple[str, ...] = ()
    status_ids: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rules or self.status_ids)

    def __str__(self) -> str:
        rules = f"rule{'s' * (len(self.rules) > 1)} {', '.join(self.rules)}" if self.rules else ""
        posts = f"{len(self.status_ids)} newer post{'s' * (len(self.status_ids) > 1)}" if self.status_ids else ""
        return "; ".join(filter(None, (rules, posts))) or "nothing new"


NOTHING = News()


def marker(instance: str, bot_id: str, account_id: str, generation: int) -> str:
    """Return the marker of the ``generation``-th report of a bot on an account.

    The same whoever computes it and whenever: a claim that was lost leads to it again.
    """
    return hashlib.sha256("\0".join((instance, bot_id, account_id, str(generation))).encode()).hexdigest()[:8]


def marker_in(comment: str) -> str:
    """Return the marker that ends a comment of ours, or "": somebody wrote it by hand with the bot's account."""
    found = _MARKER.search(comment)
    return found[1] if found else ""


def ours(reports: Iterable[FiledReport]) -> tuple[FiledReport, ...]:
    """Return those of the bot's own reports that MastoWatch filed."""
    return tuple(one for one in reports if marker_in(one.comment))


def rules_in(comment: str) -> tuple[tuple[str, ...], bool]:
    """Return the ids of the rules that a comment of ours names, and whether these are all it rests on."""
    return tuple(_RULE.findall(comment)), _MORE.search(comment) is None


def news(
    verdict: Verdict,
    statuses: Sequence[Status],
    *,
    rules: Collection[str] | None,
    status_ids: Collection[str] = (),
    since: datetime,
) -> News:
    """Return what is new: rules not among ``rules``, and posts made after ``since`` that are not attached already.

    ``rules=None``: nobody knows which there were, so that only posts can be new.
    """
    made = {status.id: status.created_at for status in statuses}
    newer = (one for one in verdict.status_ids if one in made and made[one] > since and one not in status_ids)
    unknown = () if rules is None else (one for one in verdict.counting_rules if one not in rules)
    return News(tuple(unknown), tuple(newer))


def news_since(
    reports: Sequence[FiledReport], verdict: Verdict, statuses: Sequence[Status], remembered: Collection[str] = ()
) -> News:
    """Return what none of ``reports``, newest first, had; ``remembered`` are the rules in the newest, if we know."""
    told = [rules_in(one.comment) for one in reports]
    whole = bool(remembered) or all(complete for _, complete in told)
    return news(
        verdict,
        statuses,
        rules={*remembered, *(rule for rules, _ in told for rule in rules)} if whole else None,
        status_ids={status_id for one in reports for status_id in one.status_ids},
        since=reports[0].created_at,
    )
