"""Decides what a verdict leads to. Never the bot itself, staff, who is suspended already, or who is exempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mastowatch.domain.text import ascii_host, host_of
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
    our_bots: frozenset[str] = frozenset(),
) -> Decision:
    """Return the decision.

    ``exempt_accounts`` and ``our_bots`` are accts; one of this server may stand there as ``name`` or
    ``name@its.domain``, and ``exempt_domains`` cover the domains below them. Case makes no difference. That an account
    calls itself a bot spares it not: anybody may tick that box.
    """
    if verdict.level == "none":
        return Decision("none", "the score is below both thresholds")
    spared = _spared(account, me_id, exempt_accounts, our_bots, exempt_domains)
    if spared:
        return Decision("exempt", spared)
    if verdict.level == "watch":
        return Decision("watch", "the score is below the threshold for a report")
    if dry_run:
        return Decision("rehearse", "the dry run is on (DRY_RUN, or its switch): nothing is filed")
    return Decision("report", "the score reached the threshold for a report")


def followers_matter(decision: Decision) -> bool:
    """Return whether it makes a difference that people of this server follow the account: it costs a request."""
    return decision.action in ("rehearse", "report")


def spare_followed() -> Decision:
    """Return the decision on an account that people of this server follow."""
    return Decision("exempt", "somebody on this server follows it (EXEMPT_FOLLOWED_LOCALLY)")


def _spared(
    account: Account, me_id: str, accounts: frozenset[str], bots: frozenset[str], domains: frozenset[str]
) -> str:
    """Return why the account is left alone, or "" where it isn't."""
    if account.id == me_id:
        return "it is the bot itself"
    if account.staff:
        return "it belongs to the staff"
    if account.suspended:
        return "it is suspended already"
    if _listed(account, accounts):
        return "EXEMPT_ACCOUNTS lists it"
    if _listed(account, bots):
        return "OUR_BOTS lists it"
    if any(_below(_domain(account), one.lower().strip(".")) for one in domains):
        return "EXEMPT_DOMAINS lists its domain"
    return ""


def _listed(account: Account, accts: frozenset[str]) -> bool:
    return bool(_names(account) & {one.lower().removeprefix("@") for one in accts})


def _names(account: Account) -> set[str]:
    """Return the names an account may be listed by."""
    username = account.username.lower()
    names = {account.acct.lower(), f"{username}@{_domain(account)}"}
    return names | {username} if account.domain is None else names


def _domain(account: Account) -> str:
    """Return its domain; this server's own stands in the addresses of its accounts."""
    return ascii_host(account.domain) if account.domain else host_of(account.url)


def _below(domain: str, parent: str) -> bool:
    return bool(parent) and (domain == parent or domain.endswith(f".{parent}"))
