"""Turns the conditions of a rule into checks over a profile or a post.

A check is a plain function; a table of them keeps every condition to one line. Words and patterns become
features of the matcher first, so that a text is scanned once for all rules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mastowatch.domain.facts import Post, Profile
from mastowatch.domain.matcher import Matcher
from mastowatch.domain.rule import AccountConditions, StatusConditions

Seen = TypeVar("Seen", Profile, Post)
Check = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Compiled(Generic[Seen]):
    """The checks of one table, cheap ones first, and the features that must all be there."""

    checks: tuple[Check, ...]
    features: tuple[int, ...] = ()
    always: bool = False

    def hold(self, seen: Seen) -> bool:
        """Tell whether all conditions hold."""
        return all(check(seen) for check in self.checks)


def compile_account(conditions: AccountConditions, matcher: Matcher, *, file: str, table: str) -> Compiled[Profile]:
    """Return the checks of an account table; registers its words and patterns with ``matcher``."""
    given = conditions
    checks: list[Check] = [
        make(getattr(given, key)) for key, make in _ACCOUNT.items() if getattr(given, key) is not None
    ]
    features: list[int] = []
    if given.link_hosts:
        checks.append(_hosts_check(given.link_hosts, lambda seen: seen.bio.hosts))
    for key, where in _ACCOUNT_TEXTS.items():
        value = getattr(given, key)
        if value:
            feature = (
                matcher.add_words(value)
                if key.endswith("words")
                else matcher.add_pattern(value, file=file, key=f"{table}.{key}")
            )
            features.append(feature)
            checks.append(_feature_check(feature, where))
    return Compiled(tuple(checks), tuple(features), always=not checks)


def compile_status(conditions: StatusConditions, matcher: Matcher, *, file: str, table: str) -> Compiled[Post]:
    """Return the checks of a status table; registers its words and patterns with ``matcher``."""
    given = conditions
    checks: list[Check] = [
        make(getattr(given, key)) for key, make in _STATUS.items() if getattr(given, key) is not None
    ]
    features: list[int] = []
    if given.languages:
        languages = frozenset(given.languages)
        checks.append(lambda seen: seen.status.language in languages)
    if given.link_hosts:
        checks.append(_hosts_check(given.link_hosts, lambda seen: seen.text.hosts))
    if given.words:
        features.append(matcher.add_words(given.words))
    if given.pattern:
        features.append(matcher.add_pattern(given.pattern, file=file, key=f"{table}.pattern"))
    checks.extend(_feature_check(feature, lambda seen: seen.features) for feature in features)
    return Compiled(tuple(checks), tuple(features), always=not checks)


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
    "links_min": lambda limit: lambda seen: len(seen.bio.links) >= limit,
    "lookalike": lambda wanted: lambda seen: bool(seen.name.lookalikes or seen.bio.lookalikes) == wanted,
    "bot": lambda wanted: lambda seen: seen.account.bot == wanted,
}
_ACCOUNT_TEXTS: dict[str, Callable[[Any], Any]] = {
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
    "reply": lambda wanted: lambda seen: seen.is_reply == wanted,
    "lookalike": lambda wanted: lambda seen: bool(seen.text.lookalikes) == wanted,
}


def _feature_check(feature: int, where: Callable[[Any], Any]) -> Check:
    return lambda seen: feature in where(seen)


def _hosts_check(hosts: tuple[str, ...], where: Callable[[Any], tuple[str, ...]]) -> Check:
    below = tuple(f".{host}" for host in hosts)
    return lambda seen: any(host in hosts or host.endswith(below) for host in where(seen))
