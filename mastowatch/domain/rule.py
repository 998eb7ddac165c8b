"""A rule, and how it is read from its TOML document; docs/reference/rules.md is checked against this table.

Strict: an unknown key, a wrong type or a missing example is a RuleError that names the file, the key and a hint.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from mastowatch.errors import RuleError
from mastowatch.ports.types import Category

Mode = Literal["off", "shadow", "report"]
Scope = Literal["all", "local", "remote"]

_DURATION = re.compile(r"([1-9][0-9]{0,5})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


@dataclass(frozen=True, slots=True)
class AccountConditions:
    """Conditions on a profile; all given ones must hold. See ACCOUNT_KEYS for their meaning."""

    age_max: timedelta | None = None
    age_min: timedelta | None = None
    followers_max: int | None = None
    followers_min: int | None = None
    following_max: int | None = None
    following_min: int | None = None
    statuses_max: int | None = None
    statuses_min: int | None = None
    statuses_per_day_min: float | None = None
    links_min: int | None = None
    link_hosts: tuple[str, ...] = ()
    username_pattern: str | None = None
    name_words: tuple[str, ...] = ()
    name_pattern: str | None = None
    bio_words: tuple[str, ...] = ()
    bio_pattern: str | None = None
    lookalike: bool | None = None
    bot: bool | None = None


@dataclass(frozen=True, slots=True)
class StatusConditions:
    """Conditions on one post; all given ones must hold for the same post. See STATUS_KEYS."""

    words: tuple[str, ...] = ()
    pattern: str | None = None
    links_min: int | None = None
    link_hosts: tuple[str, ...] = ()
    mentions_min: int | None = None
    tags_min: int | None = None
    media_min: int | None = None
    languages: tuple[str, ...] = ()
    reply: bool | None = None
    lookalike: bool | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``status`` None: it looks at the profile alone. ``count_min`` posts must match ``within`` a time."""

    file: str
    id: str
    name: str
    description: str
    mode: Mode
    weight: float
    account: AccountConditions
    status: StatusConditions | None
    category: Category = "spam"
    rule_ids: tuple[str, ...] = ()
    scope: Scope = "all"
    forward: bool = False
    count_min: int = 1
    within: timedelta | None = None
    not_account: AccountConditions | None = None
    not_status: StatusConditions | None = None
    match: tuple[Mapping[str, Any], ...] = field(default=(), compare=False)
    no_match: tuple[Mapping[str, Any], ...] = field(default=(), compare=False)


class Reader:
    """Reads the values of one table, so that every complaint names file and key."""

    def __init__(self, file: str, table: str, values: object) -> None:
        self.file, self.table = file, table
        if not isinstance(values, dict):
            raise RuleError(file, table, "must be a table", f"write [{table}] on a line of its own")
        self.values: dict[str, Any] = values

    def fail(self, key: str, problem: str, hint: str = "") -> RuleError:
        """Return the error for ``key`` of this table."""
        return RuleError(self.file, f"{self.table}.{key}" if self.table else key, problem, hint)

    def refuse_unknown(self, known: Mapping[str, object]) -> None:
        """Raise for a key that this table doesn't have."""
        for key in self.values:
            if key not in known:
                close = difflib.get_close_matches(key, known, n=1)
                raise self.fail(
                    key, "is not a key of this table", f"did you mean {close[0]}?" if close else _list(known)
                )

    def text(self, key: str, *, default: str | None = None) -> str:
        """Return a text that must not be empty."""
        value = self.values.get(key, default)
        if not isinstance(value, str) or not value.strip():
            raise self.fail(key, "must be a text", f'write {key} = "..."')
        return value.strip()

    def choice(self, key: str, choices: tuple[str, ...], default: str) -> Any:  # noqa: ANN401 -- a Literal
        """Return one of ``choices``."""
        value = self.values.get(key, default)
        if value not in choices:
            raise self.fail(key, f"{value!r} is not allowed", f"one of {', '.join(choices)}")
        return value

    def convert(self, key: str, converter: Callable[[Reader, str, Any], Any]) -> Any:  # noqa: ANN401 -- by the table
        """Return the value of ``key`` as ``converter`` reads it."""
        return converter(self, key, self.values[key])


def _list(known: Mapping[str, object]) -> str:
    return f"one of {', '.join(known)}"


def _whole(reader: Reader, key: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 10**9:
        raise reader.fail(key, f"{value!r} is not a whole number from 0", f"write {key} = 3")
    return value


def _number(reader: Reader, key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 10**6:
        raise reader.fail(key, f"{value!r} is not a number from 0", f"write {key} = 2.5")
    return float(value)


def _yes(reader: Reader, key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise reader.fail(key, f"{value!r} is neither true nor false", f"write {key} = true")
    return value


def read_duration(reader: Reader, key: str, value: object) -> timedelta:
    """Return "30m", "6h", "7d" or "2w" as a time; raises RuleError."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise reader.fail(key, f"{value!r} is not a duration", 'write "30m", "6h", "7d" or "2w"')
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _texts(reader: Reader, key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) and one.strip() for one in value):
        raise reader.fail(key, "must be a list of texts, none of them empty", f'write {key} = ["one", "two"]')
    return tuple(one.strip() for one in value)


def _words(reader: Reader, key: str, value: object) -> tuple[str, ...]:
    words = _texts(reader, key, value)
    for word in words:
        # A stray comma makes a word that matches nothing or, worse, everything.
        if not word[0].isalnum() or not word[-1].isalnum():
            raise reader.fail(key, f"the word {word!r} begins or ends with punctuation", "take the punctuation away")
    return words


def _hosts(reader: Reader, key: str, value: object) -> tuple[str, ...]:
    hosts = tuple(host.lower().removeprefix("www.").strip(".") for host in _texts(reader, key, value))
    for host in hosts:
        if "/" in host or "." not in host:
            raise reader.fail(key, f"{host!r} is not a host name", 'write "example.org", without https:// and path')
    return hosts


def _pattern(reader: Reader, key: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise reader.fail(key, "must be a text with an RE2 pattern", f"write {key} = '...' with single quotes")
    return value


# Every condition with its reader and its meaning; the reference page lists exactly these.
ACCOUNT_KEYS: Mapping[str, tuple[Callable[[Reader, str, Any], Any], str]] = {
    "age_max": (read_duration, "The account is at most this old (a remote account's age is what its server says)."),
    "age_min": (read_duration, "The account is at least this old."),
    "followers_max": (_whole, "It has at most this many followers, as known here."),
    "followers_min": (_whole, "It has at least this many followers."),
    "following_max": (_whole, "It follows at most this many."),
    "following_min": (_whole, "It follows at least this many."),
    "statuses_max": (_whole, "It has at most this many posts."),
    "statuses_min": (_whole, "It has at least this many posts."),
    "statuses_per_day_min": (
        _number,
        "Posts per day of its life; an account younger than an hour counts as an hour old.",
    ),
    "links_min": (_whole, "Links in bio and profile fields together."),
    "link_hosts": (_hosts, "Bio or fields link to one of these hosts or a host below it."),
    "username_pattern": (_pattern, "RE2 pattern, searched in the user name."),
    "name_words": (_words, "One of these words or phrases stands in the display name."),
    "name_pattern": (_pattern, "RE2 pattern, searched in the folded display name."),
    "bio_words": (_words, "One of these words or phrases stands in bio or fields."),
    "bio_pattern": (_pattern, "RE2 pattern, searched in the folded bio and fields."),
    "lookalike": (_yes, "Display name or bio has a word that mixes look-alike letters of two scripts."),
    "bot": (_yes, "The account says that it is a bot."),
}
STATUS_KEYS: Mapping[str, tuple[Callable[[Reader, str, Any], Any], str]] = {
    "words": (_words, "One of these words or phrases stands in the post or its content warning."),
    "pattern": (_pattern, "RE2 pattern, searched in the folded text."),
    "links_min": (_whole, "Links, not counting mentions and hashtags."),
    "link_hosts": (_hosts, "It links to one of these hosts or a host below it."),
    "mentions_min": (_whole, "People mentioned."),
    "tags_min": (_whole, "Hashtags."),
    "media_min": (_whole, "Attachments."),
    "languages": (_texts, "Its language as given with the post, like en or de."),
    "reply": (_yes, "It is a reply to somebody else's post."),
    "lookalike": (_yes, "It has a word that mixes look-alike letters of two scripts."),
}
_COUNTING: Mapping[str, tuple[Callable[[Reader, str, Any], Any], str]] = {
    "count_min": (_whole, "At least this many posts match (1 if not given)."),
    "within": (read_duration, "They lie within this time of each other."),
}
RULE_KEYS: Mapping[str, str] = {
    "id": "Name of the rule for machines: small letters, digits and hyphens.",
    "name": "Name for people; stands in the report.",
    "description": "What it is for and why, for the next moderator.",
    "mode": "off, shadow (counts apart, for trying out) or report.",
    "weight": "What a hit adds to the score, above 0.",
    "category": "Category of the report: spam, violation, legal or other.",
    "rule_ids": "Ids of the server's rules that are broken; Mastodon then files a violation.",
    "scope": "all, local or remote accounts.",
    "forward": "true: send the report to the account's own server as well.",
    "account": "Table of conditions on the profile.",
    "status": "Table of conditions on one post.",
    "not": "Tables not.account and not.status: what they match is spared.",
    "examples": "Lists examples.match and examples.no_match, run at each load.",
}


def parse(file: str, document: Mapping[str, Any]) -> Rule:
    """Return the rule in ``document``; raises RuleError."""
    top = Reader(file, "", dict(document))
    top.refuse_unknown(RULE_KEYS)
    status, counting = _status(file, document.get("status"))
    spared = Reader(file, "not", document.get("not", {}))
    spared.refuse_unknown({"account": 1, "status": 1})
    rule = Rule(
        file=file,
        id=_rule_id(top),
        name=top.text("name"),
        description=top.text("description"),
        mode=top.choice("mode", ("off", "shadow", "report"), "shadow"),
        weight=_weight(top),
        account=_account(file, "account", document.get("account", {})),
        status=status,
        category=top.choice("category", ("spam", "violation", "legal", "other"), "spam"),
        rule_ids=_server_rules(top),
        scope=top.choice("scope", ("all", "local", "remote"), "all"),
        forward=_yes(top, "forward", document.get("forward", False)),
        not_account=_account(file, "not.account", spared.values["account"]) if "account" in spared.values else None,
        not_status=_status(file, spared.values["status"], "not.status")[0] if "status" in spared.values else None,
        match=_examples(file, document, "match"),
        no_match=_examples(file, document, "no_match"),
        **counting,
    )
    _refuse_toothless(rule)
    return rule


def _rule_id(top: Reader) -> str:
    value = top.text("id")
    if not _ID.fullmatch(value):
        raise top.fail("id", f"{value!r} is not allowed", "small letters, digits and hyphens, at most 64")
    return value


def _weight(top: Reader) -> float:
    weight = _number(top, "weight", top.values.get("weight"))
    if not 0 < weight <= 1000:
        raise top.fail("weight", f"{weight} is not allowed", "above 0, at most 1000")
    return weight


def _server_rules(top: Reader) -> tuple[str, ...]:
    values = top.values.get("rule_ids", [])
    if not isinstance(values, list) or not all(str(value).isdigit() for value in values):
        raise top.fail("rule_ids", "must be a list of ids of the server's rules", 'write rule_ids = ["1"]')
    return tuple(str(value) for value in values)


def _account(file: str, table: str, values: object) -> AccountConditions:
    reader = Reader(file, table, values)
    reader.refuse_unknown(ACCOUNT_KEYS)
    return AccountConditions(**{key: reader.convert(key, ACCOUNT_KEYS[key][0]) for key in reader.values})


def _status(file: str, values: object, table: str = "status") -> tuple[StatusConditions | None, dict[str, Any]]:
    if values is None:
        return None, {}
    reader = Reader(file, table, values)
    extra = _COUNTING if table == "status" else {}
    reader.refuse_unknown({**STATUS_KEYS, **extra})
    conditions = {key: reader.convert(key, STATUS_KEYS[key][0]) for key in reader.values if key in STATUS_KEYS}
    counting = {key: reader.convert(key, extra[key][0]) for key in reader.values if key in extra}
    if counting.get("count_min") == 0:
        raise reader.fail("count_min", "0 would match every account", "1 or more")
    return StatusConditions(**conditions), counting


def _examples(file: str, document: Mapping[str, Any], kind: str) -> tuple[Mapping[str, Any], ...]:
    examples = document.get("examples", {})
    found = examples.get(kind, []) if isinstance(examples, dict) else None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise RuleError(file, f"examples.{kind}", "must be a list of tables", f"begin each with [[examples.{kind}]]")
    return tuple(found)


def _refuse_toothless(rule: Rule) -> None:
    """Refuse a rule that would match everyone, and one that would report without having been shown to be right."""
    empty_status = rule.status is None or (rule.status == StatusConditions() and rule.count_min == 1)
    if rule.account == AccountConditions() and empty_status:
        raise RuleError(rule.file, "", "has no conditions and would match everyone", "add [account] or [status]")
    for kind, examples in (("match", rule.match), ("no_match", rule.no_match)):
        if rule.mode == "report" and not examples:
            hint = f'add one with [[examples.{kind}]], or set mode = "shadow"'
            raise RuleError(rule.file, f"examples.{kind}", "a rule that reports needs at least one", hint)
