import re
from pathlib import Path

import pytest

from mastowatch.domain.examples import NOW
from mastowatch.jobs.context import load_rules
from tests.demo.spam import KINDS
from tests.rules import judged, seen

RULES = load_rules(Path(__file__).parents[3] / "etc" / "rules.d")
BY_ID = {rule.id: rule for rule in RULES.rules}
SIGNS = ("sign-scripted-name", "sign-private-contact", "sign-invite-links", "sign-links-for-strangers")


def test_the_promised_kinds_are_shipped_and_in_force():
    assert {*KINDS, *SIGNS, "test-string"} == {rule.id for rule in RULES.rules if rule.mode == "report"}


def test_a_sign_is_not_dropped_before_the_rules_it_stands_beside():
    """Or several-signs would go blind in the middle of a wave."""
    assert all(BY_ID[rule_id].limits.reports_per_hour >= 1000 for rule_id in SIGNS)


def test_the_reference_lists_the_rules_that_are_shipped():
    page = (Path(__file__).parents[3] / "docs" / "reference" / "shipped-rules.md").read_text()
    assert sorted(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) == sorted(BY_ID)


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)
def test_every_rule_has_examples_of_both_kinds_and_says_what_it_is_for(rule):
    assert len(rule.match) >= 1
    assert len(rule.no_match) >= 1
    assert len(rule.description) > 40


@pytest.mark.parametrize("rule_id", KINDS)
def test_each_kind_has_several_examples_and_near_misses(rule_id):
    assert len(BY_ID[rule_id].match) >= 2
    assert len(BY_ID[rule_id].no_match) >= 3


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)
def test_every_match_is_reported_at_the_default_threshold_and_would_be_looked_at(rule):
    for example in rule.match:
        account, _ = seen(**example)
        assert judged(RULES, **example).level == ("none" if rule.id in SIGNS else "report")
        assert rule.id in RULES.screen(account, NOW)


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)
def test_no_near_miss_is_reported_by_any_other_rule(rule):
    assert [judged(RULES, **example).level for example in rule.no_match] == ["none"] * len(rule.no_match)


PHOTO = {"text": "Photo of today https://photo.example/1", "tags": 4, "media": 1}


@pytest.mark.parametrize(
    "ordinary",
    [
        {"age": "400d", "posts": ["airdrop casino https://a.example"] * 9},
        {"age": "90d", "followers": 0, "posts": ["Claim your airdrop https://a.example"] * 9},
        {"age": "2d", "followers": 3, "posts": ["Hello! I paint, and I like bread."] * 3},
        {"age": "1d", "followers": 2, "posts": [PHOTO] * 4},
        {
            "age": "6d",
            "followers": 9,
            "bio": "Engineer, https://me.example",
            "posts": ["New: https://me.example/1"] * 3,
        },
        {"age": "3d", "username": "anna1987", "posts": [{"text": "thank you", "mentions": 7, "reply": True}] * 9},
    ],
)
def test_ordinary_people_are_left_alone(ordinary):
    assert judged(RULES, **ordinary).score == 0


def test_an_established_account_costs_no_request():
    account, _ = seen(age="60d", posts=["x"])
    assert RULES.screen(account, NOW) == ()
