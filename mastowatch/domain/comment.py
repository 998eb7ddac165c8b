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
    facts = f"Account: {age(now - account.created_at)} old, {account.followers} followers."
    tail = f"{facts} Posts attached: {attached} of {posts_seen}.\nNo action was taken. [mw:{marker}]"
    counting = [reason for reason in verdict.reasons if not reason.shadow]
    return "\n".join([head, *_fitting(counting, LENGTH_MAX - len(head) - len(tail) - 2), tail])


def _fitting(reasons: Sequence[Reason], room: int) -> list[str]:
    """Return a line or two for each reason, heaviest first, in at most ``room`` characters with line ends."""
    for length in _EVIDENCE_STEPS:
        lines = [_lines(reason, length) for reason in reasons]
        if _size(lines) <= room:
            return lines
    return _heaviest([_lines(reason, 0) for reason in reasons], room)


def _heaviest(lines: list[str], room: int) -> list[str]:
    """Return as many of ``lines`` as there is room for, and how many there are more."""
    for count in range(len(lines) - 1, -1, -1):
        kept = [*lines[:count], f"... and {len(lines) - count} more"]
        if _size(kept) <= room:
            return kept
    return []


def _size(lines: Sequence[str]) -> int:
    return sum(len(line) + 1 for line in lines)


def _lines(reason: Reason, evidence_length: int) -> str:
    line = f"+ {reason.weight:.1f} {reason.rule_name} [{reason.rule_id}]"
    return f"{line}\n  {_cut(reason.evidence, evidence_length)}" if reason.evidence and evidence_length else line


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 3].rstrip()}..."
