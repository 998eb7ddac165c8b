"""Says of each rule why it hits an account or why not: every condition, with what was found.

Each condition is compiled alone, by what compiles the rules themselves, so that the two can't say different things;
whether a rule hits is what the set in force says, and a test holds this to it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from mastowatch.domain import counting, facts_told, wording
from mastowatch.domain.campaign import Campaigns, members
from mastowatch.domain.conditions import Compiled, compile_account, compile_status
from mastowatch.domain.facts import Post, Profile, read_posts
from mastowatch.domain.matcher import Matcher
from mastowatch.domain.rule import AccountConditions, Rule, StatusConditions
from mastowatch.domain.ruleset import RuleSet
from mastowatch.domain.verdict import Reason, Verdict
from mastowatch.domain.wording import Said
from mastowatch.ports.types import Account, Sighting, Status

_NOBODY: Campaigns = {}


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of a rule as it went: its key in the rule's file, what it asks for, and what was found.

    ``spares``: it stands under [not], so that the rule needs it *not* to hold; ``met`` says whether the rule has what
    it needs. ``posts`` is how many posts hold it, for one on posts; what was ``found`` is then that of one of them.
    """

    key: str
    text: str
    found: str
    met: bool
    spares: bool = False
    posts: int | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """Why a rule hits or not. ``evidence`` is what a report would say; "" if it doesn't hit."""

    rule_id: str
    rule_name: str
    file: str
    mode: str
    weight: float
    hit: bool
    evidence: str
    conditions: tuple[Condition, ...]

    @property
    def missed(self) -> tuple[Condition, ...]:
        """The conditions that keep the rule from hitting."""
        return tuple(one for one in self.conditions if not one.met)


@dataclass(frozen=True, slots=True)
class _Probe:
    """One condition, compiled alone; ``fact`` tells what of a Profile or Post it looks at."""

    said: Said
    compiled: Compiled[Any]
    fact: Callable[[Any, Compiled[Any]], str]

    def holds(self, seen: Any) -> bool:  # noqa: ANN401 -- a Profile or a Post
        return self.compiled.all_hold(seen)

    def condition(self, seen: Any, *, spares: bool) -> Condition:  # noqa: ANN401 -- a Profile or a Post
        met = self.holds(seen) != spares
        return Condition(self.said.key, self.said.text, self.fact(seen, self.compiled), met, spares)


@dataclass(frozen=True, slots=True)
class _Probes:
    """The conditions of a rule, by table."""

    rule: Rule
    account: tuple[_Probe, ...]
    not_account: tuple[_Probe, ...]
    status: tuple[_Probe, ...]
    not_status: tuple[_Probe, ...]

    def counts(self, post: Post) -> bool:
        """Tell whether a post meets all that is asked of one."""
        return all(one.holds(post) for one in self.status) and not any(one.holds(post) for one in self.not_status)


class Explainer:
    """Explains the rules of a set; made once for many accounts."""

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self._matcher = Matcher()
        self._probes = [_probes(rule, self._matcher) for rule in rules.rules if rule.mode != "off"]
        self._matcher.compile()

    def explain(
        self,
        account: Account,
        statuses: Sequence[Status],
        now: datetime,
        verdict: Verdict,
        *,
        campaigns: Campaigns = _NOBODY,
        shadowed: Collection[str] = (),
    ) -> list[Trace]:
        """Return why each rule led to ``verdict`` or not, those that hit first; arguments as for ``RuleSet.judge``."""
        profile = Profile(account, now, self._matcher)
        own = sorted((one for one in statuses if not one.reblog), key=lambda one: one.created_at, reverse=True)
        posts = read_posts(own, self._matcher, account.created_at)
        reasons = {reason.rule_id: reason for reason in verdict.reasons}
        sightings = self._rules.sightings(account, statuses, now)
        traces = []
        for probes in self._probes:
            rule = probes.rule
            conditions = (
                *_of_profile(probes, profile),
                *_of_posts(probes, posts),
                *_of_campaign(rule, account, sightings, campaigns),
                *_of_parts(rule, reasons, shadowed),
            )
            traces.append(_trace(rule, reasons.get(rule.id), conditions, shadowed))
        return sorted(traces, key=lambda one: (not one.hit, one.mode == "shadow", -one.weight, one.rule_id))


def _trace(rule: Rule, reason: Reason | None, conditions: tuple[Condition, ...], shadowed: Collection[str]) -> Trace:
    return Trace(
        rule_id=rule.id,
        rule_name=rule.name,
        file=rule.file,
        mode="shadow" if rule.id in shadowed else rule.mode,
        weight=rule.weight,
        hit=reason is not None,
        evidence=reason.evidence if reason else "",
        conditions=conditions,
    )


def _probes(rule: Rule, matcher: Matcher) -> _Probes:
    return _Probes(
        rule,
        _account_probes(rule.account, matcher, "account"),
        _account_probes(rule.not_account, matcher, "not.account"),
        _status_probes(rule.status, matcher, "status"),
        _status_probes(rule.not_status, matcher, "not.status"),
    )


def _account_probes(given: AccountConditions | None, matcher: Matcher, table: str) -> tuple[_Probe, ...]:
    found = []
    for said in wording.account_said(given, table):
        key = said.key.rpartition(".")[2]
        one = replace(AccountConditions(), **{key: said.value})
        compiled = compile_account(one, matcher, file="", table=table)
        found.append(_Probe(said, compiled, facts_told.of_account(key)))
    return tuple(found)


def _status_probes(given: StatusConditions | None, matcher: Matcher, table: str) -> tuple[_Probe, ...]:
    found = []
    for said in wording.status_said(given, table):
        key = said.key.rpartition(".")[2]
        one = replace(StatusConditions(), **{key: said.value})
        compiled = compile_status(one, matcher, file="", table=table)
        found.append(_Probe(said, compiled, facts_told.of_post(key)))
    return tuple(found)


def _of_profile(probes: _Probes, seen: Profile) -> Iterable[Condition]:
    origin = seen.account.origin
    for said in wording.scope_said(probes.rule):
        yield Condition(said.key, said.text, f"{origin} account", met=origin == said.value)
    for probe in probes.account:
        yield probe.condition(seen, spares=False)
    for probe in probes.not_account:
        yield probe.condition(seen, spares=True)


def _of_posts(probes: _Probes, posts: Sequence[Post]) -> Iterable[Condition]:
    """Yield the conditions on posts. One on each post is met by the posts that count, or missed by the nearest one."""
    rule = probes.rule
    if rule.status is None:
        return
    matching = [one for one in posts if probes.counts(one)]
    group = counting.together(rule, matching, posts)
    shown = next(iter(group or matching or _nearest(probes, posts)), None)
    for probe, spares in (*((one, False) for one in probes.status), *((one, True) for one in probes.not_status)):
        holding = sum(probe.holds(one) for one in posts)
        if shown is None:
            yield Condition(probe.said.key, probe.said.text, "there is no post", met=spares, spares=spares, posts=0)
        else:
            yield replace(probe.condition(shown, spares=spares), posts=holding)
    yield from _of_group(rule, matching if group is None else group, posts, met=group is not None)


def _nearest(probes: _Probes, posts: Sequence[Post]) -> list[Post]:
    """Return the post that misses the fewest conditions, the newest of several."""

    def misses(post: Post) -> int:
        asked = sum(not one.holds(post) for one in probes.status)
        return asked + sum(one.holds(post) for one in probes.not_status)

    return [min(posts, key=misses)] if posts else []


def _of_group(rule: Rule, counted: Sequence[Post], posts: Sequence[Post], *, met: bool) -> Iterable[Condition]:
    """Yield what is asked of all posts together: of the group that has it, or of all that match where none has."""
    found: Mapping[str, tuple[str, bool]] = {
        "count_min": (wording.count(len(counted), "such post"), len(counted) >= rule.count_min),
        "mentioned_distinct_min": _reached(counting.mentioned(counted), rule.mentioned_distinct_min),
        "same_text_min": _reached(counting.same_text(counted), rule.same_text_min),
        "per_hour_min": _reached(counting.per_hour(counted), rule.per_hour_min),
        "replies_share_min": _reached(counting.replies_share(posts), rule.replies_share_min),
    }
    # There are enough of them, but never close enough together.
    scattered = not met and all(one for _, one in found.values())
    for said in wording.group_said(rule):
        text, holds = found.get(said.key.rpartition(".")[2], (_spread(counted), not scattered))
        yield Condition(said.key, said.text, text, met=holds)


def _reached(count: float, wanted: float | None) -> tuple[str, bool]:
    return f"{round(count, 2):g}", wanted is None or count >= wanted


def _spread(posts: Sequence[Post]) -> str:
    times = [one.status.created_at for one in posts]
    return f"{facts_told.age(max(times) - min(times))} from the first to the last" if times else "there is no such post"


def _of_campaign(
    rule: Rule, account: Account, sightings: Iterable[Sighting], campaigns: Campaigns
) -> Iterable[Condition]:
    for said in wording.campaign_said(rule.campaign):
        own = [one for one in sightings if one.rule_id == rule.id]
        sizes = {one: members(one, account.id, campaigns) for one in own}
        largest = max(sizes, key=lambda one: sizes[one], default=None)
        if largest is None or rule.campaign is None:
            yield Condition(
                said.key, said.text, "it shows nothing that could be shared, or is not such an account", met=False
            )
            return
        what = f": {largest.value}" if largest.value else ""
        enough = sizes[largest] >= rule.campaign.accounts_min
        yield Condition(said.key, said.text, f"{wording.count(sizes[largest], 'account')}{what}", met=enough)


def _of_parts(rule: Rule, reasons: Mapping[str, Reason], shadowed: Collection[str]) -> Iterable[Condition]:
    """Yield what is asked of other rules; a rule that reports does not see those in shadow."""
    in_shadow = rule.mode == "shadow" or rule.id in shadowed
    hits = {key for key, reason in reasons.items() if in_shadow or not reason.shadow}
    for said in wording.parts_said(rule):
        known = [one for one in said.value if one in hits]
        wanted = len(said.value) if said.key == "requires" else rule.any_of_min
        yield Condition(said.key, said.text, f"hit: {', '.join(known) or 'none of them'}", met=len(known) >= wanted)
