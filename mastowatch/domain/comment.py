"""Writes the comment of a report: why, in words a moderator reads in the morning, and safe to forward.

Mastodon takes 1,000 characters. What does not fit is shortened: evidence first, then the lightest rules. The
marker always stays: the report is found by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mastowatch.domain.evidence import age
from mastowatch.domain.verdict import Reason, Verdict
from mastowatch.ports.types import Account

LENGTH_MAX = 1000
# Lengths of evidence that are tried, the longest first.
_EVIDENCE_STEPS = (240, 120, 60, 0)


def render(
    verdict: Verdict, account: Account, *, report_at: float, marker: str, attached: int, posts_seen: int, now: datetime
) -> str:
    """Return the comment, at most LENGTH_MAX characters, with ``[mw:marker]`` at its end."""
    head = f"MastoWatch: score {verdict.score:.1f} (report at {report_at:.1f})"
    facts = (
        f"Account: {age(max(now - account.created_at, now - now))} old, {account.followers} followers."
        f" Posts attached: {attached} of {posts_seen}."
    )
    tail = f"{facts}\nNo action was taken. [mw:{marker}]"
    counting = [reason for reason in verdict.reasons if not reason.shadow]
    return "\n".join([head, *_fitting(counting, LENGTH_MAX - len(head) - len(tail) - 2), tail])


def _fitting(reasons: Sequence[Reason], room: int) -> list[str]:
    for length in _EVIDENCE_STEPS:
        lines = [_line(reason, length) for reason in reasons]
        if sum(len(line) + 1 for line in lines) <= room:
            return lines
    kept: list[str] = []
    for number, reason in enumerate(reasons):
        line, rest = _line(reason, 0), f"... and {len(reasons) - number} more rules"
        if sum(len(one) + 1 for one in kept) + len(line) + 1 + len(rest) + 1 > room:
            return [*kept, rest]
        kept.append(line)
    return kept


def _line(reason: Reason, evidence_length: int) -> str:
    line = f"+ {reason.weight:.1f} {reason.rule_name[:80]} [{reason.rule_id}]"
    shown = reason.evidence[:evidence_length]
    return f"{line}\n  {shown}" if shown else line
