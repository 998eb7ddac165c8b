"""Tries a text, an account, or both against the rules in RULES_DIR: what each makes of it, and why or why not.

Nothing is asked of Mastodon and nothing is kept: an account is one of those judged of late, as it looked then.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from mastowatch.domain import examples
from mastowatch.domain.campaign import Campaigns
from mastowatch.domain.explaining import Trace
from mastowatch.domain.policy import decide
from mastowatch.domain.ruleset import RuleSet
from mastowatch.domain.verdict import Verdict
from mastowatch.errors import RuleError
from mastowatch.jobs.context import View
from mastowatch.jobs.refusals import BadParameter
from mastowatch.jobs.rules_on_disk import RulesOnDisk, rules_on_disk
from mastowatch.ports.types import Account, Look, Sighting, Status

TEXT_MAX = 10_000  # characters
NAME_MAX = 300
POSTS_MAX, MANY_MAX = 40, 100
_LINK = re.compile(r"https?://[^\s<>\"]+")
_MENTION = re.compile(r"(?<![\w/.@])@([A-Za-z0-9_]+(?:@[A-Za-z0-9.-]+)?)")
_TAG = re.compile(r"(?<![\w/&])#\w+")


class RulesUnusable(BadParameter):
    """The rule files have faults, so that there is nothing to try on."""

    title = "Bad rules"


@dataclass(frozen=True)
class Told:
    """A text to try, and what is told of who posted it. None: as many as the text has; an ordinary account.

    ``posts`` is how often it was posted, a minute apart; ``accounts`` how many accounts show the same links, texts,
    pictures and kind of name. ``age`` is a duration as in rules: "3d".
    """

    text: str = ""
    age: str = "400d"
    followers: int = 50
    following: int = 50
    remote: bool = True
    name: str = ""
    bio: str = ""
    mentions: int | None = None
    tags: int | None = None
    media: int = 0
    reply: bool = False
    language: str = ""
    posts: int = 1
    accounts: int = 1


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of it. ``kept`` is the look that was tried, None for a made-up account; ``spared`` why it is exempt."""

    account: Account
    statuses: tuple[Status, ...]
    at: datetime
    verdict: Verdict
    traces: Sequence[Trace]
    spared: str
    dropped: frozenset[str]
    kept: Look | None

    @property
    def hits(self) -> list[Trace]:
        """The rules that hit and count, then those that hit in shadow."""
        return [one for one in self.traces if one.hit]

    @property
    def misses(self) -> list[Trace]:
        """The rules that don't, those that miss least first."""
        return sorted((one for one in self.traces if not one.hit), key=lambda one: len(one.missed))


def try_text(view: View, told: Told) -> Tried:
    """Try a text of a made-up account; raises BadParameter, or RulesUnusable."""
    account, statuses = _made_up(told)
    return _judge(view, account, statuses, examples.NOW, others=told.accounts - 1)


def try_account(view: View, who: str, told: Told | None = None) -> Tried | None:
    """Try an account judged of late (its id, or its name), with ``told`` as its newest posts; None: it is not there."""
    look = find_look(view, who)
    if look is None:
        return None
    at = datetime.fromtimestamp(look.at, UTC)
    account, statuses, others = look.account, look.statuses, 0
    if told is not None and told.text:
        others = told.accounts - 1
        _, posts = _made_up(told)
        newer = tuple(
            replace(one, account_id=account.id, created_at=at - (examples.NOW - one.created_at)) for one in posts
        )
        account, statuses = replace(account, statuses=account.statuses + len(newer)), (*newer, *statuses)
    return _judge(view, account, statuses, at, others=others, kept=look)


def find_look(view: View, who: str) -> Look | None:
    """Return the look at an account, by its id or as ``name``, ``@name@server`` or ``acct:name@server``."""
    if len(who) > NAME_MAX:
        raise BadParameter(f"account: is longer than {NAME_MAX} characters")
    name = who.strip().removeprefix("acct:").lstrip("@")
    if not name:
        return None
    if name.isascii() and name.isdigit():
        return view.posts.get(name) or view.posts.find(name)
    return view.posts.find(name)


def _judge(
    view: View,
    account: Account,
    statuses: tuple[Status, ...],
    at: datetime,
    *,
    others: int = 0,
    kept: Look | None = None,
) -> Tried:
    found = _usable(rules_on_disk(view.settings.rules_dir))
    rules, settings = found[0], view.settings
    dropped = view.rule_switches.shadowed().keys()
    sightings = rules.sightings(account, statuses, at)
    campaigns = _campaigns(view, sightings, at, others, kept=kept is not None)
    verdict = rules.judge(
        account,
        statuses,
        at,
        watch_at=settings.watch_threshold,
        report_at=settings.report_threshold,
        campaigns=campaigns,
        shadowed=dropped,
    )
    traces = found[1].explain(account, statuses, at, verdict, campaigns=campaigns, shadowed=dropped)
    return Tried(account, statuses, at, verdict, traces, _spared(view, verdict, account), frozenset(dropped), kept)


def _usable(found: RulesOnDisk) -> tuple[RuleSet, Any]:
    if found.loaded is None or found.explainer is None:
        more = f", and {len(found.faults) - 1} more" if len(found.faults) > 1 else ""
        raise RulesUnusable(f"{found.faults[0]}{more}; nothing can be tried until the rule files are right")
    return found.loaded, found.explainer


def _campaigns(view: View, sightings: Sequence[Sighting], at: datetime, others: int, *, kept: bool) -> Campaigns:
    """Return who shows the same: accounts that were judged, where it is one of them, and ``others`` made up."""
    known: Mapping[Sighting, tuple[str, ...]] = view.campaigns.seen(sightings, at.timestamp()) if kept else {}
    made_up = tuple(f"other{number}" for number in range(1, others + 1))
    return {one: (*known.get(one, ()), *made_up) for one in sightings}


def _spared(view: View, verdict: Verdict, account: Account) -> str:
    """Return why the account is left alone whatever the rules say, or ""."""
    settings = view.settings
    decision = decide(
        replace(verdict, level="report"),
        account,
        me_id="",
        exempt_accounts=settings.exempt_accounts,
        exempt_domains=settings.exempt_domains,
        our_bots=settings.our_bots,
        dry_run=False,
    )
    return decision.why if decision.action == "exempt" else ""


def _made_up(told: Told) -> tuple[Account, tuple[Status, ...]]:
    _check(told)
    post: dict[str, Any] = {"html": _as_html(told.text), "media": told.media, "reply": told.reply}
    post |= {"language": told.language} if told.language else {}
    names = list(dict.fromkeys(_MENTION.findall(told.text)))[:MANY_MAX]
    if told.mentions is not None:
        post["mentions"] = told.mentions
    elif names:
        post["people"] = names
    post["tags"] = min(len(set(_TAG.findall(told.text))), MANY_MAX) if told.tags is None else told.tags
    example: dict[str, Any] = {
        "age": told.age,
        "followers": told.followers,
        "following": told.following,
        "bio": told.bio,
    }
    example |= {"name": told.name} if told.name else {}
    example |= {"domain": "elsewhere.example"} if told.remote else {}
    if told.text:
        example |= {"posts": [post], "repeat": told.posts}
    try:
        return examples.build(example, file="the form", table="")
    except RuleError as error:
        raise BadParameter(f"{error.key.lstrip('.')}: {error.problem}; {error.hint}") from error


def _check(told: Told) -> None:
    for name, value, most in (
        ("text", told.text, TEXT_MAX),
        ("bio", told.bio, TEXT_MAX),
        ("name", told.name, NAME_MAX),
    ):
        if len(value) > most:
            raise BadParameter(f"{name}: is longer than {most:,} characters")
    for name, number, least, most in (
        ("followers", told.followers, 0, 10**9),
        ("following", told.following, 0, 10**9),
        ("mentions", told.mentions or 0, 0, MANY_MAX),
        ("tags", told.tags or 0, 0, MANY_MAX),
        ("media", told.media, 0, MANY_MAX),
        ("posts", told.posts, 1, POSTS_MAX),
        ("accounts", told.accounts, 1, MANY_MAX),
    ):
        if not least <= number <= most:
            raise BadParameter(f"{name}: {number} is not allowed; allowed: {least} to {most}")


def _as_html(text: str) -> str:
    """Return plain text as Mastodon would serve it: its lines kept, its addresses links."""
    parts, last = [], 0
    for one in _LINK.finditer(text):
        link = html.escape(one[0])
        parts += [html.escape(text[last : one.start()]), f'<a href="{link}">{link}</a>']
        last = one.end()
    whole = "".join([*parts, html.escape(text[last:])])
    return f"<p>{whole}</p>".replace("\r\n", "\n").replace("\n", "<br>")
