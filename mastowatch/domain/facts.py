"""An account and its posts as the conditions see them: texts read and scanned once, numbers at hand."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cached_property
from itertools import repeat
from typing import NamedTuple

from mastowatch.domain.matcher import Features, Matcher
from mastowatch.domain.text import Text, read_html
from mastowatch.ports.types import Account, Status

# Rates of an account younger than this are taken as if it were this old: three posts in a minute are no wave.
_YOUNGEST = timedelta(hours=1)


class Profile:
    """A profile at a time. Its texts are read when first asked for: most accounts fail on a number before that."""

    def __init__(self, account: Account, now: datetime, matcher: Matcher) -> None:
        self.account = account
        self.age = max(now - account.created_at, timedelta(0))
        self._matcher, self._now = matcher, now

    @property
    def statuses_per_day(self) -> float:
        """Posts per day over its whole life."""
        return self.account.statuses / (max(self.age, _YOUNGEST) / timedelta(days=1))

    def known_for(self, at_most: timedelta) -> bool:
        """Tell whether this server has known it for at most so long; no where that can't be told."""
        since = self.account.discovered_at
        return since is not None and self._now - since <= at_most

    @property
    def following_per_follower(self) -> float:
        """Accounts that it follows for each follower; without followers, for one."""
        return self.account.following / max(self.account.followers, 1)

    @cached_property
    def name(self) -> Text:
        """The display name."""
        return read_html(None, self.account.display_name)

    @cached_property
    def bio(self) -> Text:
        """Bio and profile fields."""
        fields = (f"<p>{one.name}: {one.value_html}</p>" for one in self.account.fields)
        return read_html("".join([self.account.note_html, *fields]))

    @cached_property
    def name_features(self) -> Features:
        """What stands in the display name."""
        return self._matcher.scan(self.name.folded)

    @cached_property
    def bio_features(self) -> Features:
        """What stands in bio and fields."""
        return self._matcher.scan(self.bio.folded)

    @cached_property
    def username_features(self) -> Features:
        """What stands in the user name; Mastodon allows ASCII letters, digits, and ``_.-`` there."""
        return self._matcher.scan(self.account.username.lower())


class Post(NamedTuple):
    """A post: its text, with content warning and alt texts, read and scanned."""

    status: Status
    text: Text
    features: Features
    born: datetime | None = None

    @property
    def account_age(self) -> timedelta | None:
        """How old the account was when it posted it, where that is known."""
        return self.status.created_at - self.born if self.born else None

    @property
    def is_reply(self) -> bool:
        """Tell whether it answers somebody else; a thread of one's own is none."""
        return self.status.in_reply_to_account_id not in (None, self.status.account_id)


def read_posts(statuses: Iterable[Status], matcher: Matcher, born: datetime | None = None) -> list[Post]:
    """Return posts read and scanned; ``born`` is when their account was made.

    First all are read, then all are scanned: the processor keeps one task's code and tables at hand.
    """
    posts = list(statuses)
    texts = [
        read_html(one.content_html, one.spoiler_text, *[media.description for media in one.media])
        if one.media
        else read_html(one.content_html, one.spoiler_text)
        for one in posts
    ]
    found = matcher.scan_all([text.folded for text in texts])
    return list(map(Post, posts, texts, found, repeat(born)))
