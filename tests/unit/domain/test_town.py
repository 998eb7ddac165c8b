"""The shipped rules over a whole made-up town: each kind of spam by its own rule, and nobody else."""

from pathlib import Path

import pytest

from mastowatch.domain.examples import NOW
from mastowatch.jobs.context import load_rules
from tests.demo.judging import judge_all, of_kind, verdicts
from tests.demo.languages import LANGUAGES
from tests.demo.near import NEAR
from tests.demo.spam import KINDS
from tests.demo.town import settle

RULES = load_rules(Path(__file__).parents[3] / "etc" / "rules.d")
# Signs report nobody by themselves; several-signs adds them up.
SIGNS = {rule.id for rule in RULES.rules if rule.id.startswith("sign-")}
CAMPAIGNS = {rule.id: rule.campaign.accounts_min for rule in RULES.rules if rule.campaign}


@pytest.fixture(scope="module", params=[1, 20])
def judged(request):
    """A town and the verdicts on all who were looked at."""
    town = settle(request.param, 2500, planted=2, misses=1)
    return town, verdicts(RULES, town, NOW)


def told(one, verdict):
    return (
        f"{one.kind or 'ordinary'} in {one.person.language}: {[(why.rule_id, why.evidence) for why in verdict.reasons]}"
    )


def test_every_rule_that_reports_has_its_kind_of_spam():
    assert {rule.id for rule in RULES.rules if rule.mode == "report"} - SIGNS - {"test-string"} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_found_by_its_own_rule_in_every_language(judged, kind):
    town, found = judged
    people = of_kind(town, kind)
    assert {one.person.language for one in people} == set(LANGUAGES)
    assert [one.person.language for one in people if one.id not in found] == []
    for one in people:
        assert kind in {why.rule_id for why in found[one.id].reasons}, told(one, found[one.id])
        assert found[one.id].level == "report", told(one, found[one.id])


@pytest.mark.parametrize("name", NEAR)
def test_no_near_miss_is_watched_or_reported(judged, name):
    town, found = judged
    people = of_kind(town, f"near {name}")
    assert {one.person.language for one in people} == set(LANGUAGES)
    for one in people:
        assert one.id not in found or found[one.id].level == "none", told(one, found[one.id])


def test_no_ordinary_person_is_watched_or_reported(judged):
    town, found = judged
    people = [one for one in of_kind(town, "") if one.id in found]
    assert len(people) > 80  # newcomers, whom the rules look at
    for one in people:
        assert found[one.id].level == "none", told(one, found[one.id])


def test_most_people_cost_no_request(judged):
    town, found = judged
    people = of_kind(town, "")
    assert sum(one.id in found for one in people) < len(people) / 10


def test_only_the_old_near_misses_are_not_even_looked_at(judged):
    """Or the near misses would not be near."""
    town, found = judged
    assert {one.kind for one in town.residents if one.kind.startswith("near") and one.id not in found} == {
        "near old_warner"
    }


@pytest.mark.parametrize("kind", CAMPAIGNS)
def test_a_campaign_needs_all_its_members(judged, kind):
    town, _ = judged
    wave = [one for one in of_kind(town, kind) if one.person.language == "en"]
    for number, hits in ((CAMPAIGNS[kind] - 1, False), (CAMPAIGNS[kind], True)):
        found = judge_all(RULES, {one.id: town.look(one, NOW) for one in wave[:number]}, NOW)
        for verdict in found.values():
            assert (kind in {why.rule_id for why in verdict.reasons}) == hits


def test_the_same_seed_makes_the_same_town():
    assert settle(3, 900, planted=1, misses=1).residents == settle(3, 900, planted=1, misses=1).residents
