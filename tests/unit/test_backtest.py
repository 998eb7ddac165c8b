"""The backtest alone, over looks that are made up and a clock that counts."""

from __future__ import annotations

from itertools import count

import pytest

from mastowatch.domain.ruleset import RuleSet
from mastowatch.jobs.backtest import Backtest, Judge, Trial
from mastowatch.jobs.context import fresh_campaigns
from mastowatch.ports.types import Look
from tests.rules import document, ruleset
from tests.world import START, account, post

OLD, NEW = document(status={"words": ["casino"]}), document(id="two", status={"words": ["poker"]}, weight=2.5)


def look(number: int, text: str, **changes) -> Look:
    return Look(account(str(number), **changes), (post(str(number), text),), START + number)


def judge(rules: RuleSet) -> Judge:
    return Judge(rules, fresh_campaigns(), 2, 5)


def tried(*looks: Look, before=(OLD,), after=(OLD, NEW), rule_id="two", spares=lambda *_: False) -> Backtest:
    ticks = count()
    sets = [judge(ruleset(*documents)) for documents in (before, after, after[-1:])]
    return Trial(rule_id, *sets, spares, lambda: float(next(ticks))).run(looks)


def test_nothing_comes_of_nothing():
    found = tried()
    assert (found.accounts, found.oldest_at, found.samples, found.cost_alone.us_a_text) == (0, None, [], 0)


def test_hits_changes_and_costs_are_counted():
    found = tried(look(1, "casino"), look(2, "poker"), look(3, "casino poker"), look(4, "garden"))
    assert (found.accounts, found.posts, found.oldest_at, found.hits) == (4, 4, START + 1, 2)
    assert (found.reported_before, found.reported_after, found.newly_reported, found.newly_watched) == (2, 2, 0, 1)
    assert [(one.acct, one.before, one.after) for one in found.samples] == [
        ("a2@x.example", "none", "watch"),
        ("a3@x.example", "report", "report"),
    ]
    assert [cost.us_a_text for cost in (found.cost_before, found.cost_after, found.cost_alone)] == [1e6] * 3


def test_who_is_no_longer_reported_is_told():
    found = tried(look(1, "casino"), before=(OLD,), after=(document(status={"words": ["poker"]}),), rule_id="one")
    assert (found.no_longer_reported, found.newly_reported, found.hits) == (1, 0, 0)
    assert (found.samples[0].after, found.samples[0].evidence) == ("none", "")


def test_the_exempt_are_told_apart():
    found = tried(look(1, "casino", staff=True), look(2, "casino"), spares=lambda account, _: account.staff)
    assert (found.reported_after, found.exempt) == (1, 1)


def test_an_account_is_judged_at_the_time_of_its_look():
    young = document(id="two", account={"age_max": "1d"}, status={"words": ["poker"]})
    later = Look(account("2"), (post("2", "poker"),), START + 3600)
    assert tried(look(0, "poker"), later, after=(OLD, young)).hits == 1


@pytest.mark.parametrize("hits", [9, 10, 11, 95])
def test_samples_are_ten_at_most_from_all_over_and_the_same_each_time(hits):
    looks = [look(number, "poker") for number in range(hits)]
    samples = tried(*looks).samples
    assert len(samples) == min(hits, 10)
    assert len({one.account_id for one in samples}) == len(samples)
    assert samples == tried(*looks).samples
    assert int(samples[-1].account_id) >= hits * 0.8


def test_changes_come_before_hits_that_change_nothing():
    looks = [look(number, "casino poker") for number in range(20)] + [look(99, "poker")]
    samples = tried(*looks).samples
    assert samples[0].account_id == "99"
    assert len(samples) == 10
