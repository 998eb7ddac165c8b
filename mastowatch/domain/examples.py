"""Runs the examples that stand in the rules themselves: each must match, or must not, with the live set.

An example is an account and its posts, told in a few keys; what is not given is ordinary: 400 days old, 50
followers, following 50, as many posts as are listed.
"""

from __future__ import annotations

import html as entities
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from mastowatch.domain import reading
from mastowatch.domain.reading import Keys, Reader
from mastowatch.domain.rule import ACCOUNTS_MAX, Example, Rule
from mastowatch.errors import RuleError
from mastowatch.ports.types import Account, Field, Media, Status

Kind = Literal["match", "no_match"]
# Tells whether a rule hits the account with its posts at a time, if so many accounts have in common what it shows.
Hits = Callable[[Rule, Account, Sequence[Status], datetime, int], bool]

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
POSTS_MAX = 200
EACH_MAX = 100  # of mentions, hashtags and pictures in a post
_AGE = timedelta(days=400)
# A picture, as Mastodon tells it: all of an example's are the same.
_BLURHASH = "LEHV6nWB2yk8pyo0adR*.7kCMdnj"


def _text(reader: Reader, key: str, value: object) -> str:
    if not isinstance(value, str):
        raise reader.fail(key, f"{reading.shown(value)} is not a text", f'write {key} = "..."')
    return value


def _table(reader: Reader, key: str, value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise reader.fail(key, "must be a table of texts", f'write {key} = {{ Home = "https://..." }}')
    return value


def _posts(reader: Reader, key: str, value: object) -> list[str | dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, (str, dict)) for one in value):
        raise reader.fail(key, "must be a list of texts or tables", f'write {key} = ["one", {{ text = "two" }}]')
    return value


EXAMPLE_KEYS: Keys = {
    "age": (reading.duration, 'How old the account is, `"400d"` if not given.'),
    "followers": (reading.whole, "50 if not given."),
    "following": (reading.whole, "50 if not given."),
    "statuses": (reading.whole, "How many posts it has in all; as many as are listed if not given."),
    "username": (_text, '`"someone"` if not given.'),
    "domain": (_text, "Its server; an account of this server if not given."),
    "name": (_text, 'Display name, `"Someone"` if not given.'),
    "bio": (_text, "Plain text; addresses that begin with https:// become links, as in posts."),
    "fields": (_table, 'Rows of the profile\'s table: `{ Home = "https://..." }`.'),
    "bot": (reading.yes, "`false` if not given."),
    "posts": (_posts, "A list of texts, or of tables with the keys below."),
    "repeat": (reading.whole, "How often all of `posts` stands there, 1 if not given."),
    "discovered": (reading.duration, "How long this server has known it; as long as it is old if not given."),
    "campaign_accounts": (
        reading.between(1, ACCOUNTS_MAX),
        "How many accounts in all have its links, texts, pictures and name in common; 1 if not given.",
    ),
}
POST_KEYS: Keys = {
    "text": (_text, "Plain text."),
    "html": (_text, "HTML as Mastodon gives it, instead of `text`."),
    "warning": (_text, "Content warning."),
    "mentions": (reading.between(0, EACH_MAX), "How many people it mentions, in each post others."),
    "people": (reading.names, "Names of the people it mentions, instead of `mentions`."),
    "tags": (reading.between(0, EACH_MAX), "How many hashtags it has."),
    "media": (reading.between(0, EACH_MAX), "How many pictures it has."),
    "ago": (reading.duration, "How long ago; if not given, a minute for the first post, two for the second, ..."),
    "language": (_text, "Like `en`; none if not given."),
    "reply": (reading.yes, "It answers somebody else."),
    "visibility": (reading.choice("public", "unlisted"), "`public` if not given."),
}


@dataclass(frozen=True, slots=True)
class ExampleFailure:
    """An example that went the other way, or (``problem``) can't be read. ``number`` counts from 1."""

    rule: Rule
    kind: Kind
    number: int
    problem: str = ""

    def as_error(self) -> RuleError:
        """Return it as an error about the rule's file."""
        told = "should match and does not" if self.kind == "match" else "should not match and does"
        hint = "change the rule or the example; docs/howto/write-a-rule.md helps"
        return RuleError(self.rule.file, f"examples.{self.kind}[{self.number}]", self.problem or told, hint)

    def __str__(self) -> str:
        return str(self.as_error())


def failures(rules: Sequence[Rule], hits: Hits) -> list[ExampleFailure]:
    """Run all examples of ``rules`` that are not off; ``hits`` asks the live set."""
    return [
        failure
        for rule in rules
        if rule.mode != "off"
        for kind, number, example in _numbered(rule)
        for failure in _failures(rule, kind, number, example, hits)
    ]


def build(example: Example, *, file: str, table: str) -> tuple[Account, tuple[Status, ...]]:
    """Return the account and the posts that an example describes, newest first; raises the first RuleError."""
    reader = Reader(file, table, example)
    account, statuses = _built(reader, reader.read(EXAMPLE_KEYS))
    if reader.faults:
        raise reader.faults[0]
    return account, statuses


def _built(reader: Reader, given: Mapping[str, Any]) -> tuple[Account, tuple[Status, ...]]:
    listed, repeat = given.get("posts", []), given.get("repeat", 1)
    if len(listed) * repeat > POSTS_MAX:
        reader.refuse("posts", f"are {len(listed) * repeat}", f"at most {POSTS_MAX}")
        listed = []
    statuses = tuple(_status(reader, number, post) for number, post in enumerate(listed * repeat, start=1))
    return _account(given, len(statuses)), statuses


def _numbered(rule: Rule) -> list[tuple[Kind, int, Example]]:
    kinds: tuple[tuple[Kind, tuple[Example, ...]], ...] = (("match", rule.match), ("no_match", rule.no_match))
    return [(kind, number, one) for kind, examples in kinds for number, one in enumerate(examples, start=1)]


def _failures(rule: Rule, kind: Kind, number: int, example: Example, hits: Hits) -> list[ExampleFailure]:
    reader = Reader(rule.file, f"examples.{kind}[{number}]", example)
    given = reader.read(EXAMPLE_KEYS)
    account, statuses = _built(reader, given)
    if reader.faults:
        problems = dict.fromkeys(f"{one.key.removeprefix(reader.table + '.')}: {one.problem}" for one in reader.faults)
        return [ExampleFailure(rule, kind, number, problem) for problem in problems]
    if hits(rule, account, statuses, NOW, given.get("campaign_accounts", 1)) == (kind == "match"):
        return []
    return [ExampleFailure(rule, kind, number)]


def _account(given: Mapping[str, Any], posts: int) -> Account:
    username, domain = given.get("username", "someone"), given.get("domain")
    return Account(
        id="1",
        acct=f"{username}@{domain}" if domain else username,
        username=username,
        domain=domain,
        display_name=given.get("name", "Someone"),
        note_html=_linked(given.get("bio", "")),
        url=f"https://{domain or 'this.example'}/@{username}",
        created_at=NOW - given.get("age", _AGE),
        discovered_at=NOW - given.get("discovered", given.get("age", _AGE)),
        fields=tuple(Field(name, _linked(value)) for name, value in given.get("fields", {}).items()),
        followers=given.get("followers", 50),
        following=given.get("following", 50),
        statuses=given.get("statuses", posts),
        bot=given.get("bot", False),
    )


def _status(reader: Reader, number: int, post: str | dict[str, Any]) -> Status:
    table = f"{reader.table}.posts[{number}]"
    values = {"text": post} if isinstance(post, str) else post
    given = Reader(reader.file, table, values, reader.faults).read(POST_KEYS)
    first = number * EACH_MAX
    return Status(
        id=str(10_000 - number),
        account_id="1",
        created_at=NOW - given.get("ago", timedelta(minutes=number)),
        content_html=given.get("html", "") or _linked(given.get("text", "")),
        spoiler_text=given.get("warning", ""),
        language=given.get("language"),
        in_reply_to_account_id="2" if given.get("reply") else None,
        mentions=given.get("people", ()) or tuple(f"user{first + n}" for n in range(given.get("mentions", 0))),
        tags=tuple(f"tag{count}" for count in range(given.get("tags", 0))),
        visibility=given.get("visibility", "public"),
        media=tuple(Media("image", blurhash=_BLURHASH) for _ in range(given.get("media", 0))),
    )


def _linked(text: str) -> str:
    """Return text as Mastodon's HTML, with its addresses as links."""
    words = (
        f'<a href="{word}">{word}</a>' if word.startswith(("http://", "https://")) else word
        for word in entities.escape(text).split(" ")
    )
    return f"<p>{' '.join(words)}</p>" if text else ""
