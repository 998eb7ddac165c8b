from dataclasses import fields
from datetime import timedelta

import pytest

from mastowatch.domain import facts_told, wording
from mastowatch.domain.rule import COUNTING_KEYS, AccountConditions, StatusConditions, parse
from tests.rules import document


def test_every_condition_has_words_and_a_fact_of_its_own():
    assert set(wording.ACCOUNT_WORDS) == {one.name for one in fields(AccountConditions)} == set(facts_told._ACCOUNT)
    assert set(wording.STATUS_WORDS) == {one.name for one in fields(StatusConditions)} == set(facts_told._POST)
    assert set(wording.GROUP_WORDS) == set(COUNTING_KEYS)


def said(**changes):
    rule = parse("a.toml", document(**changes))
    return {
        one.key: one.text
        for found in (
            wording.scope_said(rule),
            wording.account_said(rule.account),
            wording.status_said(rule.status),
            wording.group_said(rule),
            wording.account_said(rule.not_account, "not.account"),
            wording.status_said(rule.not_status, "not.status"),
            wording.campaign_said(rule.campaign),
            wording.parts_said(rule),
        )
        for one in found
    }


def test_a_rule_is_told_in_plain_words():
    assert said(
        scope="remote",
        account={"age_max": "2w", "followers_max": 1, "bot": False},
        status={"words": [f"word{letter}" for letter in "abcdefgh"], "links_min": 1, "count_min": 2, "within": "90m"},
        **{"not": {"status": {"reply": True}, "account": {"age_min": "30d"}}},
        campaign={"same": "link_host", "accounts_min": 4, "within": "6h", "hosts_except": ["youtube.com"]},
    ) == {
        "scope": "is of another server",
        "account.age_max": "is at most 14 days old",
        "account.followers_max": "has at most 1 follower",
        "account.bot": "does not say that it is a bot",
        "status.words": "has one of these words: worda, wordb, wordc, wordd, worde, wordf and 2 more",
        "status.links_min": "has at least 1 link",
        "status.count_min": "there are at least 2 such posts",
        "status.within": "they lie within 90 minutes of each other",
        "not.status.reply": "answers somebody else",
        "not.account.age_min": "is at least 30 days old",
        "campaign": "at least 4 such accounts link to the same host within 6 hours, not counting youtube.com",
    }


def test_other_rules_are_named():
    assert said(requires=["a", "b"], any_of=["c", "d", "e"], any_of_min=2) == {
        "status.words": "has one of these words: casino",
        "status.count_min": "there is at least 1 such post",
        "requires": "all of these rules hit as well: a, b",
        "any_of": "at least 2 of these rules hit as well: c, d, e",
    }


def test_a_condition_without_words_is_told_with_its_value(monkeypatch):
    monkeypatch.setattr(wording, "STATUS_WORDS", {})
    assert said()["status.words"] == "meets words = ('casino',)"


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(days=14), "14 days"),
        (timedelta(days=1), "1 day"),
        (timedelta(hours=36), "36 hours"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(seconds=45), "45 seconds"),
    ],
)
def test_a_length_of_time_is_told_as_it_was_written(length, text):
    assert wording.span(length) == text


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(days=3, hours=1), "3 days 1 hour"),
        (timedelta(days=400), "1 year 35 days"),
        (timedelta(days=2), "2 days"),
        (timedelta(hours=5, minutes=9), "5 hours 9 minutes"),
        (timedelta(minutes=61), "1 hour 1 minute"),
        (timedelta(seconds=119), "1 minute"),
        (timedelta(seconds=59), "less than a minute"),
    ],
)
def test_an_age_is_told_as_exactly_as_it_is_looked_at(length, text):
    assert facts_told.age(length) == text


def test_a_long_pattern_is_cut():
    text = said(status={"pattern": "a" * 61})["status.pattern"]
    assert text == f"matches {'a' * 59}…"
    assert said(status={"pattern": "a" * 60})["status.pattern"] == f"matches {'a' * 60}"


@pytest.mark.parametrize(
    ("number", "told"),
    [(1, "1 post"), (2, "2 posts"), (1_234_567, "1234567 posts"), (0.5, "0.5 posts"), (2.0, "2 posts")],
)
def test_numbers_are_told_in_full(number, told):
    assert wording.count(number, "post") == told
