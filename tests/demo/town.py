"""A made-up server: ordinary people of five languages, spam of every shipped kind, and near misses among them.

Everything is drawn from one seed, so that two runs have the same people. Nothing here knows of mastodon-mock:
``Town.look`` shows a resident as the rules see one.
"""

from __future__ import annotations

import html
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mastowatch.ports.types import Account, Field, Media, Status
from tests.demo.languages import LANGUAGES, Language, any_language
from tests.demo.near import NEAR
from tests.demo.people import Maker, Person, Post, days, picture, user_name
from tests.demo.spam import KINDS, scripted_name

NEWCOMERS = 0.06  # part of ordinary accounts that are days old
FIRST_ACCOUNT, FIRST_STATUS = 1_000_000, 2_000_000
_HOSTS = (
    *("www.youtube.com", "en.wikipedia.org", "github.com", "daily-news.example", "bandcamp.com", "paper.example"),
    *("photo.example", "recipes.example", "weather.example", "blog.example"),
)
_SERVERS = ("garden", "tram", "harbour", "library", "forest", "orchestra", "bakery", "lighthouse", "meadow")


@dataclass(frozen=True)
class Toot:
    """A post in its place. ``mentioned`` and ``answers`` are numbers of residents."""

    id: int
    post: Post
    tags: tuple[str, ...] = ()
    mentioned: tuple[int, ...] = ()
    answers: int | None = None


@dataclass(frozen=True)
class Resident:
    """Somebody who lives on this server or on another (``domain``). ``kind`` is "" for ordinary people."""

    id: int
    kind: str
    person: Person
    username: str
    domain: str | None
    toots: tuple[Toot, ...]

    @property
    def acct(self) -> str:
        """The handle."""
        return f"{self.username}@{self.domain}" if self.domain else self.username

    @property
    def url(self) -> str:
        """The address of the profile."""
        return f"https://{self.domain or 'this.example'}/@{self.username}"


class Town:
    """All residents. Spam of a kind has the kind's name, which is its rule's; a near miss "near" and its name."""

    def __init__(self, residents: Sequence[Resident]) -> None:
        self.residents = tuple(residents)

    @property
    def planted(self) -> dict[str, str]:
        """Account id to kind of all spam."""
        return {str(one.id): one.kind for one in self.residents if one.kind in KINDS}

    @property
    def misses(self) -> dict[str, str]:
        """Account id to kind of all near misses."""
        return {str(one.id): one.kind for one in self.residents if one.kind.startswith("near ")}

    def look(self, one: Resident, now: datetime) -> tuple[Account, tuple[Status, ...]]:
        """Return the resident's profile and posts, newest first, as Mastodon would show them."""
        person, statuses = one.person, [self._status(one, toot, now) for toot in one.toots]
        statuses.sort(key=lambda status: int(status.id), reverse=True)
        account = Account(
            id=str(one.id),
            acct=one.acct,
            username=one.username,
            domain=one.domain,
            display_name=person.name or one.username,
            note_html=as_html(person.bio),
            url=one.url,
            created_at=now - person.age,
            fields=tuple(Field(name, as_html(value)) for name, value in person.fields.items()),
            followers=person.followers,
            statuses=len(statuses),
            bot=person.bot,
        )
        return account, tuple(statuses)

    def html(self, toot: Toot) -> str:
        """Return a post's HTML: whom it mentions, what it says, and its hashtags."""
        mentions = (
            f'<span class="h-card" translate="no"><a href="{one.url}" class="u-url mention">@<span>{one.username}'
            "</span></a></span>"
            for one in (self.residents[number] for number in toot.mentioned)
        )
        tags = (
            f'<a href="https://this.example/tags/{tag}" class="mention hashtag" rel="tag">#<span>{tag}</span></a>'
            for tag in toot.tags
        )
        return f"<p>{' '.join([*mentions, _linked(toot.post.text), *tags])}</p>"

    def _status(self, one: Resident, toot: Toot, now: datetime) -> Status:
        return Status(
            id=str(toot.id),
            account_id=str(one.id),
            created_at=now - toot.post.ago,
            content_html=self.html(toot),
            language=one.person.language,
            in_reply_to_account_id=None if toot.answers is None else str(self.residents[toot.answers].id),
            mentions=tuple(self.residents[number].acct for number in toot.mentioned),
            tags=toot.tags,
            media=tuple(Media("image", blurhash=blurhash) for blurhash in toot.post.media),
            reblog=toot.post.boost,
        )


def ordinary(draw: random.Random, language: Language) -> Person:
    """Draw a person of no interest to any rule; some are days old, some have digits in their name."""
    new = draw.random() < NEWCOMERS
    name = scripted_name(draw, language) if draw.random() < 0.02 else user_name(draw, language)
    person = Person(name, days(draw, 0.2, 13) if new else days(draw, 35, 3000), bio=draw.choice(language.bios))
    person.followers = draw.randint(0, 9) if new else draw.randint(0, 3)
    if draw.random() < 0.1:
        person.fields["\U0001f3e0"] = f"https://{name.replace('_', '-')}.example"
    if new and draw.random() < 0.4:
        person.posts.append(Post(language.intro, person.age * 0.9, tags=1))
    person.posts += [_everyday(draw, language, person) for _ in range(draw.randint(1, 18))]
    return person


def settle(seed: int, accounts: int, *, planted: int, misses: int, languages: Sequence[str] = tuple(LANGUAGES)) -> Town:
    """Return a town. Of each kind and language there are ``planted`` and ``misses``, or as many as a group has."""
    draw = random.Random(seed)
    groups = [*_groups(draw, KINDS, planted, languages)]
    groups += [(f"near {name}", group) for name, group in _groups(draw, NEAR, misses, languages)]
    missing = accounts - sum(len(group) for _, group in groups)
    groups += [("", [_anyone(draw)]) for _ in range(missing)]
    draw.shuffle(groups)
    return _Settling(draw, accounts, groups).town()


def as_html(text: str) -> str:
    """Return plain text as Mastodon's HTML."""
    return f"<p>{_linked(text)}</p>" if text else ""


def _linked(text: str) -> str:
    return " ".join(_link(word) if word.startswith("https://") else html.escape(word) for word in text.split(" "))


def _link(url: str) -> str:
    shown = url.removeprefix("https://")
    return (
        f'<a href="{url}" target="_blank" rel="nofollow noopener" translate="no"><span class="invisible">https://'
        f'</span><span class="">{shown}</span><span class="invisible"></span></a>'
    )


def _everyday(draw: random.Random, language: Language, person: Person) -> Post:
    busy = draw.random()
    post = Post(language.sentence(draw), min(person.age * draw.random(), timedelta(days=60)))
    if draw.random() < 0.1:
        post.text += f" https://{draw.choice(_HOSTS)}/{draw.randint(1, 999)}"
    if busy < 0.25:
        post.mentions, post.circle, post.reply = draw.randint(1, 5), 6, busy < 0.2
    elif busy > 0.9:
        post.media = (picture(draw),)
    post.tags = draw.choice([0, 0, 1, 2])
    return post


def _groups(
    draw: random.Random, makers: Mapping[str, Maker], number: int, languages: Sequence[str]
) -> Iterator[tuple[str, list[Person]]]:
    for name, make in makers.items():
        for language in languages:
            made = 0
            while made < number:
                group = make(draw, LANGUAGES[language])
                for person in group:
                    person.language = language
                yield name, group
                made += len(group)


def _anyone(draw: random.Random) -> Person:
    language = any_language(draw)
    person = ordinary(draw, language)
    person.language = language.code
    return person


class _Settling:
    """Gives everyone an id, a name of their own, a server, and people to talk to."""

    def __init__(self, draw: random.Random, accounts: int, groups: Sequence[tuple[str, list[Person]]]) -> None:
        self.draw, self.accounts, self.groups = draw, accounts, groups
        self.names: set[str] = set()
        self.statuses = FIRST_STATUS

    def town(self) -> Town:
        residents: list[Resident] = []
        for kind, group in self.groups:
            pool = self.draw.sample(range(self.accounts), min(12, self.accounts))
            for person in group:
                number = len(residents)
                residents.append(self._resident(number, kind, person, pool))
        return Town(residents)

    def _resident(self, number: int, kind: str, person: Person, pool: Sequence[int]) -> Resident:
        # One in eleven lives here.
        domain = None if number % 11 == 0 else f"{self.draw.choice(_SERVERS)}.example"
        toots = [self._toot(person, post, pool) for post in sorted(person.posts, key=lambda one: one.ago, reverse=True)]
        return Resident(FIRST_ACCOUNT + number, kind, person, self._name(person.username, domain), domain, tuple(toots))

    def _name(self, wanted: str, domain: str | None) -> str:
        """Return the name, with letters after it if it is taken there."""
        name = wanted
        while f"{name}@{domain}" in self.names:
            name = f"{''.join(self.draw.sample('abcdefghiklmnoprstuvz', 3))}_{wanted}"
        self.names.add(f"{name}@{domain}")
        return name

    def _toot(self, person: Person, post: Post, pool: Sequence[int]) -> Toot:
        self.statuses += 1
        known = pool[: post.circle] if post.circle else range(self.accounts)
        mentioned = tuple(self.draw.sample(known, min(post.mentions, len(known))))
        answers = None
        if post.reply:
            answers = mentioned[0] if mentioned else self.draw.choice(known)
        words = LANGUAGES[person.language].words
        tags = tuple(tag.lower() for tag in self.draw.sample(words, post.tags))
        return Toot(self.statuses, post, tags, mentioned, answers)
