"""What several accounts have in common: the same link host, text, picture or series of names.

A rule with ``[campaign]`` makes a Sighting of each such thing on each account that meets the rule's other conditions.
Who counts the accounts is not this layer's business: the counts come back as ``campaigns``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mastowatch.domain.facts import Post, Profile
from mastowatch.domain.rule import Campaign, Rule
from mastowatch.domain.template import CAMPAIGN_MIN, template
from mastowatch.domain.text import host_of
from mastowatch.ports.types import Same, Sighting

# Which accounts were sighted with the same thing.
Campaigns = Mapping[Sighting, tuple[str, ...]]

# One account can't fill the store, nor can one rule take all of an account's sightings.
PER_RULE, PER_ACCOUNT = 40, 200
STEM_MIN = 4  # letters of a user name
_DIGITS = re.compile(r"[0-9]")
_NOT_STEM = re.compile(r"[^a-z]")


@dataclass(slots=True)
class Shown:
    """Something that an account shows, in which posts, newest first, and when last."""

    sighting: Sighting
    value: str
    status_ids: list[str] = field(default_factory=list)


def shown(rule: Rule, seen: Profile, posts: Sequence[Post], now: datetime) -> list[Shown]:
    """Return what the account shows of the rule's campaign; ``posts``, newest first, are those that count."""
    campaign = rule.campaign
    if campaign is None:
        return []
    found: dict[str, Shown] = {}
    for at, value, status_id in _values(campaign, seen, posts if rule.status else None, now):
        if value not in found:
            if len(found) == PER_RULE:
                break
            found[value] = Shown(_sighting(rule.id, campaign, value, at), value)
        if status_id:
            found[value].status_ids.append(status_id)
    return list(found.values())


def members(sighting: Sighting, account_id: str, campaigns: Campaigns) -> int:
    """Return how many accounts show it, this one included."""
    return len({account_id, *campaigns.get(sighting, ())})


def is_picture(blurhash: str) -> bool:
    """Tell whether a blurhash is that of a picture with something on it: not of a plain colour or a smooth shade.

    Its second character is the strongest contrast, then come the mean colour and, in pairs, the components.
    Specification: github.com/woltapp/blurhash/blob/master/Algorithm.md.
    """
    components = {blurhash[start : start + 2] for start in range(6, len(blurhash), 2)}
    return len(components) > 2 and blurhash[1] != "0"


def stem(username: str) -> str:
    """Return the letters of a user name with a number in it, which makes a series; "" for any other."""
    letters = _NOT_STEM.sub("", username.lower())
    return letters if _DIGITS.search(username) and len(letters) >= STEM_MIN else ""


def _sighting(rule_id: str, campaign: Campaign, value: str, at: datetime) -> Sighting:
    digest = hashlib.blake2b(value.encode("utf-8", "replace"), digest_size=12).hexdigest()
    told = value if campaign.same == "link_host" else ""
    return Sighting(rule_id, campaign.same, digest, told, campaign.within.total_seconds(), at.timestamp())


def _values(
    campaign: Campaign, seen: Profile, posts: Sequence[Post] | None, now: datetime
) -> Iterator[tuple[datetime, str, str]]:
    """Yield what is shown: when, what, and in which post ("" for the profile)."""
    if campaign.same == "name":
        born = min(seen.account.created_at, now)
        if now - born <= campaign.within and (name := stem(seen.account.username)):
            yield born, name, ""
        return
    if posts is None:
        for value in _of_bio(campaign, seen):
            yield now, value, ""
        return
    for post in posts:
        at = min(post.status.created_at, now)
        if now - at <= campaign.within:
            for value in _of_post(campaign, seen, post):
                yield at, value, post.status.id


def _of_bio(campaign: Campaign, seen: Profile) -> Iterable[str]:
    if campaign.same == "link_host":
        return _hosts(campaign, seen, seen.bio.hosts)
    return _template(seen.bio.folded)


def _of_post(campaign: Campaign, seen: Profile, post: Post) -> Iterable[str]:
    if campaign.same == "link_host":
        return _hosts(campaign, seen, post.text.hosts)
    if campaign.same == "template":
        return _template(post.text.folded)
    return [one.blurhash for one in post.status.media if is_picture(one.blurhash)]


def _template(folded: str) -> Iterable[str]:
    text, size = template(folded)
    return (text,) if size >= CAMPAIGN_MIN else ()


def _hosts(campaign: Campaign, seen: Profile, hosts: Iterable[str]) -> Iterator[str]:
    """Yield the hosts but for those that the rule leaves out, and the account's own server."""
    home = host_of(seen.account.url)
    below = tuple(f".{host}" for host in campaign.hosts_except)
    for host in hosts:
        if host != home and host not in campaign.hosts_except and not host.endswith(below):
            yield host


def told(campaign: Campaign, one: Shown, accounts: int) -> str:
    """Say it in a line of evidence."""
    what = f"{_TOLD[campaign.same]}{f' {one.value}' if campaign.same in ('link_host', 'name') else ''}"
    return f"{what} from {accounts} accounts in {span(campaign.within)}"


_TOLD: Mapping[Same, str] = {
    "link_host": "link host",
    "template": "the same text",
    "media": "the same picture",
    "name": "user names like",
}


def span(value: timedelta) -> str:
    """Return a length of time in short: "45 min", "6 h", "2 days"."""
    minutes = int(value.total_seconds() // 60)
    if minutes < 60:
        return f"{minutes} min" if minutes else f"{int(value.total_seconds())} s"
    hours = minutes / 60
    if hours < 48 or hours % 24:
        return f"{hours:.0f} h" if hours == int(hours) else f"{hours:.1f} h"
    return f"{hours / 24:.0f} days"
