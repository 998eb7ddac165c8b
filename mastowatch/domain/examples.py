"""Runs the examples that stand in the rules themselves: each must match, or must not, with the live set.

An example is a table: keys of an account (``age``, ``followers``, ``following``, ``statuses``, ``username``,
``name``, ``bio``, ``bot``, ``domain``, ``fields``) and ``posts``, a list of texts or of tables (``text`` or
``html``, ``mentions``, ``tags``, ``media``, ``links``, ``ago``, ``language``, ``reply``). ``repeat`` says how
often each post stands there. What is not given is ordinary.
"""

from __future__ import annotations

import html as html_escape
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mastowatch.domain.rule import Reader, Rule, read_duration
from mastowatch.domain.ruleset import RuleSet
from mastowatch.errors import RuleError
from mastowatch.ports.types import Account, Field, Media, Status

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)

_ACCOUNT = ("age", "followers", "following", "statuses", "username", "name", "bio", "bot", "domain", "fields")
_POST = ("text", "html", "mentions", "tags", "media", "links", "ago", "language", "reply")


@dataclass(frozen=True, slots=True)
class ExampleFailure:
    """An example that went the other way. ``number`` counts from 1."""

    rule: Rule
    kind: str
    number: int

    def __str__(self) -> str:
        told = "should match and does not" if self.kind == "match" else "should not match and does"
        return f"{self.rule.file}: examples.{self.kind}[{self.number}] {told} ({self.rule.id})"


def check(rules: RuleSet) -> list[ExampleFailure]:
    """Run all examples; raises RuleError for one that can't be read."""
    return [
        ExampleFailure(rule, kind, number)
        for rule in rules.rules
        for kind, examples in (("match", rule.match), ("no_match", rule.no_match))
        for number, example in enumerate(examples, start=1)
        if rule.mode != "off" and _hits(rules, rule, kind, number, example) != (kind == "match")
    ]


def _hits(rules: RuleSet, rule: Rule, kind: str, number: int, example: Mapping[str, Any]) -> bool:
    account, statuses = build(example, file=rule.file, table=f"examples.{kind}[{number}]")
    verdict = rules.judge(account, statuses, NOW, watch_at=1, report_at=1)
    return any(reason.rule_id == rule.id for reason in verdict.reasons)


def build(example: Mapping[str, Any], *, file: str, table: str) -> tuple[Account, tuple[Status, ...]]:
    """Return the account and the posts that an example describes."""
    reader = Reader(file, table, dict(example))
    reader.refuse_unknown({**dict.fromkeys(_ACCOUNT), "posts": 1, "repeat": 1})
    try:
        posts = tuple(post for post in example.get("posts", ()) for _ in range(example.get("repeat", 1)))
        statuses = tuple(_status(reader, number, post) for number, post in enumerate(posts, start=1))
        return _account(reader, example, len(statuses)), statuses
    except (TypeError, AttributeError, ValueError) as error:
        raise RuleError(file, table, f"can't be read: {error}", "see docs/reference/rules.md, Examples") from error


def _ago(reader: Reader, value: object) -> timedelta:
    found: timedelta = read_duration(reader, "age", value)
    return found


def _account(reader: Reader, example: Mapping[str, Any], posts: int) -> Account:
    username, domain = example.get("username", "someone"), example.get("domain")
    return Account(
        id="1",
        acct=f"{username}@{domain}" if domain else username,
        username=username,
        domain=domain,
        display_name=example.get("name", "Someone"),
        note_html=_linked(example.get("bio", "")),
        url="https://example.org/@someone",
        created_at=NOW - _ago(reader, example.get("age", "400d")),
        fields=tuple(Field(name, _linked(value)) for name, value in example.get("fields", {}).items()),
        followers=int(example.get("followers", 50)),
        following=int(example.get("following", 50)),
        statuses=int(example.get("statuses", posts)),
        bot=bool(example.get("bot", False)),
    )


def _status(reader: Reader, number: int, post: str | Mapping[str, Any]) -> Status:
    given: Mapping[str, Any] = {"text": post} if isinstance(post, str) else post
    Reader(reader.file, f"{reader.table}.posts[{number}]", dict(given)).refuse_unknown(dict.fromkeys(_POST))
    links = "".join(f'<p><a href="{link}">{link}</a></p>' for link in given.get("links", ()))
    ago = _ago(reader, given["ago"]) if "ago" in given else timedelta(minutes=number)
    return Status(
        id=str(1000 - number),
        account_id="1",
        created_at=NOW - ago,
        content_html=given.get("html") or _linked(given.get("text", "")) + links,
        language=given.get("language"),
        in_reply_to_account_id="2" if given.get("reply") else None,
        mentions=tuple(f"user{count}" for count in range(int(given.get("mentions", 0)))),
        tags=tuple(f"tag{count}" for count in range(int(given.get("tags", 0)))),
        media=tuple(Media("image") for _ in range(int(given.get("media", 0)))),
    )


def _linked(text: str) -> str:
    """Return text as Mastodon's HTML, with its URLs as links."""
    words = (
        f'<a href="{word}">{word}</a>' if word.startswith(("http://", "https://")) else html_escape.escape(word)
        for word in text.split(" ")
    )
    return f"<p>{' '.join(words)}</p>" if text else ""
