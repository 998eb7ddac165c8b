"""A post with its author, as the stream tells of them: which rules want to see more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastowatch.domain.examples import NOW
from tests.rules import document, ruleset, seen

RULES = ruleset(
    document(id="one", status={"words": ["casino"]}, account={"age_max": "7d"}),
    document(id="often", status={"words": ["casino"], "count_min": 3, "within": "1h"}),
    document(id="spared", status={"words": ["lottery"]}, **{"not": {"status": {"words": ["charity"]}}}),
    document(id="off", status={"words": ["poker"]}, mode="off"),
)


def screened(rules=RULES, **example) -> tuple[str, ...]:
    account, statuses = seen(**example)
    return rules.screen_posts(account, statuses, NOW)


def test_one_post_that_counts_is_enough_also_for_a_rule_that_wants_several():
    assert screened(age="1d", posts=["casino"]) == ("often", "one")
    assert screened(age="30d", posts=["casino"]) == ("often",)


@pytest.mark.parametrize("text", ["hello", "lottery for a charity", "poker"])
def test_a_post_that_counts_for_no_rule_is_passed_over(text):
    assert screened(age="1d", posts=[text]) == ()


def test_a_boost_is_somebody_elses_post():
    account, (post,) = seen(age="1d", posts=["casino"])
    assert RULES.screen_posts(account, [replace(post, reblog=True)], NOW) == ()


def test_a_rule_on_profiles_alone_wants_an_author_whatever_the_post_says():
    rules = ruleset(document(id="bio", account={"bio_words": ["forex"]}, status=None))
    assert screened(rules, bio="forex", posts=["hello"]) == ("bio",)
    assert screened(rules, bio="birds", posts=["hello"]) == ()


@given(st.lists(st.sampled_from(["casino", "lottery", "charity", "hello", "lottery charity"]), min_size=1, max_size=4))
def test_whoever_is_hit_by_one_of_his_posts_alone_was_screened_for_it(texts):
    for text in texts:
        account, statuses = seen(age="1d", posts=[text])
        hit = {one.rule_id for one in RULES.judge(account, statuses, NOW, watch_at=1, report_at=2).reasons}
        assert hit <= set(RULES.screen_posts(account, statuses, NOW))
