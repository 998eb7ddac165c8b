"""Who lives on the made-up server: an account and its posts out of a number, the same each time, nothing stored.

Of each hundred numbers one is spam, ten are newcomers, and the others have been there for long. Each BLOCK of them
holds six accounts of one kind of spam, as the kinds that come in waves need.
"""

from __future__ import annotations

import html
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from tests.demo.languages import LANGUAGES, Language, any_language
from tests.demo.people import Person, Post, days, picture, user_name
from tests.demo.spam import KINDS
from tests.demo.town import as_html

BLOCK, SPAM_EACH, SPAM_AT, NEWCOMERS = 600, 100, 7, range(10, 20)
POSTS = 5  # of an ordinary account
LOCAL_EACH = 11
_KINDS = tuple(KINDS)
_HOSTS = ("www.youtube.com", "en.wikipedia.org", "github.com", "bandcamp.com")
_SERVERS = ("garden", "tram", "harbour", "library", "forest", "orchestra", "bakery", "lighthouse", "meadow")


@dataclass(frozen=True, slots=True)
class Toot:
    """A post as Mastodon shows it: its HTML, whom it mentions, its tags."""

    post: Post
    html: str
    mentions: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Resident:
    """``kind`` of spam is "" for ordinary people. ``toots`` are newest first."""

    number: int
    kind: str
    person: Person
    username: str
    domain: str | None
    note: str
    toots: tuple[Toot, ...]

    @property
    def acct(self) -> str:
        """The handle."""
        return f"{self.username}@{self.domain}" if self.domain else self.username


def is_spam(number: int) -> bool:
    """Tell whether the account of this number is planted spam."""
    return number % SPAM_EACH == SPAM_AT


def kind_of(number: int) -> str:
    """Return the kind of spam, or "" for an ordinary account."""
    return _KINDS[number // BLOCK % len(_KINDS)] if is_spam(number) else ""


def is_local(number: int) -> bool:
    """Tell whether the account lives on this server."""
    return number % LOCAL_EACH == 0


@lru_cache(maxsize=8192)
def resident(number: int) -> Resident:
    """Return the account of a number, with all its posts."""
    draw = random.Random(number)
    kind = kind_of(number)
    person = _spam(number, kind) if kind else _ordinary(draw, newcomer=number % SPAM_EACH in NEWCOMERS)
    username = person.username if kind else f"{person.username}_{_letters(number)}"
    toots = [_toot(draw, person, one) for one in sorted(person.posts, key=lambda one: one.ago)]
    domain = None if is_local(number) else f"{draw.choice(_SERVERS)}.example"
    return Resident(number, kind, person, username, domain, as_html(person.bio), tuple(toots))


def _spam(number: int, kind: str) -> Person:
    """Return a spammer; one of a wave is the member that its place in the block names."""
    block, place = divmod(number, BLOCK)
    group = _wave(block, kind)
    return group[place // SPAM_EACH] if len(group) > 1 else _one(number, kind)


@lru_cache(maxsize=64)
def _wave(block: int, kind: str) -> list[Person]:
    # Each round through the kinds in another language.
    language = tuple(LANGUAGES.values())[block // len(_KINDS) % len(LANGUAGES)]
    return _named(KINDS[kind](random.Random(f"wave {block}"), language), language)


def _one(number: int, kind: str) -> Person:
    draw = random.Random(f"one {number}")
    language = any_language(draw)
    return _named(KINDS[kind](draw, language), language)[0]


def _named(group: list[Person], language: Language) -> list[Person]:
    for person in group:
        person.language = language.code
    return group


def _ordinary(draw: random.Random, *, newcomer: bool) -> Person:
    language = any_language(draw)
    person = Person(
        user_name(draw, language),
        days(draw, 0.5, 28) if newcomer else days(draw, 40, 3000),
        bio=draw.choice(language.bios),
        language=language.code,
        followers=draw.randint(0, 9) if newcomer else draw.randint(5, 900),
    )
    person.posts += [_everyday(draw, language, person) for _ in range(POSTS)]
    return person


def _everyday(draw: random.Random, language: Language, person: Person) -> Post:
    busy = draw.random()
    post = Post(language.sentence(draw), min(person.age * draw.random(), timedelta(days=60)))
    if draw.random() < 0.1:
        post.text += f" https://{draw.choice(_HOSTS)}/{draw.randint(1, 999)}"
    if busy < 0.25:
        post.mentions, post.circle, post.reply = draw.randint(1, 3), 6, busy < 0.2
    elif busy > 0.9:
        post.media = (picture(draw),)
    post.tags = draw.choice([0, 0, 1, 2])
    return post


def _toot(draw: random.Random, person: Person, post: Post) -> Toot:
    known = range(post.circle or 1_000_000)
    names = [f"friend{one}" for one in draw.sample(known, min(post.mentions, len(known)))]
    words = LANGUAGES[person.language].words
    tags = tuple(tag.lower() for tag in draw.sample(words, post.tags))
    parts = [*map(_mention, names), _text(post.text), *map(_tag, tags)]
    return Toot(post, f"<p>{' '.join(parts)}</p>", tuple(f"{name}@other.example" for name in names), tags)


def _text(text: str) -> str:
    return " ".join(_link(word) if word.startswith("https://") else html.escape(word) for word in text.split(" "))


def _link(url: str) -> str:
    return (
        f'<a href="{url}" target="_blank" rel="nofollow noopener" translate="no"><span class="invisible">https://'
        f'</span><span class="">{url.removeprefix("https://")}</span><span class="invisible"></span></a>'
    )


def _mention(name: str) -> str:
    return (
        f'<span class="h-card" translate="no"><a href="https://other.example/@{name}" class="u-url mention">'
        f"@<span>{name}</span></a></span>"
    )


def _tag(tag: str) -> str:
    return f'<a href="https://this.example/tags/{tag}" class="mention hashtag" rel="tag">#<span>{tag}</span></a>'


def _letters(number: int) -> str:
    """Return a number in letters, as digits in a name mean something to the rules."""
    found = ""
    while number:
        number, place = divmod(number, 26)
        found += chr(ord("a") + place)
    return found or "a"


def planted(accounts: int) -> Iterator[int]:
    """Yield the numbers of all spam among so many accounts."""
    return iter(range(SPAM_AT, accounts, SPAM_EACH))
