"""Tries a rule on accounts that were judged of late: whom it would report, and what that changes.

Each account is judged at the time of its look, twice: by the rules in force, and by these with the new rule. Campaigns
begin with the first look, so that one that was under way by then is seen late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mastowatch.domain.ruleset import RuleSet
from mastowatch.domain.verdict import Level, Verdict
from mastowatch.ports.store import Campaigns
from mastowatch.ports.types import Account, Look

SAMPLES_MAX = 10


@dataclass(frozen=True, slots=True)
class Sample:
    """An account whose verdict changes, or that the rule hits. ``at``: when it was looked at, epoch seconds."""

    account_id: str
    acct: str
    url: str
    at: float
    before: Level
    after: Level
    evidence: str
    exempt: bool = False


@dataclass(slots=True)
class Cost:
    """How long judging took."""

    seconds: float = 0.0
    posts: int = 0

    @property
    def us_a_text(self) -> float:
        """Microseconds a post, its HTML read included."""
        return self.seconds / self.posts * 1e6 if self.posts else 0.0


@dataclass(slots=True)
class Backtest:
    """What came of it. Reported and watched are accounts, exempt ones left out; samples tell changes first."""

    accounts: int = 0
    posts: int = 0
    oldest_at: float | None = None
    hits: int = 0
    exempt: int = 0
    reported_before: int = 0
    reported_after: int = 0
    newly_reported: int = 0
    no_longer_reported: int = 0
    newly_watched: int = 0
    cost_before: Cost = field(default_factory=Cost)
    cost_after: Cost = field(default_factory=Cost)
    cost_alone: Cost = field(default_factory=Cost)
    samples: list[Sample] = field(default_factory=list)


@dataclass(frozen=True)
class Judge:
    """A set of rules and what it remembers of campaigns."""

    rules: RuleSet
    campaigns: Campaigns
    watch_at: float
    report_at: float
    shadowed: Sequence[str] = ()

    def __call__(self, look: Look) -> Verdict:
        """Return the verdict on a look, at its time."""
        now = datetime.fromtimestamp(look.at, UTC)
        sightings = self.rules.sightings(look.account, look.statuses, now)
        return self.rules.judge(
            look.account,
            look.statuses,
            now,
            watch_at=self.watch_at,
            report_at=self.report_at,
            campaigns=self.campaigns.note(sightings, look.account.id, look.at),
            shadowed=self.shadowed,
        )


@dataclass(frozen=True)
class Trial:
    """What is tried: ``rule_id`` is in force in ``after`` alone, and ``alone`` has nothing else, to tell its cost.

    ``spares`` tells whether an account is never reported, whatever the rules say; ``timer`` gives seconds.
    """

    rule_id: str
    before: Judge
    after: Judge
    alone: Judge
    spares: Callable[[Account, Verdict], bool]
    timer: Callable[[], float]

    def run(self, looks: Iterable[Look]) -> Backtest:
        """Judge each look, the oldest first."""
        found = Backtest()
        changed: list[Sample] = []
        unchanged: list[Sample] = []
        for look in looks:
            found.accounts += 1
            found.posts += len(look.statuses)
            found.oldest_at = look.at if found.oldest_at is None else min(found.oldest_at, look.at)
            if found.accounts == 1:
                self._warm_up(look)
            before, after = self._judged(look, found)
            sample = self._sample(look, before, after)
            _count(found, sample, hit=bool(sample.evidence))
            if sample.before != sample.after:
                changed.append(sample)
            elif sample.evidence:
                unchanged.append(sample)
        found.samples = _spread([*changed, *unchanged][: max(len(changed), SAMPLES_MAX)], SAMPLES_MAX)
        return found

    def _warm_up(self, look: Look) -> None:
        """Judge once without a clock: the first time, the matchers build their tables, which is no cost of a text."""
        for judge in (self.before, self.after, self.alone):
            judge(look)

    def _judged(self, look: Look, found: Backtest) -> tuple[Verdict, Verdict]:
        """Return the verdicts without the rule and with it. Words are remembered: each in turn meets a text first."""
        turns = [(self.before, found.cost_before), (self.after, found.cost_after), (self.alone, found.cost_alone)]
        verdicts = {}
        for place in range(len(turns)):
            number = (place + found.accounts) % len(turns)
            verdicts[number] = self._timed(turns[number][0], look, turns[number][1])
        return verdicts[0], verdicts[1]

    def _timed(self, judge: Judge, look: Look, cost: Cost) -> Verdict:
        start = self.timer()
        verdict = judge(look)
        cost.seconds += self.timer() - start
        cost.posts += len(look.statuses)
        return verdict

    def _sample(self, look: Look, before: Verdict, after: Verdict) -> Sample:
        reason = next((one for one in after.reasons if one.rule_id == self.rule_id), None)
        account = look.account
        return Sample(
            account_id=account.id,
            acct=account.acct,
            url=account.url,
            at=look.at,
            before=before.level,
            after=after.level,
            evidence=reason.evidence if reason else "",
            exempt="report" in (before.level, after.level) and self.spares(account, after),
        )


def _count(found: Backtest, sample: Sample, *, hit: bool) -> None:
    found.hits += hit
    if sample.exempt:
        found.exempt += 1
        return
    was, is_now = sample.before == "report", sample.after == "report"
    found.reported_before += was
    found.reported_after += is_now
    found.newly_reported += is_now and not was
    found.no_longer_reported += was and not is_now
    found.newly_watched += sample.after == "watch" and sample.before == "none"


def _spread(samples: Sequence[Sample], most: int) -> list[Sample]:
    """Return so many of them from all over, the same ones each time."""
    if len(samples) <= most:
        return list(samples)
    return [samples[number * len(samples) // most] for number in range(most)]
