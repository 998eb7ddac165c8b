"""Turns the conditions of a rule into checks over a profile or a post.

A check is a plain function; a table of them keeps every condition to one line. Words and patterns become
features of the matcher first, so that a text is scanned once for all rules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mastowatch.domain.facts import Post, Profile
from mastowatch.domain.matcher import Features, Matcher
from mastowatch.domain.rule import AccountConditions, StatusConditions
from mastowatch.domain.text import Text

Seen = TypeVar("Seen", Profile, Post)
# Takes a Profile or a Post, whichever its table is about.
Check = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Compiled(Generic[Seen]):
    """The checks of one table, cheap ones first. ``features`` are those that the words and patterns became."""

    checks: tuple[Check, ...]
    features: tuple[int, ...] = ()

    def all_hold(self, seen: Seen) -> bool:
        """Tell whether every condition holds; an empty table always does."""
        for check in self.checks:  # noqa: SIM110 -- all() takes twice as long
            if not check(seen):
                return False
        return True

    def any_holds(self, seen: Seen) -> bool:
        """Tell whether one condition holds; an empty table never does."""
        return any(check(seen) for check in self.checks)


def compile_account(given: AccountConditions, matcher: Matcher, *, file: str, table: str) -> Compiled[Profile]:
    """Return the checks of an account table; registers its words and patterns with ``matcher``."""
    checks = _numbers(given, _ACCOUNT)
    if given.link_hosts:
        checks.append(_hosts_check(given.link_hosts, lambda seen: seen.bio))
    features = []
    for key, where in _ACCOUNT_TEXTS.items():
        if getattr(given, key):
            features.append(_feature(matcher, getattr(given, key), file=file, key=f"{table}.{key}"))
            checks.append(_feature_check(features[-1], where))
    return Compiled(tuple(checks), tuple(features))


def compile_status(given: StatusConditions, matcher: Matcher, *, file: str, table: str) -> Compiled[Post]:
    """Return the checks of a status table; registers its words and patterns with ``matcher``."""
    checks = _numbers(given, _STATUS)
    if given.visibility:
        checks.append(_visibility_check(frozenset(given.visibility)))
    if given.languages:
        checks.append(_language_check(frozenset(given.languages)))
    if given.link_hosts:
        checks.append(_hosts_check(given.link_hosts, lambda seen: seen.text))
    features = [
        _feature(matcher, getattr(given, key), file=file, key=f"{table}.{key}")
        for key in ("words", "pattern")
        if getattr(given, key)
    ]
    checks.extend(_feature_check(feature, lambda seen: seen.features) for feature in features)
    return Compiled(tuple(checks), tuple(features))


_ACCOUNT: dict[str, Callable[[Any], Check]] = {
    "age_max": lambda limit: lambda seen: seen.age <= limit,
    "age_min": lambda limit: lambda seen: seen.age >= limit,
    "followers_max": lambda limit: lambda seen: seen.account.followers <= limit,
    "followers_min": lambda limit: lambda seen: seen.account.followers >= limit,
    "following_max": lambda limit: lambda seen: seen.account.following <= limit,
    "following_min": lambda limit: lambda seen: seen.account.following >= limit,
    "statuses_max": lambda limit: lambda seen: seen.account.statuses <= limit,
    "statuses_min": lambda limit: lambda seen: seen.account.statuses >= limit,
    "statuses_per_day_min": lambda limit: lambda seen: seen.statuses_per_day >= limit,
    "bot": lambda wanted: lambda seen: seen.account.bot == wanted,
    "discovered_max": lambda limit: lambda seen: seen.known_for(limit),
    "following_per_follower_min": lambda limit: lambda seen: seen.following_per_follower >= limit,
    "links_min": lambda limit: lambda seen: len(seen.bio.links) >= limit,
    "lookalike": lambda wanted: lambda seen: bool(seen.name.lookalikes or seen.bio.lookalikes) == wanted,
}
_ACCOUNT_TEXTS: dict[str, Callable[[Profile], Features]] = {
    "username_pattern": lambda seen: seen.username_features,
    "name_words": lambda seen: seen.name_features,
    "name_pattern": lambda seen: seen.name_features,
    "bio_words": lambda seen: seen.bio_features,
    "bio_pattern": lambda seen: seen.bio_features,
}
_STATUS: dict[str, Callable[[Any], Check]] = {
    "links_min": lambda limit: lambda seen: len(seen.text.links) >= limit,
    "mentions_min": lambda limit: lambda seen: len(seen.status.mentions) >= limit,
    "tags_min": lambda limit: lambda seen: len(seen.status.tags) >= limit,
    "media_min": lambda limit: lambda seen: len(seen.status.media) >= limit,
    "account_age_max": lambda limit: lambda seen: seen.account_age is not None and seen.account_age <= limit,
    "reply": lambda wanted: lambda seen: seen.is_reply == wanted,
    "lookalike": lambda wanted: lambda seen: bool(seen.text.lookalikes) == wanted,
}


def _numbers(given: object, table: dict[str, Callable[[Any], Check]]) -> list[Check]:
    values = ((make, getattr(given, key)) for key, make in table.items())
    return [make(value) for make, value in values if value is not None]


def _feature(matcher: Matcher, value: tuple[str, ...] | str, *, file: str, key: str) -> int:
    if isinstance(value, str):
        return matcher.add_pattern(value, file=file, key=key)
    return matcher.add_words(value)


def _feature_check(feature: int, where: Callable[[Any], Features]) -> Check:
    return lambda seen: feature in where(seen)


def _language_check(languages: frozenset[str]) -> Check:
    def holds(seen: Post) -> bool:
        language = (seen.status.language or "").lower()
        return language in languages or language.partition("-")[0] in languages

    return holds


def _visibility_check(wanted: frozenset[str]) -> Check:
    return lambda seen: seen.status.visibility in wanted


def _hosts_check(hosts: tuple[str, ...], where: Callable[[Any], Text]) -> Check:
    below = tuple(f".{host}" for host in hosts)
    return lambda seen: any(host in hosts or host.endswith(below) for host in where(seen).hosts)
