"""Counts over several posts of an account: how many, how close together, how alike, to how many people.

Everything is counted over the posts at hand, of which Mastodon gives the newest forty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from mastowatch.domain.facts import Post
from mastowatch.domain.rule import Rule
from mastowatch.domain.template import REPEAT_MIN, template

Group = Sequence[Post]
_HOUR = timedelta(hours=1)


def together(rule: Rule, matching: Group, everything: Group) -> list[Post] | None:
    """Return the posts that count for the rule, newest first; None where they are too few, too far apart, ...

    ``matching`` are the posts that meet its conditions, ``everything`` the account's posts but for boosts.
    Of several groups that lie ``within`` the time the newest is taken.
    """
    if len(matching) < rule.count_min or not _replies(rule, everything):
        return None
    ordered = sorted(matching, key=lambda one: one.status.created_at, reverse=True)
    if rule.within is None:
        return ordered if _enough(rule, ordered) else None
    for start in range(len(ordered) - rule.count_min + 1):
        newest = ordered[start].status.created_at
        group = [one for one in ordered[start:] if newest - one.status.created_at <= rule.within]
        if len(group) >= rule.count_min and _enough(rule, group):
            return group
    return None


def mentioned(posts: Group) -> int:
    """Return how many different people are mentioned."""
    return len({one.lower() for post in posts for one in post.status.mentions})


def same_text(posts: Group) -> int:
    """Return how many posts have the same text, but for links, mentions and numbers."""
    found = Counter(text for text, size in (template(post.text.folded) for post in posts) if size >= REPEAT_MIN)
    return max(found.values(), default=0)


def per_hour(posts: Group) -> float:
    """Return posts an hour, from the oldest to the newest; less than an hour counts as one."""
    times = [post.status.created_at for post in posts]
    return len(times) / max((max(times) - min(times)) / _HOUR, 1.0) if times else 0.0


def replies_share(posts: Group) -> float:
    """Return which part of the posts answers somebody else."""
    return sum(post.is_reply for post in posts) / len(posts) if posts else 0.0


_OF_GROUP: dict[str, Callable[[Group], Any]] = {
    "mentioned_distinct_min": mentioned,
    "same_text_min": same_text,
    "per_hour_min": per_hour,
}


def _enough(rule: Rule, group: Group) -> bool:
    """Tell whether a group has all that the rule wants of it beside its number."""
    return all(count(group) >= wanted for key, count in _OF_GROUP.items() if (wanted := getattr(rule, key)) is not None)


def _replies(rule: Rule, everything: Group) -> bool:
    return rule.replies_share_min is None or replies_share(everything) >= rule.replies_share_min
