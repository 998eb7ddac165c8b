"""All rules in force, compiled into one matcher; judges an account, and says which ones are worth a look.

Immutable once compiled, but for what was read last: a reload makes a new one and swaps it in whole.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from mastowatch.domain import campaign, composites, counting, evidence
from mastowatch.domain.campaign import Campaigns, Shown
from mastowatch.domain.conditions import Compiled, compile_account, compile_status
from mastowatch.domain.examples import ExampleFailure, failures
from mastowatch.domain.facts import Post, Profile, read_posts
from mastowatch.domain.matcher import Matcher
from mastowatch.domain.reading import NO_LISTS, Lists
from mastowatch.domain.rule import Rule, examine
from mastowatch.domain.verdict import Reason, Verdict, level_of
from mastowatch.errors import RuleError, RuleErrors
from mastowatch.ports.types import Account, Sighting, Status

_NOBODY: Campaigns = {}
_NO_PARTS: Mapping[str, Reason] = {}


@dataclass(frozen=True, slots=True)
class _Active:
    rule: Rule
    account: Compiled[Profile]
    status: Compiled[Post] | None
    not_account: Compiled[Profile] | None
    not_status: Compiled[Post] | None

    def wants(self, seen: Profile) -> bool:
        """Tell whether the profile meets the rule's scope and account conditions and isn't spared."""
        if self.rule.scope not in ("all", seen.account.origin):
            return False
        return self.account.all_hold(seen) and not (self.not_account and self.not_account.any_holds(seen))

    def matching(self, posts: Iterable[Post]) -> list[Post]:
        """Return the posts that count for the rule."""
        wanted, spared = self.status, self.not_status
        if wanted is None:
            return []
        if wanted.features:
            first = wanted.features[0]
            posts = [one for one in posts if first in one.features]
        return [one for one in posts if wanted.all_hold(one) and not (spared and spared.any_holds(one))]


@dataclass(frozen=True, slots=True)
class _Seen:
    """An account and its posts, newest first, read; and what others have in common with it."""

    profile: Profile
    posts: Sequence[Post]
    now: datetime
    campaigns: Campaigns
    shadowed: Collection[str] = ()

    def in_shadow(self, rule: Rule) -> bool:
        """Tell whether the rule counts apart, as its file or somebody since has said."""
        return rule.mode == "shadow" or rule.id in self.shadowed


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was read last: an account is asked for its sightings first, and then judged, perhaps twice."""

    account: Account
    statuses: Sequence[Status]
    now: datetime
    profile: Profile
    posts: Sequence[Post]


@dataclass(frozen=True, slots=True)
class _Hit:
    """A rule that is met: by which posts, and by what others have in common with the account, and with how many."""

    active: _Active
    posts: Sequence[Post]
    shared: Sequence[tuple[Shown, int]] = ()


_Found = dict[str, tuple[_Active, Reason]]


class RuleSet:
    """Compiled rules. ``len()`` counts those that are not off; ``digest`` changes with any rule.

    ``rules`` are all of them, in the order of their files. Made by ``compile`` or ``load``.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self.matcher = Matcher()
        active = [_activate(rule, self.matcher) for rule in self.rules if rule.mode != "off"]
        self.matcher.compile()
        self.digest = hashlib.sha256("\n".join(map(repr, self.rules)).encode()).hexdigest()[:12]
        self._active = {one.rule.id: one for one in active}
        self._by_id = {one.rule.id: one.rule for one in active}
        self._last: _Reading | None = None
        simple = [one for one in active if not one.rule.parts]
        self._composites = [self._active[rule.id] for rule in composites.in_order([one.rule for one in active])]
        self._campaigns = [one for one in active if one.rule.campaign is not None]
        self._accounts_min = {one.rule.id: one.rule.campaign.accounts_min for one in active if one.rule.campaign}
        # A rule with words or a pattern is only looked at where its first feature was found.
        self._always = [one for one in simple if not (one.status and one.status.features)]
        self._by_feature: dict[int, list[_Active]] = {}
        for one in simple:
            if one.status and one.status.features:
                self._by_feature.setdefault(one.status.features[0], []).append(one)

    def __len__(self) -> int:
        return len(self._active)

    @classmethod
    def compile(cls, rules: Sequence[Rule]) -> RuleSet:
        """Return the set of ``rules``; raises RuleErrors with all that they do to each other, and refused patterns."""
        errors = [*_duplicates(rules), *composites.faults(rules)]
        made = cls(rules) if not errors else None
        # Rules that are off are in no set; what is wrong with them is told all the same.
        others = rules if made is None else [rule for rule in rules if rule.mode == "off"]
        errors += [*(made.matcher.faults if made is not None else ()), *_refused(others)]
        if errors or made is None:
            raise RuleErrors("the rules can't be used", errors)
        return made

    @classmethod
    def load(
        cls,
        documents: Iterable[tuple[str, Mapping[str, Any]]],
        lists: Lists = NO_LISTS,
        unread: Sequence[RuleError] = (),
    ) -> RuleSet:
        """Return the set of (file name, TOML document) pairs; raises RuleErrors with all that is wrong.

        ``lists`` are the files of words and hosts that the rules may name; ``unread`` is what is wrong with files that
        are no documents: with one of them nothing can come into force, but all other faults are found as well.
        The examples run too: a rule that does not what its author says must not replace one that does.
        """
        rules, errors = parse_all(documents, lists)
        if errors or unread:
            raise RuleErrors("the rules can't be used", [*unread, *errors, *_duplicates(rules), *_refused(rules)])
        loaded = cls.compile(rules)
        errors = [failure.as_error() for failure in loaded.check_examples()]
        if errors:
            raise RuleErrors("the rules can't be used", errors)
        return loaded

    def check_examples(self) -> list[ExampleFailure]:
        """Run all examples through this very set; rules that are off are left out."""
        return failures(self.rules, self._hits)

    def screen(self, account: Account, now: datetime) -> tuple[str, ...]:
        """Return the ids of the rules that want to see more of this account; none of them: it costs no request."""
        seen = Profile(account, now, self.matcher)
        wanting = [
            one.rule.id
            for one in self._active.values()
            if not one.rule.parts and (one.rule.status is None or account.statuses > 0) and one.wants(seen)
        ]
        for one in self._composites:
            if composites.met(one.rule, wanting) and one.wants(seen):
                wanting.append(one.rule.id)
        return tuple(wanting)

    def sightings(self, account: Account, statuses: Sequence[Status], now: datetime) -> tuple[Sighting, ...]:
        """Return what the account shows that would make a campaign if others showed it too; to be counted."""
        if not self._campaigns:
            return ()
        seen = self._read(account, statuses, now)
        return tuple(one.sighting for one in self._shown(seen, self._campaigns))[: campaign.PER_ACCOUNT]

    def reached(self, campaigns: Campaigns) -> list[Sighting]:
        """Return the sightings that enough accounts have in common to make a campaign."""
        return [one for one, ids in campaigns.items() if len(ids) >= self._accounts_min.get(one.rule_id, math.inf)]

    def screen_posts(self, account: Account, statuses: Sequence[Status], now: datetime) -> tuple[str, ...]:
        """Return the ids of the rules for which one of these posts counts, or, without posts, the profile."""
        seen = Profile(account, now, self.matcher)
        posts = read_posts([one for one in statuses if not one.reblog], self.matcher, account.created_at)
        return tuple(
            one.rule.id
            for one in self._candidates(posts)
            if one.wants(seen) and (one.status is None or one.matching(posts))
        )

    def judge(
        self,
        account: Account,
        statuses: Sequence[Status],
        now: datetime,
        *,
        watch_at: float,
        report_at: float,
        campaigns: Campaigns = _NOBODY,
        shadowed: Collection[str] = (),
    ) -> Verdict:
        """Return what the rules make of ``account`` with ``statuses``, in any order, at ``now``.

        ``campaigns`` tells which accounts were seen with each of its ``sightings``; ``shadowed`` are ids of rules that
        count as if they were in shadow.
        """
        seen = self._read(account, statuses, now, campaigns, shadowed)
        return _verdict(list(self._found(seen).values()), watch_at=watch_at, report_at=report_at)

    def _read(
        self,
        account: Account,
        statuses: Sequence[Status],
        now: datetime,
        campaigns: Campaigns = _NOBODY,
        shadowed: Collection[str] = (),
    ) -> _Seen:
        last = self._last
        if last is None or last.account is not account or last.statuses is not statuses or last.now != now:
            # A boost shows somebody else's words.
            own = sorted((one for one in statuses if not one.reblog), key=lambda one: one.created_at, reverse=True)
            posts = read_posts(own, self.matcher, account.created_at)
            last = _Reading(account, statuses, now, Profile(account, now, self.matcher), posts)
            # What could be changed under our hands is read again each time.
            self._last = last if isinstance(statuses, tuple) else None
        return _Seen(last.profile, last.posts, now, campaigns, shadowed)

    def _hits(self, rule: Rule, account: Account, statuses: Sequence[Status], now: datetime, accounts: int) -> bool:
        """Tell whether one rule hits, in an example; only this one and its parts are asked."""
        wanted = [self._active[one.id] for one in composites.with_parts(rule, self._by_id)]
        seen = self._read(account, statuses, now)
        if accounts > 1:
            others = tuple(f"other{number}" for number in range(1, accounts))
            seen = replace(seen, campaigns={one.sighting: others for one in self._shown(seen, wanted)})
        if not rule.parts:
            return _hit(wanted[0], seen) is not None
        simple = [one for one in wanted if not one.rule.parts]
        return rule.id in self._evaluated(seen, simple, [one for one in self._composites if one in wanted])

    def _shown(self, seen: _Seen, rules: Iterable[_Active]) -> Iterator[Shown]:
        for one in rules:
            hit = _met(one, seen) if one.rule.campaign else None
            if hit is not None:
                yield from campaign.shown(one.rule, seen.profile, hit.posts, seen.now)

    def _found(self, seen: _Seen) -> _Found:
        return self._evaluated(seen, self._candidates(seen.posts), self._composites)

    def _evaluated(self, seen: _Seen, simple: Iterable[_Active], composed: Iterable[_Active]) -> _Found:
        """Return the reasons of those that hit, by id; ``composed`` in their order, after what they look at."""
        found: _Found = {}
        for one in simple:
            reason = _reason(one, seen)
            if reason is not None:
                found[one.rule.id] = one, reason
        for one in composed:
            known = {key: reason for key, (_, reason) in found.items() if seen.in_shadow(one.rule) or not reason.shadow}
            reason = _reason(one, seen, known) if composites.met(one.rule, known) else None
            if reason is not None:
                found[one.rule.id] = one, reason
        return found

    def _candidates(self, posts: Sequence[Post]) -> list[_Active]:
        """Return the simple rules that could hit, by id: those whose words are there, and those without words."""
        found = {one.rule.id: one for one in self._always}
        for seen in posts:
            for feature in seen.features:
                for one in self._by_feature.get(feature, ()):
                    found[one.rule.id] = one
        return [found[key] for key in sorted(found)]


def parse_all(
    documents: Iterable[tuple[str, Mapping[str, Any]]], lists: Lists = NO_LISTS
) -> tuple[list[Rule], list[RuleError]]:
    """Return the rules that can be read, and all that is wrong with the others, and with the lists, once."""
    rules, errors = [], dict[tuple[str, str, str], RuleError]()
    for file, document in documents:
        rule, faults = examine(file, document, lists)
        errors.update({(one.file, one.key, one.problem): one for one in faults})
        if rule is not None:
            rules.append(rule)
    return rules, list(errors.values())


def _activate(rule: Rule, matcher: Matcher) -> _Active:
    file, spared, unwanted = rule.file, rule.not_account, rule.not_status
    return _Active(
        rule=rule,
        account=compile_account(rule.account, matcher, file=file, table="account"),
        status=compile_status(rule.status, matcher, file=file, table="status") if rule.status else None,
        not_account=compile_account(spared, matcher, file=file, table="not.account") if spared else None,
        not_status=compile_status(unwanted, matcher, file=file, table="not.status") if unwanted else None,
    )


def _duplicates(rules: Sequence[Rule]) -> list[RuleError]:
    first: dict[str, str] = {}
    errors = []
    for rule in rules:
        if rule.id in first:
            errors.append(RuleError(rule.file, "id", f"{rule.id!r} is taken by {first[rule.id]}", "choose another id"))
        first.setdefault(rule.id, rule.file)
    return errors


def _refused(rules: Sequence[Rule]) -> list[RuleError]:
    """Return what the matcher says to the rules, where they can't be made a set for another reason."""
    matcher = Matcher()
    for rule in rules:
        _activate(rule, matcher)
    return matcher.faults


def _met(active: _Active, seen: _Seen) -> _Hit | None:
    """Return how the account meets the rule's own tables, campaigns and other rules left aside."""
    if not active.wants(seen.profile):
        return None
    if active.status is None:
        return _Hit(active, ())
    posts = counting.together(active.rule, active.matching(seen.posts), seen.posts)
    return None if posts is None else _Hit(active, posts)


def _hit(active: _Active, seen: _Seen) -> _Hit | None:
    """Return how the account meets the rule, other rules left aside."""
    hit = _met(active, seen)
    if hit is not None and active.rule.campaign is not None:
        return _of_campaign(hit, active.rule.campaign.accounts_min, seen)
    return hit


def _reason(active: _Active, seen: _Seen, parts: Mapping[str, Reason] = _NO_PARTS) -> Reason | None:
    """Return why the rule hits, or None if it doesn't; ``parts`` are the other rules that have hit."""
    hit = _hit(active, seen)
    if hit is None:
        return None
    rule = active.rule
    helpers = [parts[one] for one in rule.parts if one in parts]
    return Reason(
        rule_id=rule.id,
        rule_name=rule.name,
        weight=rule.weight,
        shadow=seen.in_shadow(rule),
        evidence=evidence.describe(hit.active, seen.profile, hit.posts, hit.shared, helpers),
        status_ids=_status_ids(hit, helpers),
    )


def _of_campaign(hit: _Hit, accounts_min: int, seen: _Seen) -> _Hit | None:
    """Return the hit with what enough accounts have in common, and the posts that show it; None without any."""
    account_id = seen.profile.account.id
    counted = [
        (one, campaign.members(one.sighting, account_id, seen.campaigns))
        for one in campaign.shown(hit.active.rule, seen.profile, hit.posts, seen.now)
    ]
    shared = sorted((pair for pair in counted if pair[1] >= accounts_min), key=lambda pair: pair[1], reverse=True)
    if not shared:
        return None
    ids = {one for pair in shared for one in pair[0].status_ids}
    return _Hit(hit.active, [one for one in hit.posts if one.status.id in ids], shared)


def _status_ids(hit: _Hit, helpers: Iterable[Reason]) -> tuple[str, ...]:
    """Return the posts that the rule counted; those of its parts, if it looks at none."""
    own = [one.status.id for one in hit.posts]
    return tuple(own or dict.fromkeys(one for helper in helpers for one in helper.status_ids))


def _verdict(found: Sequence[tuple[_Active, Reason]], *, watch_at: float, report_at: float) -> Verdict:
    """Add up. The heaviest rule gives the category; posts are listed with the heaviest rule's first."""
    ordered = sorted(found, key=lambda pair: (pair[1].shadow, -pair[1].weight))
    counting = [pair for pair in ordered if not pair[1].shadow]
    score = _sum(reason for _, reason in counting)
    return Verdict(
        score=score,
        shadow_score=_sum(reason for _, reason in found if reason.shadow),
        level=level_of(score, watch_at=watch_at, report_at=report_at),
        reasons=tuple(reason for _, reason in ordered),
        status_ids=tuple(dict.fromkeys(one for _, reason in counting for one in reason.status_ids)),
        category=counting[0][0].rule.category if counting else "other",
        rule_ids=tuple(dict.fromkeys(one for active, _ in counting for one in active.rule.rule_ids)),
        forward=any(active.rule.forward for active, _ in counting),
    )


def _sum(reasons: Iterable[Reason]) -> float:
    """Add weights so that 2.3 and 2.7 reach 5.0."""
    return round(math.fsum(one.weight for one in reasons), 6)
