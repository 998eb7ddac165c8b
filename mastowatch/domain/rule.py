"""A rule, and how it is read from its TOML document. The tables of keys here are the format's only description.

Strict: an unknown key, a wrong type or a missing example is a RuleError that names the file, the key and a hint.
docs/reference/rules.md lists the same keys; a test holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from mastowatch.domain import reading
from mastowatch.domain.limits import LIMIT_KEYS, NO_LIMITS, Action, Limits, read_action
from mastowatch.domain.reading import NO_LISTS, Converter, Keys, Lists, Reader
from mastowatch.errors import RuleError
from mastowatch.ports.types import Category, Same

Mode = Literal["off", "shadow", "report"]
Scope = Literal["all", "local", "remote"]
Example = Mapping[str, Any]

# Mastodon gives at most this many posts of an account at once, so no more of them can ever match.
COUNT_MAX = 40
WEIGHT_MAX = 1000.0
NAME_MAX = 80  # characters; a report has room for a few such lines
DESCRIPTION_MAX = 2000
# More accounts than that are not kept; and a longer memory would fill Redis with hosts that nobody names again.
ACCOUNTS_MAX = 500
CAMPAIGN_WITHIN_MAX = timedelta(days=7)
PARTS_MAX = 50  # other rules that one rule looks at
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
    discovered_max: timedelta | None = None
    following_per_follower_min: float | None = None


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
    account_age_max: timedelta | None = None
    visibility: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Campaign:
    """What several accounts must have in common; CAMPAIGN_KEYS says what each means."""

    same: Same
    accounts_min: int
    within: timedelta
    hosts_except: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``status`` None: it looks at the profile alone. ``count_min`` posts must match ``within`` a time.

    Of ``account`` and ``status`` all conditions must hold; of ``not_account`` and ``not_status`` any one spares.
    ``requires`` and ``any_of`` are ids of other rules that must hit as well: all of them, and ``any_of_min`` of them.
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
    mentioned_distinct_min: int | None = None
    same_text_min: int | None = None
    per_hour_min: float | None = None
    replies_share_min: float | None = None
    campaign: Campaign | None = None
    requires: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    any_of_min: int = 1
    not_account: AccountConditions | None = None
    not_status: StatusConditions | None = None
    match: tuple[Example, ...] = field(default=(), compare=False)
    no_match: tuple[Example, ...] = field(default=(), compare=False)

    @property
    def parts(self) -> tuple[str, ...]:
        """The ids of the other rules that it looks at."""
        return (*self.requires, *self.any_of)


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
    "requires": "Ids of other rules, all of which must hit as well.",
    "any_of": "Ids of other rules, of which some must hit as well.",
    "any_of_min": "How many of `any_of`; 1 if not given.",
    "account": "Table of conditions on the profile; all must hold.",
    "status": "Table of conditions on one post; all must hold for the same post.",
    "campaign": "Table: what several accounts that meet all other conditions must have in common.",
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
    "discovered_max": (reading.duration, "This server has known it for at most this long."),
    "following_per_follower_min": (reading.number, "It follows at least this many accounts for each of its followers."),
    "name_words_file": (reading.word_file, "A file in `lists/` with more `name_words`."),
    "bio_words_file": (reading.word_file, "A file in `lists/` with more `bio_words`."),
    "hosts_file": (reading.host_file, "A file in `lists/` with more `link_hosts`."),
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
    "account_age_max": (reading.duration, "The account was at most this old when it posted it."),
    "visibility": (reading.visibilities, "`public` or `unlisted`; other posts are never seen."),
    "words_file": (reading.word_file, "A file in `lists/` with more `words`."),
    "hosts_file": (reading.host_file, "A file in `lists/` with more `link_hosts`."),
}
COUNTING_KEYS: Keys = {
    "count_min": (
        reading.between(1, COUNT_MAX),
        f"At least this many posts match; 1 if not given, at most {COUNT_MAX}.",
    ),
    "within": (reading.duration, "They lie within this time of each other."),
    "mentioned_distinct_min": (reading.whole, "Together they mention at least this many different people."),
    "same_text_min": (
        reading.between(2, COUNT_MAX),
        "At least this many of them have the same text but for links, mentions and numbers; three words at least.",
    ),
    "per_hour_min": (reading.number, "They come at this rate an hour or faster; less than an hour counts as one."),
    "replies_share_min": (reading.share, "At least this part (`0.8`) of all its posts at hand are replies to others."),
}
CAMPAIGN_KEYS: Keys = {
    "same": (
        reading.choice("link_host", "template", "media", "name"),
        "`link_host`, `template` (a text of eight words or more), `media` (a picture) or `name` (user names).",
    ),
    "accounts_min": (
        reading.between(2, ACCOUNTS_MAX),
        f"At least this many accounts have it in common, from 2 to {ACCOUNTS_MAX}.",
    ),
    "within": (reading.duration, f"They showed it within this time, at most `{CAMPAIGN_WITHIN_MAX.days}d`."),
    "hosts_except": (reading.hosts, "Hosts that many people link to, with those below them: no campaign."),
    "hosts_except_file": (reading.host_file, "A file in `lists/` with more `hosts_except`."),
}
# What a list file adds to.
_FILES = {
    "words_file": "words",
    "name_words_file": "name_words",
    "bio_words_file": "bio_words",
    "hosts_file": "link_hosts",
    "hosts_except_file": "hosts_except",
}


def parse(file: str, document: Mapping[str, Any], lists: Lists = NO_LISTS) -> Rule:
    """Return the rule in ``document``; raises the first RuleError of ``examine``."""
    rule, faults = examine(file, document, lists)
    if rule is None:
        raise faults[0]
    return rule


def examine(file: str, document: Mapping[str, Any], lists: Lists = NO_LISTS) -> tuple[Rule | None, list[RuleError]]:
    """Return the rule in ``document``, or None and all that is wrong with it.

    ``lists`` are the files that it may name. Patterns are compiled later, by the matcher.
    """
    top = Reader(file, "", document, lists=lists)
    top.refuse_unknown(RULE_KEYS)
    given = {**top.every(_TOP), **_account(top), **_status(top), **_spared(top), **_campaign(top), **_samples(top)}
    given |= {"limits": Limits(**top.below("limits").read(LIMIT_KEYS)), **read_action(top)}
    if not top.faults:
        rule = Rule(file=file, **given)
        top.faults.extend([*_toothless(rule), *_contradictions(rule)])
        if not top.faults:
            return rule, []
    return None, top.faults


def _rule_id(top: Reader, key: str, value: object) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        problem = "is missing" if value is None else f"{reading.shown(value)} is not allowed"
        raise top.fail(key, problem, f'write {key} = "...": small letters, digits and hyphens, at most 64')
    if value == "all":
        raise top.fail(key, "'all' stands for all rules in `mastowatch rules arm all`", "choose another id")
    return value


def _weight(top: Reader, key: str, value: object) -> float:
    if value is None:
        raise top.fail(key, "is missing", "write weight = 2.0; accounts are reported from a score of 5.0")
    weight = reading.number(top, key, value)
    if not 0 < weight <= WEIGHT_MAX:
        raise top.fail(key, f"{weight} is not allowed", f"above 0, at most {WEIGHT_MAX:.0f}")
    return weight


def _server_rules(top: Reader, key: str, value: object) -> tuple[str, ...]:
    values = [] if value is None else value
    if not isinstance(values, list) or not all(isinstance(one, (str, int)) and _is_number(one) for one in values):
        raise top.fail(key, "must be a list of ids of the server's rules", 'write rule_ids = ["1"]')
    return tuple(map(str, values))


def _is_number(value: str | int) -> bool:
    return re.fullmatch("[0-9]{1,20}", reading.shown(value).strip("'\"")) is not None


def _flag(top: Reader, key: str, value: object) -> bool:
    return reading.yes(top, key, False if value is None else value)


def _parts(top: Reader, key: str, value: object) -> tuple[str, ...]:
    found = reading.names(top, key, value)
    if len(found) > PARTS_MAX:
        raise top.fail(key, f"names {len(found)} rules", f"at most {PARTS_MAX}")
    return found


def _any_of_min(top: Reader, key: str, value: object) -> int:
    if value is None:
        return 1
    count, among = reading.whole(top, key, value), top.values.get("any_of", ())
    if not 1 <= count <= len(among if isinstance(among, list) else ()):
        raise top.fail(key, f"{count} of any_of can't hit", "at least 1, and no more than any_of names")
    return count


_TOP: Mapping[str, Converter] = {
    "id": _rule_id,
    "name": reading.line(NAME_MAX),
    "description": reading.line(DESCRIPTION_MAX),
    "mode": reading.choice("off", "shadow", "report", default="shadow"),
    "weight": _weight,
    "category": reading.choice("spam", "violation", "legal", "other", default="spam"),
    "rule_ids": _server_rules,
    "scope": reading.choice("all", "local", "remote", default="all"),
    "forward": _flag,
    "requires": _parts,
    "any_of": _parts,
    "any_of_min": _any_of_min,
}


def _account(top: Reader) -> dict[str, Any]:
    return {"account": AccountConditions(**_with_files(top.below("account").read(ACCOUNT_KEYS)))}


def _with_files(given: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a table, with those from files under the key that they add to."""
    for key, target in _FILES.items():
        if key in given:
            given[target] = tuple(dict.fromkeys((*given.get(target, ()), *given.pop(key))))
    return given


def _status(top: Reader) -> dict[str, Any]:
    """Return Rule's arguments ``status``, and those of COUNTING_KEYS as far as they are given."""
    if "status" not in top:
        return {"status": None}
    reader = top.below("status")
    given = reader.read({**STATUS_KEYS, **COUNTING_KEYS})
    counting = {key: given.pop(key) for key in COUNTING_KEYS if key in given}
    if "within" in counting and counting.get("count_min", 1) == 1:
        reader.refuse("within", "says how close posts lie, but one is enough", "add count_min = 2 or more")
    return {"status": StatusConditions(**_with_files(given)), **counting}


def _spared(top: Reader) -> dict[str, Any]:
    """Return Rule's arguments ``not_account`` and ``not_status``, as far as they are given."""
    spared = top.below("not")
    spared.refuse_unknown(("account", "status"))
    found: dict[str, Any] = {}
    for table, keys, made in (("account", ACCOUNT_KEYS, AccountConditions), ("status", STATUS_KEYS, StatusConditions)):
        if table in spared:
            reader = spared.below(table)
            if reader.values == {}:
                spared.refuse(table, "is empty and spares nobody", "add a condition, or take the table away")
            found[f"not_{table}"] = made(**_with_files(reader.read(keys)))
    return found


def _campaign(top: Reader) -> dict[str, Any]:
    if "campaign" not in top:
        return {}
    reader = top.below("campaign")
    given = reader.read(CAMPAIGN_KEYS)
    for key in ("same", "accounts_min", "within"):
        if key not in reader:
            reader.refuse(key, "is missing", f"write {_CAMPAIGN_HINTS[key]}")
    if given.get("within", timedelta(0)) > CAMPAIGN_WITHIN_MAX:
        reader.refuse("within", f"{reader.values['within']} is too long", f"at most {CAMPAIGN_WITHIN_MAX.days}d")
    given = _with_files(given)
    if "hosts_except" in given and given.get("same", "link_host") != "link_host":
        reader.refuse("hosts_except", f"leaves out hosts, but same is {given['same']!r}", "take it away")
    # What is missing or wrong has been refused: the rule comes to nothing.
    return {"campaign": Campaign(**given)} if {"same", "accounts_min", "within"} <= given.keys() else {}


_CAMPAIGN_HINTS = {"same": 'same = "link_host"', "accounts_min": "accounts_min = 4", "within": 'within = "6h"'}


def _samples(top: Reader) -> dict[str, Any]:
    samples = top.below("examples")
    samples.refuse_unknown(("match", "no_match"))
    return samples.every({"match": _examples, "no_match": _examples})


def _examples(samples: Reader, kind: str, value: object) -> tuple[Example, ...]:
    found = [] if value is None else value
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise samples.fail(kind, "must be a list of tables", f"begin each with [[examples.{kind}]]")
    return tuple(found)


def _toothless(rule: Rule) -> Iterator[RuleError]:
    """Refuse a rule that would match everyone, and one that would report without having been shown to be right."""
    no_account, no_status = rule.account == AccountConditions(), _is_empty(rule)
    if no_account and no_status and not rule.parts:
        yield RuleError(rule.file, "", "has no conditions and would match everyone", "add [account] or [status]")
    elif no_account and rule.campaign is not None:
        hint = 'add [account] with age_max = "7d" or the like: else what everybody links to is a campaign'
        yield RuleError(rule.file, "campaign", "would count all accounts", hint)
    if rule.status is None and rule.not_status is not None:
        yield RuleError(rule.file, "not.status", "spares posts, but the rule looks at none", "add [status]")
    if rule.status is None and rule.campaign is not None and rule.campaign.same == "media":
        yield RuleError(
            rule.file, "campaign.same", "pictures stand in posts, but the rule looks at none", "add [status]"
        )
    for kind, examples in (("match", rule.match), ("no_match", rule.no_match)):
        if rule.mode == "report" and not examples:
            hint = f'add one with [[examples.{kind}]], or set mode = "shadow"'
            yield RuleError(rule.file, f"examples.{kind}", "a rule that reports needs at least one", hint)


def _is_empty(rule: Rule) -> bool:
    """Tell whether any one post would do."""
    if rule.status is None:
        return True
    counted = (rule.mentioned_distinct_min, rule.same_text_min, rule.per_hour_min, rule.replies_share_min)
    return rule.status == StatusConditions() and rule.count_min == 1 and not any(counted)


def _contradictions(rule: Rule) -> Iterator[RuleError]:
    for name in ("age", "followers", "following", "statuses"):
        least, most = getattr(rule.account, f"{name}_min"), getattr(rule.account, f"{name}_max")
        if least is not None and most is not None and least > most:
            problem = f"is above account.{name}_max, so that nobody can match"
            yield RuleError(rule.file, f"account.{name}_min", problem, "exchange the two")
