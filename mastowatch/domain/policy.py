"""Decides what a verdict leads to. Never the bot itself, staff, who is suspended already, or who is exempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mastowatch.domain.verdict import Verdict
from mastowatch.ports.types import Account

Action = Literal["none", "watch", "rehearse", "report", "exempt"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and why in a sentence."""

    action: Action
    why: str


def decide(
    verdict: Verdict,
    account: Account,
    *,
    me_id: str,
    exempt_accounts: frozenset[str],
    exempt_domains: frozenset[str],
    dry_run: bool,
) -> Decision:
    """Return the decision. Names in ``exempt_accounts`` and ``exempt_domains`` are in lower case."""
    if verdict.level == "none":
        return Decision("none", "the score is below both thresholds")
    spared = _spared(account, me_id, exempt_accounts, exempt_domains)
    if spared:
        return Decision("exempt", spared)
    if verdict.level == "watch":
        return Decision("watch", "the score is below the threshold for a report")
    if dry_run:
        return Decision("rehearse", "DRY_RUN is on: nothing is filed")
    return Decision("report", "the score reached the threshold for a report")


def _spared(account: Account, me_id: str, accounts: frozenset[str], domains: frozenset[str]) -> str:
    if account.id == me_id:
        return "it is the bot itself"
    if account.staff:
        return "it belongs to the staff"
    if account.suspended:
        return "it is suspended already"
    if account.acct.lower() in accounts:
        return "EXEMPT_ACCOUNTS lists it"
    domain = (account.domain or "").lower()
    if any(domain == one or domain.endswith(f".{one}") for one in domains if domain):
        return "EXEMPT_DOMAINS lists its domain"
    return ""
