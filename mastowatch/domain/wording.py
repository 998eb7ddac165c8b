"""Says in plain words what a rule asks for, for people who did not write it. A line a condition.

A key that has no words of its own is told with its value; a test sees to it that each has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from mastowatch.domain.rule import AccountConditions, Campaign, Rule, StatusConditions

_LISTED = 6
_PATTERN_MAX = 60  # characters; the file has the rest
_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
Words = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Said:
    """A condition of a rule: its dotted key, its value, and what that means."""

    key: str
    value: Any
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """Conditions of a rule that belong together, and the words that lead to them."""

    title: str
    said: tuple[Said, ...]


def sections(rule: Rule) -> list[Section]:
    """Return the whole of what a rule asks for, in the order in which it is told."""
    profile = (*scope_said(rule), *account_said(rule.account))
    posts = "with posts, each of which" if profile else "It hits an account with posts, each of which"
    found = [
        Section("It hits an account that", profile),
        Section(posts, tuple(status_said(rule.status))),
        Section("and", tuple(group_said(rule))),
        Section("and", (*campaign_said(rule.campaign), *parts_said(rule))),
        Section("It spares", spared_said(rule)),
    ]
    return [one for one in found if one.said]


def span(length: timedelta) -> str:
    """Return a duration as it was written: "14 days", "90 minutes"."""
    seconds = int(length.total_seconds())
    size, unit = next((one for one in _UNITS if seconds % one[0] == 0), _UNITS[-1])
    return count(seconds // size, unit)


def count(number: float, what: str) -> str:
    """Return a number of things: "1 link", "2 links"."""
    return f"{number:.15g} {what}{'' if number == 1 else 's'}"


def listed(texts: tuple[str, ...]) -> str:
    """Return the first of some texts, and how many more there are."""
    more = f" and {len(texts) - _LISTED} more" if len(texts) > _LISTED else ""
    return ", ".join(texts[:_LISTED]) + more


def _cut(pattern: str) -> str:
    return pattern if len(pattern) <= _PATTERN_MAX else f"{pattern[: _PATTERN_MAX - 1]}…"


def _yes(true: str, false: str) -> Words:
    return lambda value: true if value else false


ACCOUNT_WORDS: Mapping[str, Words] = {
    "age_max": lambda value: f"is at most {span(value)} old",
    "age_min": lambda value: f"is at least {span(value)} old",
    "followers_max": lambda value: f"has at most {count(value, 'follower')}",
    "followers_min": lambda value: f"has at least {count(value, 'follower')}",
    "following_max": lambda value: f"follows at most {count(value, 'account')}",
    "following_min": lambda value: f"follows at least {count(value, 'account')}",
    "statuses_max": lambda value: f"has at most {count(value, 'post')}",
    "statuses_min": lambda value: f"has at least {count(value, 'post')}",
    "statuses_per_day_min": lambda value: f"posts at least {count(value, 'time')} a day",
    "bot": _yes("says that it is a bot", "does not say that it is a bot"),
    "username_pattern": lambda value: f"has a user name that matches {_cut(value)}",
    "name_words": lambda value: f"has one of these words in its display name: {listed(value)}",
    "name_pattern": lambda value: f"has a display name that matches {_cut(value)}",
    "bio_words": lambda value: f"has one of these words in its profile: {listed(value)}",
    "bio_pattern": lambda value: f"has a profile that matches {_cut(value)}",
    "links_min": lambda value: f"has at least {count(value, 'link')} in its profile",
    "link_hosts": lambda value: f"has a link in its profile to one of these hosts: {listed(value)}",
    "lookalike": _yes("has a word in disguise in name or profile", "has no word in disguise in name or profile"),
    "discovered_max": lambda value: f"has been known to this server for at most {span(value)}",
    "following_per_follower_min": lambda value: f"follows at least {count(value, 'account')} for each follower",
}
STATUS_WORDS: Mapping[str, Words] = {
    "words": lambda value: f"has one of these words: {listed(value)}",
    "pattern": lambda value: f"matches {_cut(value)}",
    "links_min": lambda value: f"has at least {count(value, 'link')}",
    "link_hosts": lambda value: f"has a link to one of these hosts: {listed(value)}",
    "mentions_min": lambda value: f"mentions at least {value} {'person' if value == 1 else 'people'}",
    "tags_min": lambda value: f"has at least {count(value, 'hashtag')}",
    "media_min": lambda value: f"has at least {count(value, 'attachment')}",
    "languages": lambda value: f"is in one of these languages: {listed(value)}",
    "reply": _yes("answers somebody else", "does not answer somebody else"),
    "lookalike": _yes("has a word in disguise", "has no word in disguise"),
    "account_age_max": lambda value: f"was written when the account was at most {span(value)} old",
    "visibility": lambda value: f"is {' or '.join(value)}",
}
# On the posts that meet the above, all together.
GROUP_WORDS: Mapping[str, Words] = {
    "count_min": lambda value: f"there {'is' if value == 1 else 'are'} at least {count(value, 'such post')}",
    "within": lambda value: f"they lie within {span(value)} of each other",
    "mentioned_distinct_min": lambda value: f"they mention at least {value} different people",
    "same_text_min": lambda value: f"at least {value} of them have the same text but for links, mentions and numbers",
    "per_hour_min": lambda value: f"they come at {count(value, 'post')} an hour or more",
    "replies_share_min": lambda value: f"at least {value:.0%} of all its posts are replies to others",
}
_SAME = {
    "link_host": "link to the same host",
    "template": "write the same text but for links, mentions and numbers",
    "media": "show the same picture",
    "name": "have user names that differ in digits only",
}


def account_said(given: AccountConditions | None, table: str = "account") -> list[Said]:
    """Return what is asked of the profile."""
    return list(_said(given, table, ACCOUNT_WORDS))


def status_said(given: StatusConditions | None, table: str = "status") -> list[Said]:
    """Return what is asked of each post."""
    return list(_said(given, table, STATUS_WORDS))


def group_said(rule: Rule) -> list[Said]:
    """Return what is asked of the posts together."""
    if rule.status is None:
        return []
    values = {key: getattr(rule, key) for key in GROUP_WORDS}
    return [Said(f"status.{key}", one, GROUP_WORDS[key](one)) for key, one in values.items() if one is not None]


def scope_said(rule: Rule) -> list[Said]:
    """Return which accounts it is about, where not about all."""
    if rule.scope == "all":
        return []
    return [Said("scope", rule.scope, "is of this server" if rule.scope == "local" else "is of another server")]


def campaign_said(campaign: Campaign | None) -> list[Said]:
    """Return what several accounts must have in common."""
    if campaign is None:
        return []
    text = f"at least {campaign.accounts_min} such accounts {_SAME[campaign.same]} within {span(campaign.within)}"
    if campaign.hosts_except:
        text += f", not counting {listed(campaign.hosts_except)}"
    return [Said("campaign", campaign.same, text)]


def parts_said(rule: Rule) -> list[Said]:
    """Return which other rules must hit as well."""
    found = []
    if rule.requires:
        found.append(Said("requires", rule.requires, f"all of these rules hit as well: {', '.join(rule.requires)}"))
    if rule.any_of:
        some = f"at least {rule.any_of_min} of these rules hit as well: {', '.join(rule.any_of)}"
        found.append(Said("any_of", rule.any_of, some))
    return found


def spared_said(rule: Rule) -> tuple[Said, ...]:
    """Return which accounts it spares, and which posts do not count."""
    accounts = account_said(rule.not_account, "not.account")
    posts = status_said(rule.not_status, "not.status")
    return (
        *(Said(one.key, one.value, f"an account that {one.text}") for one in accounts),
        *(Said(one.key, one.value, f"a post that {one.text}") for one in posts),
    )


def _said(given: object, table: str, words: Mapping[str, Words]) -> Iterator[Said]:
    if not isinstance(given, (AccountConditions, StatusConditions)):
        return
    for one in fields(given):
        value = getattr(given, one.name)
        if value != one.default:
            say = words.get(one.name)
            text = say(value) if say else f"meets {one.name} = {value}"
            yield Said(f"{table}.{one.name}", value, text)
