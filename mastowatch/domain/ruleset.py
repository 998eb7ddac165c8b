"""All rules in force, compiled into one matcher; judges an account, and says which ones are worth a look.

Immutable once compiled: a reload makes a new one and swaps it in whole.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mastowatch.domain import evidence
from mastowatch.domain.conditions import Compiled, compile_account, compile_status
from mastowatch.domain.examples import ExampleFailure, failures
from mastowatch.domain.facts import Post, Profile, read_posts
from mastowatch.domain.matcher import Matcher
from mastowatch.domain.rule import Rule, parse
from mastowatch.domain.verdict import Reason, Verdict, level_of
from mastowatch.errors import RuleError, RuleErrors
from mastowatch.ports.types import Account, Status


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
        return [one for one in posts if wanted.all_hold(one) and not (spared and spared.any_holds(one))]


class RuleSet:
    """Compiled rules. ``len()`` counts those that are not off; ``digest`` changes with any rule.

    ``rules`` are all of them, in the order of their files. Made by ``compile`` or ``load``.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self.matcher = Matcher()
        self._active = [_activate(rule, self.matcher) for rule in self.rules if rule.mode != "off"]
        self.matcher.compile()
        self.digest = hashlib.sha256("\n".join(map(repr, self.rules)).encode()).hexdigest()[:12]
        # A rule with words or a pattern is only looked at where its first feature was found.
        self._always = [one for one in self._active if not (one.status and one.status.features)]
        self._by_feature: dict[int, list[_Active]] = {}
        for one in self._active:
            if one.status and one.status.features:
                self._by_feature.setdefault(one.status.features[0], []).append(one)

    def __len__(self) -> int:
        return len(self._active)

    @classmethod
    def compile(cls, rules: Sequence[Rule]) -> RuleSet:
        """Return the set of ``rules``; raises RuleErrors with every duplicate id and refused pattern."""
        errors = [*_duplicates(rules), *_refused(rules)]
        if errors:
            raise RuleErrors("the rules can't be used", errors)
        return cls(rules)

    @classmethod
    def load(cls, documents: Iterable[tuple[str, Mapping[str, Any]]]) -> RuleSet:
        """Return the set of (file name, TOML document) pairs; raises RuleErrors with all that is wrong.

        The examples run too: a rule that does not what its author says must not replace one that does.
        """
        rules, errors = parse_all(documents)
        errors += [*_duplicates(rules), *_refused(rules)]
        if not errors:
            loaded = cls(rules)
            errors += [failure.as_error() for failure in loaded.check_examples()]
            if not errors:
                return loaded
        raise RuleErrors("the rules can't be used", errors)

    def check_examples(self) -> list[ExampleFailure]:
        """Run all examples through this very set; rules that are off are left out."""
        return failures(self.rules, self._hits)

    def screen(self, account: Account, now: datetime) -> tuple[str, ...]:
        """Return the ids of the rules that want to see more of this account; none of them: it costs no request."""
        seen = Profile(account, now, self.matcher)
        return tuple(
            one.rule.id for one in self._active if (one.status is None or account.statuses > 0) and one.wants(seen)
        )

    def screen_posts(self, account: Account, statuses: Sequence[Status], now: datetime) -> tuple[str, ...]:
        """Return the ids of the rules for which one of these posts counts, or, without posts, the profile."""
        seen = Profile(account, now, self.matcher)
        posts = read_posts([one for one in statuses if not one.reblog], self.matcher)
        return tuple(
            one.rule.id
            for one in self._candidates(posts)
            if one.wants(seen) and (one.status is None or one.matching(posts))
        )

    def judge(
        self, account: Account, statuses: Sequence[Status], now: datetime, *, watch_at: float, report_at: float
    ) -> Verdict:
        """Return what the rules make of ``account`` with ``statuses``, in any order, at ``now``."""
        found = self._found(account, statuses, now)
        return _verdict(found, watch_at=watch_at, report_at=report_at)

    def _hits(self, rule: Rule, account: Account, statuses: Sequence[Status], now: datetime) -> bool:
        return any(active.rule.id == rule.id for active, _ in self._found(account, statuses, now))

    def _found(self, account: Account, statuses: Sequence[Status], now: datetime) -> list[tuple[_Active, Reason]]:
        seen = Profile(account, now, self.matcher)
        # A boost shows somebody else's words.
        posts = read_posts([one for one in statuses if not one.reblog], self.matcher)
        candidates = self._candidates(posts)
        return [(one, reason) for one in candidates if (reason := _reason(one, seen, posts)) is not None]

    def _candidates(self, posts: Sequence[Post]) -> list[_Active]:
        """Return the rules that could hit, by id: those whose words are there, and those without words."""
        found = {one.rule.id: one for one in self._always}
        for seen in posts:
            for feature in seen.features:
                found.update((one.rule.id, one) for one in self._by_feature.get(feature, ()))
        return [found[key] for key in sorted(found)]


def parse_all(documents: Iterable[tuple[str, Mapping[str, Any]]]) -> tuple[list[Rule], list[RuleError]]:
    """Return the rules that can be read, and what is wrong with the others."""
    rules, errors = [], []
    for file, document in documents:
        try:
            rules.append(parse(file, document))
        except RuleError as error:
            errors.append(error)
    return rules, errors


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
    """Return what the matcher says to each rule alone, so that all refused patterns are named, not the first."""
    errors = []
    for rule in rules:
        try:
            _activate(rule, Matcher())
        except RuleError as error:
            errors.append(error)
    return errors


def _reason(active: _Active, seen: Profile, posts: Sequence[Post]) -> Reason | None:
    rule = active.rule
    if not active.wants(seen):
        return None
    counting: list[Post] = []
    if active.status is not None:
        counting = _together(active.matching(posts), rule.within, rule.count_min)
        if len(counting) < rule.count_min:
            return None
    return Reason(
        rule_id=rule.id,
        rule_name=rule.name,
        weight=rule.weight,
        shadow=rule.mode == "shadow",
        evidence=evidence.describe(rule, active.account, active.status, seen, counting),
        status_ids=tuple(one.status.id for one in counting),
    )


def _together(posts: list[Post], within: timedelta | None, wanted: int) -> list[Post]:
    """Return the posts, newest first, that lie within the time of each other: the newest group large enough."""
    ordered = sorted(posts, key=lambda one: one.status.created_at, reverse=True)
    if within is None:
        return ordered
    for start, newest in enumerate(ordered):
        group = [one for one in ordered[start:] if newest.status.created_at - one.status.created_at <= within]
        if len(group) >= wanted:
            return group
    return []


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
