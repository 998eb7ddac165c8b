"""Judges a whole town as the jobs would, without a server: screens everyone, notes what they have in common, judges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from mastowatch.adapters.memory_campaigns import MemoryCampaigns
from mastowatch.domain.ruleset import RuleSet
from mastowatch.domain.verdict import Verdict
from mastowatch.ports.types import Account, Sighting, Status
from tests.demo.town import Resident, Town

Look = tuple[Account, tuple[Status, ...]]


def verdicts(rules: RuleSet, town: Town, now: datetime) -> dict[int, Verdict]:
    """Return the verdicts on those residents that some rule wants to see, by id, at the default thresholds."""
    return judge_all(rules, {one.id: town.look(one, now) for one in town.residents}, now)


def judge_all(rules: RuleSet, looks: Mapping[int, Look], now: datetime) -> dict[int, Verdict]:
    """Judge all that pass the screen. Those who came first are judged with what the last one made known."""
    wanted = {number: look for number, look in looks.items() if rules.screen(look[0], now)}
    store, campaigns = MemoryCampaigns(), dict[Sighting, tuple[str, ...]]()
    for account, statuses in wanted.values():
        campaigns.update(store.note(rules.sightings(account, statuses, now), account.id, now.timestamp()))
    return {
        number: rules.judge(account, statuses, now, watch_at=2, report_at=5, campaigns=campaigns)
        for number, (account, statuses) in wanted.items()
    }


def of_kind(town: Town, kind: str) -> Iterable[Resident]:
    """Return all residents of a kind."""
    return [one for one in town.residents if one.kind == kind]
