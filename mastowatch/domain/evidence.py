"""Says in one line why a rule hit: counts, words and hosts. Never a whole post, never more than a moderator reads.

The line may be forwarded to another server, so addresses that a pattern happened to find are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Protocol

from mastowatch.domain import campaign, counting
from mastowatch.domain.campaign import Shown
from mastowatch.domain.conditions import Compiled
from mastowatch.domain.facts import Post, Profile
from mastowatch.domain.masking import mask
from mastowatch.domain.matcher import Features
from mastowatch.domain.rule import Rule
from mastowatch.domain.verdict import Reason

LENGTH_MAX = 240
_WORDS_MAX, _HOSTS_MAX, _SHARED_MAX, _ONE_MAX = 6, 3, 2, 60


class Active(Protocol):
    """A rule with its checks, as a set holds it."""

    @property
    def rule(self) -> Rule:
        """The rule."""
        ...

    @property
    def account(self) -> Compiled[Profile]:
        """The checks of its ``[account]``."""
        ...

    @property
    def status(self) -> Compiled[Post] | None:
        """The checks of its ``[status]``."""
        ...


def describe(
    active: Active,
    seen: Profile,
    posts: Sequence[Post],
    shared: Sequence[tuple[Shown, int]] = (),
    helpers: Sequence[Reason] = (),
) -> str:
    """Return the evidence of a hit on ``posts``, at most LENGTH_MAX characters on one line.

    ``shared`` is what so many accounts have in common; ``helpers`` are the other rules that had to hit.
    """
    rule, account, status = active.rule, active.account, active.status
    parts = [
        _together(helpers),
        _campaign(rule, shared),
        _posts(rule, posts),
        *_figures(rule, seen),
        *_counts(rule, posts),
        _quoted("words", _words(account, status, seen, posts), _WORDS_MAX),
        _quoted("links to", _hosts(rule, seen, posts), _HOSTS_MAX),
        _quoted("disguised", _disguised(rule, seen, posts), _WORDS_MAX),
    ]
    return ("; ".join(filter(None, parts)) or _account(seen))[:LENGTH_MAX]


def _together(helpers: Sequence[Reason]) -> str:
    return f"together with {', '.join(one.rule_id for one in helpers)}" if helpers else ""


def _campaign(rule: Rule, shared: Sequence[tuple[Shown, int]]) -> str:
    if rule.campaign is None or not shared:
        return ""
    first = "; ".join(campaign.told(rule.campaign, one, accounts) for one, accounts in shared[:_SHARED_MAX])
    return f"{first} and {len(shared) - _SHARED_MAX} more" if len(shared) > _SHARED_MAX else first


def _counts(rule: Rule, posts: Sequence[Post]) -> Iterator[str]:
    if rule.mentioned_distinct_min:
        yield f"{counting.mentioned(posts)} people mentioned"
    if rule.same_text_min:
        yield f"{counting.same_text(posts)} posts with the same text"
    if rule.per_hour_min:
        yield f"{counting.per_hour(posts):.0f} posts an hour"
    if rule.replies_share_min:
        yield f">={rule.replies_share_min:.0%} of its posts are replies"


def age(value: timedelta) -> str:
    """Return an age for people: "3 hours", "1 day", "2 years"."""
    for seconds, unit in ((31_536_000, "year"), (86_400, "day"), (3600, "hour"), (60, "minute")):
        count = int(value.total_seconds() // seconds)
        if count > 0:
            return f"{count} {unit}{'s' * (count > 1)}"
    return "less than a minute"


def _posts(rule: Rule, posts: Sequence[Post]) -> str:
    if rule.status is None:
        return ""
    traits = [
        f">={least} {what}{'s' * (least > 1)}"
        for least, what in (
            (rule.status.mentions_min, "mention"),
            (rule.status.links_min, "link"),
            (rule.status.tags_min, "hashtag"),
            (rule.status.media_min, "attachment"),
        )
        if least
    ]
    count = f"{len(posts)} post{'s' * (len(posts) > 1)}"
    span = f" within {age(rule.within)}" if rule.within else ""
    return f"{count}{span}" + (f" with {' and '.join(traits)}" if traits else "")


def _figures(rule: Rule, seen: Profile) -> Iterator[str]:
    if rule.account.statuses_per_day_min is not None:
        yield f"{seen.statuses_per_day:.0f} posts a day"
    if rule.account.links_min:
        yield f"{len(seen.bio.links)} link{'s' * (len(seen.bio.links) > 1)} in the profile"
    if rule.account.username_pattern is not None:
        yield f"user name {seen.account.username[:_ONE_MAX]}"


def _account(seen: Profile) -> str:
    """Return what there is to say of a rule that looks at figures of the profile alone."""
    return f"account {age(seen.age)} old, {seen.account.followers} followers, {seen.account.statuses} posts"


def _words(
    account: Compiled[Profile], status: Compiled[Post] | None, seen: Profile, posts: Sequence[Post]
) -> Iterator[str]:
    if account.features:
        yield from _found(account.features, seen.name_features)
        yield from _found(account.features, seen.bio_features)
    for one in posts if status else ():
        yield from _found(status.features if status else (), one.features)


def _found(wanted: Sequence[int], features: Features) -> Iterator[str]:
    for feature in wanted:
        yield from features.get(feature, ())


def _hosts(rule: Rule, seen: Profile, posts: Sequence[Post]) -> Iterator[str]:
    if rule.status is not None and (rule.status.links_min or rule.status.link_hosts):
        for one in posts:
            yield from one.text.hosts
    if rule.account.links_min or rule.account.link_hosts:
        yield from seen.bio.hosts


def _disguised(rule: Rule, seen: Profile, posts: Sequence[Post]) -> Iterator[str]:
    if rule.status is not None and rule.status.lookalike:
        for one in posts:
            yield from one.text.lookalikes
    if rule.account.lookalike:
        yield from (*seen.name.lookalikes, *seen.bio.lookalikes)


def _quoted(label: str, words: Iterable[str], at_most: int) -> str:
    """Return the first of ``words``, each once, under their label; "" where there are none."""
    unique = list(dict.fromkeys(words))
    shown = list(filter(None, dict.fromkeys(mask(word)[:_ONE_MAX] for word in unique[:at_most])))
    if not shown:
        return ""
    more = f" and {len(unique) - at_most} more" if len(unique) > at_most else ""
    return f"{label}: {', '.join(shown)}{more}"
