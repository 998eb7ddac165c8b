"""An account and its posts as the conditions see them: texts read and scanned once, numbers at hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from mastowatch.domain.matcher import Matcher
from mastowatch.domain.text import Text, read_html
from mastowatch.ports.types import Account, Status

Features = Mapping[int, tuple[str, ...]]

# Rates of an account younger than this are taken as if it were this old: three posts in a minute are no wave.
_YOUNGEST = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile: name and bio read and scanned. ``bio`` holds the fields too."""

    account: Account
    name: Text
    bio: Text
    name_features: Features
    bio_features: Features
    username_features: Features
    age: timedelta

    @property
    def statuses_per_day(self) -> float:
        """Posts per day over its whole life."""
        return self.account.statuses / (max(self.age, _YOUNGEST) / timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Post:
    """A post: its text with its content warning read and scanned."""

    status: Status
    text: Text
    features: Features
    is_reply: bool


def profile(account: Account, now: datetime, matcher: Matcher) -> Profile:
    """Return ``account`` as it is at ``now``."""
    name = read_html(None, account.display_name)
    html = "".join([account.note_html, *(f"<p>{one.name}: {one.value_html}</p>" for one in account.fields)])
    bio = read_html(html)
    return Profile(
        account=account,
        name=name,
        bio=bio,
        name_features=matcher.scan(name.folded),
        bio_features=matcher.scan(bio.folded),
        username_features=matcher.scan(account.username.lower()),
        age=max(now - account.created_at, timedelta(0)),
    )


def read_posts(statuses: Iterable[Status], matcher: Matcher) -> list[Post]:
    """Return posts read and scanned; what media show counts as text, as far as their author describes it.

    First all are read, then all are scanned: the processor keeps one task's code and tables at hand.
    """
    texts = [
        (one, read_html(one.content_html, one.spoiler_text, *[media.description for media in one.media]))
        for one in statuses
    ]
    return [Post(status, text, matcher.scan(text.folded), _is_reply(status)) for status, text in texts]


def _is_reply(status: Status) -> bool:
    return status.in_reply_to_account_id not in (None, status.account_id)
