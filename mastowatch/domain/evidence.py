"""Says in one line why a rule hit: counts, words and hosts. Never a whole post, never more than a moderator reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from mastowatch.domain.conditions import Compiled
from mastowatch.domain.facts import Post, Profile
from mastowatch.domain.rule import Rule

_WORDS_MAX, _HOSTS_MAX, LENGTH_MAX = 6, 3, 240


def describe(
    rule: Rule, account_features: Sequence[int], status: Compiled[Post] | None, seen: Profile, posts: Sequence[Post]
) -> str:
    """Return the evidence of a hit, at most LENGTH_MAX characters."""
    parts = [_posts(rule, posts)] if posts else []
    parts += _profile(rule, seen)
    parts.append(_quoted("words", _found(account_features, status, seen, posts)))
    hosts = [host for one in posts for host in one.text.hosts] if _links_matter(rule) else []
    parts.append(_quoted("links to", [*hosts, *(seen.bio.hosts if rule.account.links_min else ())], _HOSTS_MAX))
    lookalikes = [word for one in posts for word in one.text.lookalikes]
    if (rule.status and rule.status.lookalike) or rule.account.lookalike:
        parts.append(_quoted("disguised", [*lookalikes, *seen.name.lookalikes, *seen.bio.lookalikes]))
    return "; ".join(part for part in parts if part)[:LENGTH_MAX]


def age(value: timedelta) -> str:
    """Return an age for people: "3 hours", "1 day", "2 years"."""
    for seconds, unit in ((31_536_000, "year"), (86_400, "day"), (3600, "hour"), (60, "minute")):
        count = int(value.total_seconds() // seconds)
        if count:
            return f"{count} {unit}{'s' * (count > 1)}"
    return "less than a minute"


def _links_matter(rule: Rule) -> bool:
    return rule.status is not None and bool(rule.status.links_min or rule.status.link_hosts)


def _posts(rule: Rule, posts: Sequence[Post]) -> str:
    text = f"{len(posts)} post{'s' * (len(posts) > 1)}"
    wanted = rule.status
    traits = []
    if wanted and wanted.mentions_min:
        traits.append(f">={wanted.mentions_min} mentions")
    if wanted and wanted.links_min:
        traits.append(f">={wanted.links_min} link{'s' * (wanted.links_min > 1)}")
    if wanted and wanted.tags_min:
        traits.append(f">={wanted.tags_min} hashtags")
    span = f" within {age(rule.within)}" if rule.within else ""
    return f"{text}{span}" + (f" with {' and '.join(traits)}" if traits else "")


def _profile(rule: Rule, seen: Profile) -> list[str]:
    parts = []
    if rule.account.statuses_per_day_min is not None:
        parts.append(f"{seen.statuses_per_day:.0f} posts a day")
    if rule.account.links_min:
        parts.append(f"{len(seen.bio.links)} links in the profile")
    if rule.account.username_pattern is not None:
        parts.append(f"user name {seen.account.username}")
    return parts


def _found(
    account_features: Sequence[int], status: Compiled[Post] | None, seen: Profile, posts: Sequence[Post]
) -> list[str]:
    profile = [
        word
        for feature in account_features
        for where in (seen.name_features, seen.bio_features)
        for word in where.get(feature, ())
    ]
    wanted = status.features if status else ()
    return profile + [word for one in posts for feature in wanted for word in one.features.get(feature, ())]


def _quoted(label: str, words: Iterable[str], at_most: int = _WORDS_MAX) -> str:
    unique = list(dict.fromkeys(words))
    if not unique:
        return ""
    more = f" and {len(unique) - at_most} more" if len(unique) > at_most else ""
    return f"{label}: {', '.join(unique[:at_most])}{more}"
