"""A made-up person with posts: all that the kinds of spam, the near misses and ordinary people are written in."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from tests.demo.languages import Language

_BASE83 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"


@dataclass
class Post:
    """A post. ``circle``: those mentioned are of so many acquaintances; 0: strangers, somebody else each time.

    ``media`` are blurhashes. ``boost``: it is somebody else's, passed on.
    """

    text: str
    ago: timedelta
    mentions: int = 0
    circle: int = 0
    tags: int = 0
    reply: bool = False
    media: tuple[str, ...] = ()
    boost: bool = False


@dataclass
class Person:
    """An account to be. ``statuses``: how many posts its profile says, where that is more than stand here."""

    username: str
    age: timedelta
    posts: list[Post] = field(default_factory=list)
    bio: str = ""
    name: str = ""
    followers: int = 0
    bot: bool = False
    language: str = ""
    fields: dict[str, str] = field(default_factory=dict)


# Makes one account, or all members of a campaign, in a language.
Maker = Callable[[random.Random, Language], list[Person]]


def days(draw: random.Random, low: float, high: float) -> timedelta:
    """Draw an age."""
    return timedelta(days=draw.uniform(low, high))


def minutes(draw: random.Random, high: int) -> timedelta:
    """Draw a time of at most ``high`` minutes."""
    return timedelta(minutes=draw.randint(1, high))


def user_name(draw: random.Random, language: Language) -> str:
    """Draw a user name as people choose them."""
    first, other = draw.choice(language.first_names), draw.choice(language.first_names)
    number = draw.randint(1, 99)
    return draw.choice((f"{first}_{other}", f"{first}{number}", f"{other}.{first}_{number}", f"the_{first}_{number}"))


def picture(draw: random.Random) -> str:
    """Draw a blurhash of four by three components, as Mastodon makes them."""
    return "U" + "".join(draw.choice(_BASE83) for _ in range(27))


def series(
    draw: random.Random,
    number: int,
    texts: Sequence[str],
    *,
    within: int = 900,
    url: str = "",
    mentions: tuple[int, int] = (0, 0),
    circle: int = 0,
    tags: int = 0,
    reply: bool = False,
    media: tuple[str, ...] = (),
) -> list[Post]:
    """Return posts of the last ``within`` minutes, the ``texts`` in turn, each with a page of its own below ``url``."""
    start = draw.randrange(len(texts))
    return [
        Post(
            " ".join(filter(None, (texts[(start + page) % len(texts)], f"{url}/{page}" if url else ""))),
            minutes(draw, within),
            mentions=draw.randint(*mentions),
            circle=circle,
            tags=tags,
            reply=reply,
            media=media,
        )
        for page in range(number)
    ]
