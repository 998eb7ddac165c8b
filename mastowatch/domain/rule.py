"""A rule, and how it is read from its TOML document. The tables of keys here are the format's only description.

Strict: an unknown key, a wrong type or a missing example is a RuleError that names the file, the key and a hint.
docs/reference/rules.md lists the same keys; a test holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from mastowatch.domain import reading
from mastowatch.domain.limits import NO_LIMITS, Action, Limits, read_action, read_limits
from mastowatch.domain.reading import Keys, Reader
from mastowatch.errors import RuleError
from mastowatch.ports.types import Category

Mode = Literal["off", "shadow", "report"]
Scope = Literal["all", "local", "remote"]
Example = Mapping[str, Any]

# Mastodon gives at most this many posts of an account at once, so no more of them can ever match.
COUNT_MAX = 40
WEIGHT_MAX = 1000.0
NAME_MAX = 80  # characters; a report has room for a few such lines
DESCRIPTION_MAX = 2000
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


@dataclass(frozen=True, slots=True)
class AccountConditions:
    """Conditions on a profile; ACCOUNT_KEYS says what each means. What is None or empty was not given."""

    age_max: timedelta | None = None
    age_min: timedelta | None = None
    followers_max: int | None = None
    followers_min: int | None = None
    following_max: int | None = None
    following_min: int | None = None
    statuses_max: int | None = None
    statuses_min: int | None = None
    statuses_per_day_min: float | None = None
    bot: bool | None = None
    username_pattern: str | None = None
    name_words: tuple[str, ...] = ()
    name_pattern: str | None = None
    bio_words: tuple[str, ...] = ()
    bio_pattern: str | None = None
    links_min: int | None = None
    link_hosts: tuple[str, ...] = ()
    lookalike: bool | None = None


@dataclass(frozen=True, slots=True)
class StatusConditions:
    """Conditions on one post; STATUS_KEYS says what each means. What is None or empty was not given."""

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
    """One rule. ``status`` None: it looks at the profile alone. ``count_min`` posts must match ``within`` a time.

    Of ``account`` and ``status`` all conditions must hold; of ``not_account`` and ``not_status`` any one spares.
    """

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
    limits: Limits = NO_LIMITS
    action: Action = "report"
    expires: timedelta | None = None
    count_min: int = 1
    within: timedelta | None = None
    not_account: AccountConditions | None = None
    not_status: StatusConditions | None = None
    match: tuple[Example, ...] = field(default=(), compare=False)
    no_match: tuple[Example, ...] = field(default=(), compare=False)


RULE_KEYS: Mapping[str, str] = {
    "id": "Name for machines: small letters, digits and hyphens, at most 64.",
    "name": f"Name for people, at most {NAME_MAX} characters; stands in the report.",
    "description": "What it is for and why, for the next moderator.",
    "mode": "`off`, `shadow` (counts apart, for trying out; the default) or `report`.",
    "weight": f"What a hit adds to the account's score; above 0, at most {WEIGHT_MAX:.0f}.",
    "category": "Category of the report: `spam` (the default), `violation`, `legal` or `other`.",
    "rule_ids": "Ids of the server's own rules that are broken; Mastodon then files a violation.",
    "scope": "`all` accounts (the default), `local` or `remote` ones.",
    "forward": "`true`: the report goes to the account's own server as well. `false` is the default.",
    "limits": "Table of what it may report at most before it drops to shadow.",
    "action": "`report` (the default), or also `sensitive`, `silence` or `suspend`, where `ALLOW_ENFORCEMENT` is on.",
    "expires": "When such an action is undone, at most `28d`; needed with it.",
    "account": "Table of conditions on the profile; all must hold.",
    "status": "Table of conditions on one post; all must hold for the same post.",
    "not": "Tables `not.account` and `not.status`: an account or a post that meets any condition there is spared.",
    "examples": "Lists `examples.match` and `examples.no_match`, run at each load. A rule that reports needs both.",
}
ACCOUNT_KEYS: Keys = {
    "age_max": (reading.duration, "It is at most this old. (For a remote account, its own server says so.)"),
    "age_min": (reading.duration, "It is at least this old."),
    "followers_max": (reading.whole, "It has at most this many followers, as far as this server knows."),
    "followers_min": (reading.whole, "It has at least this many followers."),
    "following_max": (reading.whole, "It follows at most this many accounts."),
    "following_min": (reading.whole, "It follows at least this many accounts."),
    "statuses_max": (reading.whole, "It has at most this many posts."),
    "statuses_min": (reading.whole, "It has at least this many posts."),
    "statuses_per_day_min": (reading.number, "Posts per day of its life; in its first hour it counts as an hour old."),
    "bot": (reading.yes, "It says that it is a bot, or (`false`) doesn't."),
    "username_pattern": (reading.pattern, "A pattern, searched in the user name in small letters, without domain."),
    "name_words": (reading.words, "One of these words or phrases stands in the display name."),
    "name_pattern": (reading.pattern, "A pattern, searched in the folded display name."),
    "bio_words": (reading.words, "One of these words or phrases stands in bio or profile fields."),
    "bio_pattern": (reading.pattern, "A pattern, searched in the folded bio and profile fields."),
    "links_min": (reading.whole, "At least this many links in bio and profile fields together."),
    "link_hosts": (reading.hosts, "Bio or fields link to one of these hosts, or to one below it."),
    "lookalike": (reading.yes, "Display name, bio or fields have a word in disguise, or (`false`) haven't."),
}
STATUS_KEYS: Keys = {
    "words": (reading.words, "One of these words or phrases stands in text, content warning or alt texts."),
    "pattern": (reading.pattern, "A pattern, searched in the folded text."),
    "links_min": (reading.whole, "At least this many links; mentions and hashtags are none."),
    "link_hosts": (reading.hosts, "It links to one of these hosts, or to one below it."),
    "mentions_min": (reading.whole, "At least this many people are mentioned."),
    "tags_min": (reading.whole, "At least this many hashtags."),
    "media_min": (reading.whole, "At least this many attachments."),
    "languages": (reading.languages, "Its language, as given with the post; `pt` covers `pt-BR`."),
    "reply": (reading.yes, "It is a reply to somebody else, or (`false`) isn't."),
    "lookalike": (reading.yes, "It has a word in disguise (letters of two scripts mixed), or (`false`) hasn't."),
}
COUNTING_KEYS: Keys = {
    "count_min": (reading.whole, f"At least this many posts match; 1 if not given, at most {COUNT_MAX}."),
    "within": (reading.duration, "They lie within this time of each other."),
}


def parse(file: str, document: Mapping[str, Any]) -> Rule:
    """Return the rule in ``document``; raises RuleError. Patterns are compiled later, by the matcher."""
    top = Reader(file, "", document)
    top.refuse_unknown(RULE_KEYS)
    spared = Reader(file, "not", document.get("not", {}))
    spared.refuse_unknown(("account", "status"))
    samples = Reader(file, "examples", document.get("examples", {}))
    samples.refuse_unknown(("match", "no_match"))
    rule = Rule(
        file=file,
        id=_rule_id(top),
        name=top.text("name", longest=NAME_MAX),
        description=top.text("description", longest=DESCRIPTION_MAX),
        mode=top.choice("mode", ("off", "shadow", "report"), "shadow"),
        weight=_weight(top),
        account=AccountConditions(**Reader(file, "account", document.get("account", {})).read(ACCOUNT_KEYS)),
        category=top.choice("category", ("spam", "violation", "legal", "other"), "spam"),
        rule_ids=_server_rules(top),
        scope=top.choice("scope", ("all", "local", "remote"), "all"),
        forward=reading.yes(top, "forward", document.get("forward", False)),
        limits=read_limits(file, document),
        **read_action(top),
        not_account=AccountConditions(**_spared(spared, "account", ACCOUNT_KEYS)) if "account" in spared else None,
        not_status=StatusConditions(**_spared(spared, "status", STATUS_KEYS)) if "status" in spared else None,
        match=_examples(samples, "match"),
        no_match=_examples(samples, "no_match"),
        **_status(file, document),
    )
    _refuse_toothless(rule)
    _refuse_contradictions(rule)
    return rule


def _rule_id(top: Reader) -> str:
    value = top.text("id", longest=64)
    if not _ID.fullmatch(value):
        raise top.fail("id", f"{value!r} is not allowed", "small letters, digits and hyphens, at most 64")
    if value == "all":
        raise top.fail("id", "'all' stands for all rules in `mastowatch rules arm all`", "choose another id")
    return value


def _weight(top: Reader) -> float:
    if "weight" not in top:
        raise top.fail("weight", "is missing", "write weight = 2.0; accounts are reported from a score of 5.0")
    weight = reading.number(top, "weight", top.values["weight"])
    if not 0 < weight <= WEIGHT_MAX:
        raise top.fail("weight", f"{weight} is not allowed", f"above 0, at most {WEIGHT_MAX:.0f}")
    return weight


def _server_rules(top: Reader) -> tuple[str, ...]:
    values = top.values.get("rule_ids", [])
    if not isinstance(values, list) or not all(str(value).isdecimal() for value in values):
        raise top.fail("rule_ids", "must be a list of ids of the server's rules", 'write rule_ids = ["1"]')
    return tuple(str(value) for value in values)


def _status(file: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return Rule's arguments ``status``, ``count_min`` and ``within``, as far as they are given."""
    if "status" not in document:
        return {"status": None}
    reader = Reader(file, "status", document["status"])
    given = reader.read({**STATUS_KEYS, **COUNTING_KEYS})
    counting = {key: given.pop(key) for key in COUNTING_KEYS if key in given}
    if not 1 <= counting.get("count_min", 1) <= COUNT_MAX:
        raise reader.fail("count_min", f"{counting['count_min']} can't be counted", f"from 1 to {COUNT_MAX}")
    if "within" in counting and counting.get("count_min", 1) == 1:
        raise reader.fail("within", "says how close posts lie, but one is enough", "add count_min = 2 or more")
    return {"status": StatusConditions(**given), **counting}


def _spared(spared: Reader, table: str, keys: Keys) -> dict[str, Any]:
    reader = Reader(spared.file, f"not.{table}", spared.values[table])
    if not reader.values:
        raise spared.fail(table, "is empty and spares nobody", "add a condition, or take the table away")
    return reader.read(keys)


def _examples(samples: Reader, kind: str) -> tuple[Example, ...]:
    found = samples.values.get(kind, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise samples.fail(kind, "must be a list of tables", f"begin each with [[examples.{kind}]]")
    return tuple(found)


def _refuse_toothless(rule: Rule) -> None:
    """Refuse a rule that would match everyone, and one that would report without having been shown to be right."""
    empty_status = rule.status is None or (rule.status == StatusConditions() and rule.count_min == 1)
    if rule.account == AccountConditions() and empty_status:
        raise RuleError(rule.file, "", "has no conditions and would match everyone", "add [account] or [status]")
    if rule.status is None and rule.not_status is not None:
        raise RuleError(rule.file, "not.status", "spares posts, but the rule looks at none", "add [status]")
    for kind, examples in (("match", rule.match), ("no_match", rule.no_match)):
        if rule.mode == "report" and not examples:
            hint = f'add one with [[examples.{kind}]], or set mode = "shadow"'
            raise RuleError(rule.file, f"examples.{kind}", "a rule that reports needs at least one", hint)


def _refuse_contradictions(rule: Rule) -> None:
    for name in ("age", "followers", "following", "statuses"):
        least, most = getattr(rule.account, f"{name}_min"), getattr(rule.account, f"{name}_max")
        if least is not None and most is not None and least > most:
            problem = f"is above account.{name}_max, so that nobody can match"
            raise RuleError(rule.file, f"account.{name}_min", problem, "exchange the two")
