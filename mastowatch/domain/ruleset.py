"""All rules in force, compiled into one matcher; judges an account, and says which ones are worth a look.

Immutable once compiled: a reload makes a new one and swaps it in whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mastowatch.domain import evidence
from mastowatch.domain.conditions import Compiled, compile_account, compile_status
from mastowatch.domain.facts import Post, Profile, profile, read_posts
from mastowatch.domain.matcher import Matcher
from mastowatch.domain.rule import Rule, parse
from mastowatch.domain.verdict import Reason, Verdict, level_of
from mastowatch.errors import RuleError
from mastowatch.ports.types import Account, Status


class RuleErrors(ExceptionGroup[RuleError]):
    """All that is wrong with a directory of rules, one RuleError a problem."""

    def __str__(self) -> str:
        return self.message


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
        return self.account.hold(seen) and not (self.not_account and self.not_account.hold(seen))

    def matches(self, seen: Post) -> bool:
        """Tell whether a post counts for the rule."""
        assert self.status is not None  # noqa: S101 -- only asked of rules with [status]
        return self.status.hold(seen) and not (self.not_status and self.not_status.hold(seen))


class RuleSet:
    """Compiled rules. ``len()`` counts those that are not off; ``digest`` changes with any rule."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self.matcher = Matcher()
        self._active = [self._compile(rule) for rule in self.rules if rule.mode != "off"]
        self.matcher.compile()
        self.digest = hashlib.sha256("\n".join(repr(rule) for rule in self.rules).encode()).hexdigest()[:12]
        self._profile_rules = [one for one in self._active if one.status is None]
        self._unconditional = [one for one in self._active if one.status is not None and not one.status.features]
        self._by_feature: dict[int, list[_Active]] = {}
        for one in self._active:
            if one.status is not None and one.status.features:
                self._by_feature.setdefault(one.status.features[0], []).append(one)

    def __len__(self) -> int:
        return len(self._active)

    @classmethod
    def load(cls, documents: Iterable[tuple[str, Mapping[str, Any]]]) -> RuleSet:
        """Parse and compile (file name, TOML document) pairs; raises RuleErrors with all that is wrong."""
        rules, errors = [], []
        for file, document in documents:
            try:
                rules.append(parse(file, document))
                cls(rules[-1:])  # compiled alone, so that every refused pattern is named, not only the first
            except RuleError as error:
                errors.append(error)
        errors.extend(_duplicates(rules))
        if errors:
            raise RuleErrors("; ".join(map(str, errors)), errors)
        return cls(rules)

    def screen(self, account: Account, now: datetime) -> bool:
        """Tell whether any rule makes this account worth a request for its posts (or its profile already hits)."""
        seen = profile(account, now, self.matcher)
        return any(one.wants(seen) and (one.status is None or account.statuses > 0) for one in self._active)

    def judge(
        self, account: Account, statuses: Sequence[Status], now: datetime, *, watch_at: float, report_at: float
    ) -> Verdict:
        """Return what the rules make of ``account`` with ``statuses`` (newest first) at ``now``."""
        seen = profile(account, now, self.matcher)
        # A boost shows somebody else's words.
        posts = read_posts([one for one in statuses if not one.reblog], self.matcher)
        reasons = [(one, reason) for one in self._candidates(posts) if (reason := _reason(one, seen, posts))]
        return _verdict(reasons, watch_at=watch_at, report_at=report_at)

    def _candidates(self, posts: Sequence[Post]) -> list[_Active]:
        """Return the rules that could hit: those whose words are there, and those without words, in file order."""
        found: dict[int, _Active] = {id(one): one for one in (*self._profile_rules, *self._unconditional)}
        for seen in posts:
            for feature in seen.features:
                for one in self._by_feature.get(feature, ()):
                    found[id(one)] = one
        return sorted(found.values(), key=lambda one: one.rule.id)

    def _compile(self, rule: Rule) -> _Active:
        file, matcher = rule.file, self.matcher
        return _Active(
            rule=rule,
            account=compile_account(rule.account, matcher, file=file, table="account"),
            status=compile_status(rule.status, matcher, file=file, table="status") if rule.status else None,
            not_account=compile_account(rule.not_account, matcher, file=file, table="not.account")
            if rule.not_account
            else None,
            not_status=compile_status(rule.not_status, matcher, file=file, table="not.status")
            if rule.not_status
            else None,
        )


def _duplicates(rules: Sequence[Rule]) -> list[RuleError]:
    first: dict[str, str] = {}
    errors = []
    for rule in rules:
        if rule.id in first:
            errors.append(RuleError(rule.file, "id", f"{rule.id!r} is taken by {first[rule.id]}", "choose another id"))
        first.setdefault(rule.id, rule.file)
    return errors


def _reason(active: _Active, seen: Profile, posts: Sequence[Post]) -> Reason | None:
    rule = active.rule
    if not active.wants(seen):
        return None
    matching: list[Post] = []
    if active.status is not None:
        matching = _together([one for one in posts if active.matches(one)], rule.within, rule.count_min)
        if len(matching) < rule.count_min:
            return None
    return Reason(
        rule_id=rule.id,
        rule_name=rule.name,
        weight=rule.weight,
        shadow=rule.mode == "shadow",
        evidence=evidence.describe(rule, active.account.features, active.status, seen, matching),
        status_ids=tuple(one.status.id for one in matching),
    )


def _together(posts: list[Post], within: timedelta | None, wanted: int) -> list[Post]:
    """Return the posts that lie within the time; the newest group that is large enough."""
    if within is None:
        return posts
    ordered = sorted(posts, key=lambda one: one.status.created_at, reverse=True)
    for start, newest in enumerate(ordered):
        group = [one for one in ordered[start:] if newest.status.created_at - one.status.created_at <= within]
        if len(group) >= wanted:
            return group
    return []


def _verdict(found: Sequence[tuple[_Active, Reason]], *, watch_at: float, report_at: float) -> Verdict:
    counting = [(active, reason) for active, reason in found if not reason.shadow]
    score = sum(reason.weight for _, reason in counting)
    heaviest = max(counting, key=lambda pair: pair[1].weight, default=None)
    ordered = sorted((reason for _, reason in found), key=lambda reason: (reason.shadow, -reason.weight))
    ids = dict.fromkeys(one for reason in ordered if not reason.shadow for one in reason.status_ids)
    return Verdict(
        score=score,
        shadow_score=sum(reason.weight for _, reason in found if reason.shadow),
        level=level_of(score, watch_at=watch_at, report_at=report_at),
        reasons=tuple(ordered),
        status_ids=tuple(ids),
        category=heaviest[0].rule.category if heaviest else "other",
        rule_ids=tuple(dict.fromkeys(one for active, _ in counting for one in active.rule.rule_ids)),
        forward=any(active.rule.forward for active, _ in counting),
    )
