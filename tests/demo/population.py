"""A made-up server: 5,000 remote and 500 local accounts with their posts, spam of every shipped kind among them.

Everything is drawn from one seed, so that two runs have the same people. Near misses are accounts that do nearly
what a rule looks for, and must not be reported.
"""

from __future__ import annotations

import html
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from mastodon_mock.db.models import Account, OAuthToken, Relationship, Status, StatusMention, StatusTag
from sqlalchemy.orm import Session

REMOTE, LOCAL = 5000, 500
PLANTED_PER_KIND, MISSES_PER_KIND = 8, 6
NEWCOMERS = 0.06  # part of ordinary accounts that are days old
BOT, TOKEN = "watch", "demo-bot-token"
_FIRST_ID = 1_000_000


@dataclass
class Post:
    text: str
    ago: timedelta
    mentions: int = 0
    tags: int = 0
    reply: bool = False


@dataclass
class Person:
    username: str
    age: timedelta
    bio: str = ""
    name: str = ""
    followers: int = 0
    bot: bool = False
    fields: dict[str, str] = field(default_factory=dict)
    posts: list[Post] = field(default_factory=list)


@dataclass(frozen=True)
class Population:
    """``planted``: account id to kind. ``people``: how many accounts and posts there are."""

    planted: dict[str, str]
    misses: dict[str, str]
    accounts: int
    posts: int


WORDS = (
    *("garden", "train", "coffee", "mountain", "library", "bicycle", "bread", "window", "river", "photo", "music"),
    *("winter", "book", "letter", "cat", "cloud", "island", "market", "station", "concert", "recipe", "forest"),
    *("bridge", "evening", "neighbour", "orchestra", "notebook", "harbour", "lighthouse"),
)
SENTENCES = (
    "Today I saw a {0} next to the {1}.",
    "Does anyone know a good {0} near the {1}?",
    "Ein schöner Tag: {0}, {1} und viel Kaffee.",
    "Encore un {0} perdu dans la {1}.",
    "Новая фотография: {0} и {1}.",
    "今日は{0}と{1}を見た。",
    "My {0} broke, the {1} is fine.",
    "Hoy: {0}, mañana: {1}.",
)


def _sentence(draw: random.Random) -> str:
    return draw.choice(SENTENCES).format(*draw.sample(WORDS, 2))


def _days(draw: random.Random, low: float, high: float) -> timedelta:
    return timedelta(days=draw.uniform(low, high))


def _minutes(draw: random.Random, high: int) -> timedelta:
    return timedelta(minutes=draw.randint(1, high))


def _name(draw: random.Random) -> str:
    return f"{draw.choice(WORDS)}_{draw.choice(WORDS)}{draw.choice(['', 'fan', 'x', '_de'])}"


def ordinary(draw: random.Random) -> Person:
    new = draw.random() < NEWCOMERS
    person = Person(_name(draw), _days(draw, 0.2, 13) if new else _days(draw, 35, 3000), bio=_sentence(draw))
    for _ in range(draw.randint(1, 19)):
        link = f" https://{draw.choice(WORDS)}.example/{draw.randint(1, 999)}" if draw.random() < 0.1 else ""
        busy = draw.random()
        mentions = draw.randint(1, 5) if busy < 0.15 else 0
        ago = min(person.age * draw.random(), timedelta(days=60))
        person.posts.append(Post(_sentence(draw) + link, ago, mentions, draw.choice([0, 0, 1, 2]), reply=busy < 0.2))
    return person


def _posts(
    draw: random.Random, number: int, texts: Sequence[str], *, minutes: int = 900, url: str = "", **more: int
) -> list[Post]:
    """Return posts of the last ``minutes``, each with a text of ``texts`` and, where given, a page below ``url``."""
    return [
        Post(f"{draw.choice(texts)} {url}/{page}" if url else draw.choice(texts), _minutes(draw, minutes), **more)
        for page in range(number)
    ]


def crypto(draw: random.Random) -> Person:
    texts = ("Claim your airdrop now", "Free tokens, connect wallet", "\u0410irdrop: claim now", "Double your BTC")
    url = f"https://wallet-{draw.randint(1, 99)}.example"
    posts = _posts(draw, draw.randint(3, 8), texts, minutes=300, url=url, mentions=draw.randint(2, 5))
    return Person(_name(draw), _days(draw, 0.1, 10), posts=posts)


def wave(draw: random.Random) -> Person:
    posts = _posts(draw, draw.randint(5, 12), ("hey", "hello", "look"), minutes=200, mentions=draw.randint(4, 8))
    return Person(_name(draw), _days(draw, 0.2, 5), posts=posts)


def phishing(draw: random.Random) -> Person:
    claims = ("Official support, verify your account", "Certified recovery expert", "Forex trader, guaranteed profit")
    bio = f"{draw.choice(claims)}: https://help-{draw.randint(1, 99)}.example"
    return Person(_name(draw), _days(draw, 0.5, 25), bio=bio, posts=_posts(draw, 1, ("hi",)))


def farming(draw: random.Random) -> Person:
    url = f"https://deals-{draw.randint(1, 99)}.example"
    posts = _posts(draw, draw.randint(9, 15), ("Best offers",), minutes=1200, url=url, tags=draw.randint(3, 6))
    return Person(_name(draw), _days(draw, 2, 25), posts=posts)


def casino(draw: random.Random) -> Person:
    texts = ("Best online casino", "Free spins, no deposit bonus", "онлайн казино", "Slot gacor", "c\u0430sino bonus")
    posts = _posts(draw, draw.randint(2, 6), texts, url="https://spin.example")
    return Person(_name(draw), _days(draw, 0.5, 25), posts=posts)


def disguised(draw: random.Random) -> Person:
    texts = (
        "W\u0456nner of a ph\u043ene",
        "your pr\u0456ze w\u0430its",
        "p\u0430ssw\u043erd expired",
        "\u1d04\u1d00\ua731\u026a\u0274\u1d0f",
    )
    posts = _posts(draw, draw.randint(2, 5), texts, url="https://odd.example")
    return Person(_name(draw), _days(draw, 0.5, 25), posts=posts)


def flood(draw: random.Random) -> Person:
    texts = ("buy now", "follow me", "again")
    posts = [Post(draw.choice(texts), timedelta(seconds=40 * n + 5)) for n in range(draw.randint(70, 90))]
    return Person(_name(draw), timedelta(hours=draw.uniform(2, 6)), posts=posts)


def series(draw: random.Random) -> Person:
    posts = _posts(draw, draw.randint(3, 7), ("Pictures",), minutes=700, url="https://pics.example")
    # One that ends like a year of birth would be spared, and rightly so.
    number = next(one for one in iter(lambda: draw.randint(21000, 99999), None) if not 1900 <= one % 10000 < 2100)
    return Person(f"{draw.choice(['emma', 'lucas', 'mia', 'noah'])}{number}", _days(draw, 0.3, 5), posts=posts)


def warner(draw: random.Random) -> Person:
    posts = _posts(draw, 4, ("Beware, the airdrop link is a scam",), url="https://blog.example", mentions=3)
    return Person(_name(draw), _days(draw, 1, 10), posts=posts)


def conversation(draw: random.Random) -> Person:
    posts = _posts(draw, 12, (_sentence(draw),), minutes=200, mentions=draw.randint(4, 10), reply=True)
    return Person(_name(draw), _days(draw, 1, 6), posts=posts)


def helper(draw: random.Random) -> Person:
    bio = "I work in a support team and like trains"
    return Person(_name(draw), _days(draw, 1, 20), bio=bio, posts=_posts(draw, 1, ("hi",)))


def newsroom(draw: random.Random) -> Person:
    posts = _posts(draw, 15, ("News",), minutes=1200, url="https://news.example", tags=4)
    return Person(_name(draw), _days(draw, 5, 25), followers=25, posts=posts)


def gambler(draw: random.Random) -> Person:
    posts = _posts(draw, 3, ("How online casino ads feed problem gambling",), url="https://paper.example")
    return Person(_name(draw), _days(draw, 1, 20), posts=posts)


def bilingual(draw: random.Random) -> Person:
    posts = _posts(draw, 4, ("IT-отдел переехал, backend на Python",), url="https://py.example")
    return Person(_name(draw), _days(draw, 1, 20), posts=posts)


def lively(draw: random.Random) -> Person:
    posts = [Post(_sentence(draw), timedelta(minutes=9 * n + 1)) for n in range(40)]
    return Person(_name(draw), timedelta(days=1), posts=posts)


def born(draw: random.Random) -> Person:
    posts = _posts(draw, 4, ("My garden",), url="https://photo.example")
    name = f"{draw.choice(['anna', 'peter', 'maria'])}{draw.randint(1960, 2005)}"
    return Person(name, _days(draw, 1, 6), posts=posts)


# Each kind of spam, named like its rule, with the near miss that belongs to it.
KINDS: dict[str, tuple[Callable[[random.Random], Person], Callable[[random.Random], Person]]] = {
    "crypto-link-spam": (crypto, warner),
    "mention-wave": (wave, conversation),
    "phishing-bio": (phishing, helper),
    "link-farming": (farming, newsroom),
    "casino-words": (casino, gambler),
    "lookalike-words": (disguised, bilingual),
    "posting-rate": (flood, lively),
    "name-series": (series, born),
}


def populate(
    session: Session,
    now: datetime,
    seed: int = 1,
    *,
    accounts: int = REMOTE + LOCAL,
    planted: int = PLANTED_PER_KIND,
    misses: int = MISSES_PER_KIND,
) -> Population:
    """Write the whole server into ``session`` and commit; ``planted`` and ``misses`` are so many of each kind."""
    draw = random.Random(seed)
    people = [(kind, make(draw)) for kind, (make, _) in KINDS.items() for _ in range(planted)]
    people += [(f"near {kind}", make(draw)) for kind, (_, make) in KINDS.items() for _ in range(misses)]
    people += [("", ordinary(draw)) for _ in range(accounts - len(people))]
    draw.shuffle(people)
    writer = _Writer(session, now, draw)
    writer.bot()
    for number, (kind, person) in enumerate(people):
        writer.add(person, kind, local=number % 11 == 0)
    writer.flush()
    spam = {one: kind for one, kind in writer.kinds.items() if kind in KINDS}
    near = {one: kind for one, kind in writer.kinds.items() if kind.startswith("near")}
    return Population(spam, near, len(people), len(writer.posts))


class _Writer:
    """Collects rows and writes them in bulk: 55,000 posts one by one would take a minute."""

    def __init__(self, session: Session, now: datetime, draw: random.Random) -> None:
        self.session, self.now, self.draw = session, now.astimezone(UTC).replace(tzinfo=None), draw
        self.ids = count(_FIRST_ID)
        self.accounts: list[dict[str, object]] = []
        self.posts: list[dict[str, object]] = []
        self.mentions: list[dict[str, object]] = []
        self.tags: list[dict[str, object]] = []
        self.follows: list[dict[str, object]] = []
        self.kinds: dict[str, str] = {}
        self.ordinary: list[int] = []

    def bot(self) -> None:
        self.bot_id = next(self.ids)
        self.accounts.append(self._account(self.bot_id, BOT, None, self.now - timedelta(days=400), role="admin"))
        scopes = ["admin:read", "read", "write"]
        self.session.add(OAuthToken(access_token=TOKEN, account_id=self.bot_id, scopes=scopes))

    def add(self, person: Person, kind: str, *, local: bool) -> None:
        account_id = next(self.ids)
        domain = None if local else f"{self.draw.choice(WORDS)}.example"
        username = (
            person.username if kind in ("name-series", "near name-series") else f"{person.username}_{account_id % 997}q"
        )
        row = self._account(account_id, username, domain, self.now - person.age, bot=person.bot)
        row["display_name"], row["note"] = person.name or username, _as_html(person.bio)
        row["fields"] = [{"name": name, "value": _as_html(value)} for name, value in person.fields.items()]
        self.accounts.append(row)
        if kind:
            self.kinds[str(account_id)] = kind
        else:
            self.ordinary.append(account_id)
        for post in sorted(person.posts, key=lambda one: one.ago, reverse=True):
            self._post(account_id, post)
        for follower in self.ordinary[-person.followers :] if person.followers else ():
            self.follows.append({"source_account_id": follower, "target_account_id": account_id, "following": True})

    def flush(self) -> None:
        known = [one["id"] for one in self.accounts]
        for row in self.mentions:
            row["account_id"] = self.draw.choice(known)
        rows = ((Account, self.accounts), (Status, self.posts), (StatusMention, self.mentions))
        for model, found in (*rows, (StatusTag, self.tags), (Relationship, self.follows)):
            if found:
                self.session.bulk_insert_mappings(model, found)
        self.session.commit()

    def _account(
        self, account_id: int, username: str, domain: str | None, created_at: datetime, **more: object
    ) -> dict[str, object]:
        return {"id": account_id, "username": username, "domain": domain, "created_at": created_at, **more}

    def _post(self, account_id: int, post: Post) -> None:
        status_id = next(self.ids)
        row: dict[str, object] = {
            "id": status_id,
            "account_id": account_id,
            "content": _as_html(post.text),
            "text": post.text,
            "created_at": self.now - post.ago,
            "in_reply_to_account_id": self.bot_id if post.reply else None,
        }
        self.posts.append(row)
        self.mentions += [{"status_id": status_id} for _ in range(post.mentions)]
        self.tags += [{"status_id": status_id, "name": f"tag{number}"} for number in range(post.tags)]


def _as_html(text: str) -> str:
    words = (
        f'<a href="{word}" rel="nofollow">{word}</a>' if word.startswith("https://") else html.escape(word)
        for word in text.split(" ")
    )
    return f"<p>{' '.join(words)}</p>" if text else ""
