"""Writes the comment of a report: why, in words a moderator reads in the morning, and safe to forward.

Mastodon takes 1,000 characters. What does not fit is shortened: evidence first, then the lightest rules. The
marker always stays: the report is found by it. The figures shown always add up to the score.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from mastowatch.domain.evidence import age
from mastowatch.domain.masking import mask, one_line
from mastowatch.domain.verdict import Reason, Verdict
from mastowatch.ports.types import Account

LENGTH_MAX = 1000
# Lengths of evidence that are tried, the longest first.
_EVIDENCE_STEPS = (240, 120, 60, 0)
_NAME_MAX, _AGAIN_MAX = 80, 160


def render(
    verdict: Verdict,
    account: Account,
    *,
    report_at: float,
    marker: str,
    attached: int,
    posts_seen: int,
    now: datetime,
    again: str = "",
    action: str = "",
) -> str:
    """Return the comment, at most LENGTH_MAX characters, with ``[mw:marker]`` at its end.

    ``again`` says what is new where the account was reported before, ``action`` what is done beside reporting it.
    """
    score = _decimal(verdict.score)
    head = [f"MastoWatch: score {_figure(score)} (report at {_figure(_decimal(report_at))})"]
    if again:
        head.append(_cut(one_line(again), _AGAIN_MAX))
    facts = f"Account: {age(now - account.created_at)} old, {account.followers} followers."
    tail = f"{facts} Posts attached: {attached} of {posts_seen}.\n{action or 'No action was taken.'} [mw:{marker}]"
    counting = [reason for reason in verdict.reasons if not reason.shadow]
    return "\n".join([*head, *_fitting(counting, score, LENGTH_MAX - _size(head) - len(tail) - 1), tail])


def _fitting(reasons: Sequence[Reason], score: Decimal, room: int) -> list[str]:
    """Return a line or two for each reason, heaviest first, in at most ``room`` characters with line ends."""
    for length in _EVIDENCE_STEPS:
        lines = _with_rest(reasons, len(reasons), score, length)
        if _size(lines) <= room:
            return lines
    for count in range(len(reasons) - 1, 0, -1):
        lines = _with_rest(reasons, count, score, 0)
        if _size(lines) <= room:
            return lines
    return _with_rest(reasons, 0, score, 0)


def _with_rest(reasons: Sequence[Reason], count: int, score: Decimal, evidence_length: int) -> list[str]:
    """Return the lines of the first ``count`` reasons, and what the others add to make up the score."""
    shown, hidden = reasons[:count], len(reasons) - count
    rest = score - sum((_decimal(reason.weight) for reason in shown), Decimal(0))
    lines = [line for reason in shown for line in _lines(reason, evidence_length)]
    if hidden:
        return [*lines, f"... and {hidden} more ({_figure(rest)})"]
    # Only weights with more decimals than are shown leave anything.
    return [*lines, f"rounding: {_figure(rest)}"] if rest else lines


def _size(lines: Sequence[str]) -> int:
    return sum(len(line) + 1 for line in lines)


def _lines(reason: Reason, evidence_length: int) -> list[str]:
    name = _cut(mask(reason.rule_name), _NAME_MAX)
    line = f"+ {_figure(_decimal(reason.weight))} {name} [{one_line(reason.rule_id)}]"
    evidence = _cut(mask(reason.evidence), evidence_length) if evidence_length else ""
    return [line, f"  {evidence}"] if evidence else [line]


def _decimal(value: float) -> Decimal:
    """Return ``value`` as people write it, to six places, as scores are rounded."""
    return round(Decimal(repr(value)), 6)


def _figure(value: Decimal) -> str:
    """Return it with one decimal, and with more only where there are more."""
    whole, _, places = f"{value:f}".partition(".")
    return f"{whole}.{places.rstrip('0') or '0'}"


def exact(value: float) -> str:
    """Return a weight or a score as the comment shows it: with one decimal, and more only where there are more."""
    return _figure(_decimal(value))


def remainder(total: float, weights: Iterable[float]) -> float:
    """Return what ``total`` has beside the weights as they are shown, so that what is shown adds up; mostly 0."""
    return float(_decimal(total) - sum(map(_decimal, weights), Decimal(0)))


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 3].rstrip()}..."
