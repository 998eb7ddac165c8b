"""What a condition looks at, told to people: "3 days old", "words: airdrop". Never a whole post."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from mastowatch.domain.conditions import Compiled
from mastowatch.domain.facts import Post, Profile
from mastowatch.domain.matcher import Features
from mastowatch.domain.wording import count

Fact = Callable[[Any, Compiled[Any]], str]
_SHOWN = 3
_AGES = (
    (31_536_000, "year", 86_400, "day"),
    (86_400, "day", 3600, "hour"),
    (3600, "hour", 60, "minute"),
    (60, "minute", 60, "minute"),
)


def age(value: timedelta) -> str:
    """Return an age as exactly as conditions look at it: "3 days 1 hour"."""
    seconds = int(value.total_seconds())
    for size, unit, part, smaller in _AGES:
        if seconds >= size:
            rest = seconds % size // part
            return count(seconds // size, unit) + (f" {count(rest, smaller)}" if rest else "")
    return "less than a minute"


def of_account(key: str) -> Fact:
    """Return what tells the fact that an account's condition looks at."""
    return _ACCOUNT.get(key, _unknown)


def of_post(key: str) -> Fact:
    """Return what tells the fact that a post's condition looks at."""
    return _POST.get(key, _unknown)


def _unknown(seen: object, compiled: Compiled[Any]) -> str:
    del seen, compiled
    return ""


def _account_fact(tell: Callable[[Profile], str]) -> Fact:
    return lambda seen, _: tell(seen)


def _post_fact(tell: Callable[[Post], str]) -> Fact:
    return lambda seen, _: tell(seen)


def _words(where: Callable[[Any], Features]) -> Fact:
    def tell(seen: object, compiled: Compiled[Any]) -> str:
        features = where(seen)
        return _some(word for feature in compiled.features for word in features.get(feature, ()))

    return tell


def _some(found: Iterable[str]) -> str:
    texts = list(dict.fromkeys(found))
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return f"{', '.join(texts[:_SHOWN])}{more}" if texts else "none"


def _known_for(seen: Profile) -> str:
    known = seen.account.discovered_at
    return f"since {known:%Y-%m-%d %H:%M} UTC" if known else "not known since when"


_AGE = _account_fact(lambda seen: f"{age(seen.age)} old")
_FOLLOWERS = _account_fact(lambda seen: count(seen.account.followers, "follower"))
_FOLLOWING = _account_fact(lambda seen: f"follows {count(seen.account.following, 'account')}")
_STATUSES = _account_fact(lambda seen: count(seen.account.statuses, "post"))
_NAME, _BIO = _words(lambda seen: seen.name_features), _words(lambda seen: seen.bio_features)
_ACCOUNT: Mapping[str, Fact] = {
    "age_max": _AGE,
    "age_min": _AGE,
    "followers_max": _FOLLOWERS,
    "followers_min": _FOLLOWERS,
    "following_max": _FOLLOWING,
    "following_min": _FOLLOWING,
    "statuses_max": _STATUSES,
    "statuses_min": _STATUSES,
    "statuses_per_day_min": _account_fact(lambda seen: f"{seen.statuses_per_day:.1f} a day"),
    "bot": _account_fact(lambda seen: "a bot" if seen.account.bot else "no bot"),
    "username_pattern": _account_fact(lambda seen: seen.account.username),
    "name_words": _NAME,
    "name_pattern": _NAME,
    "bio_words": _BIO,
    "bio_pattern": _BIO,
    "links_min": _account_fact(lambda seen: count(len(seen.bio.links), "link")),
    "link_hosts": _account_fact(lambda seen: _some(seen.bio.hosts)),
    "lookalike": _account_fact(lambda seen: _some((*seen.name.lookalikes, *seen.bio.lookalikes))),
    "discovered_max": _account_fact(_known_for),
    "following_per_follower_min": _account_fact(lambda seen: f"{seen.following_per_follower:.1f}"),
}
_FOUND = _words(lambda seen: seen.features)
_POST: Mapping[str, Fact] = {
    "words": _FOUND,
    "pattern": _FOUND,
    "links_min": _post_fact(lambda seen: count(len(seen.text.links), "link")),
    "link_hosts": _post_fact(lambda seen: _some(seen.text.hosts)),
    "mentions_min": _post_fact(lambda seen: count(len(seen.status.mentions), "mention")),
    "tags_min": _post_fact(lambda seen: count(len(seen.status.tags), "hashtag")),
    "media_min": _post_fact(lambda seen: count(len(seen.status.media), "attachment")),
    "languages": _post_fact(lambda seen: seen.status.language or "none given"),
    "reply": _post_fact(lambda seen: "a reply" if seen.is_reply else "no reply"),
    "lookalike": _post_fact(lambda seen: _some(seen.text.lookalikes)),
    "account_age_max": _post_fact(lambda seen: f"{age(seen.account_age)} old" if seen.account_age else "not known"),
    "visibility": _post_fact(lambda seen: seen.status.visibility),
}
