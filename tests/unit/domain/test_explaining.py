"""Why a rule hits and why not. What is explained and what is judged must never differ."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mastowatch.domain import examples
from mastowatch.domain.explaining import Explainer
from mastowatch.domain.ruleset import RuleSet
from mastowatch.jobs.context import load_rules
from tests.rules import document, ruleset, seen

NOW = examples.NOW


def explained(rules: RuleSet, *, others: int = 0, shadowed=(), **example):
    """Return each rule's trace by id, after a look at whether it says what the verdict says."""
    account, statuses = seen(**example)
    crowd = tuple(f"other{number}" for number in range(others))
    campaigns = dict.fromkeys(rules.sightings(account, statuses, NOW), crowd)
    given = {"campaigns": campaigns, "shadowed": shadowed}
    verdict = rules.judge(account, statuses, NOW, watch_at=2, report_at=5, **given)
    traces = Explainer(rules).explain(account, statuses, NOW, verdict, **given)
    for trace in traces:
        assert trace.hit == (trace.missed == ()), trace
    return {trace.rule_id: trace for trace in traces}


def told(trace):
    return {one.key: (one.found, one.met) for one in trace.conditions}


RULE = document(
    account={"age_max": "14d", "followers_max": 20},
    status={"words": ["casino", "free spins"], "links_min": 1, "count_min": 2, "within": "1h"},
    **{"not": {"status": {"words": ["addiction"]}, "account": {"bot": True}}},
)


def test_a_hit_is_told_with_what_was_found():
    trace = explained(ruleset(RULE), age="3d", followers=2, posts=["Casino https://a.example"] * 3)["one"]
    assert trace.hit
    assert trace.evidence.startswith("3 posts within 1 hour with >=1 link; words: casino")
    assert told(trace) == {
        "account.age_max": ("3 days old", True),
        "account.followers_max": ("2 followers", True),
        "not.account.bot": ("no bot", True),
        "status.words": ("casino", True),
        "status.links_min": ("1 link", True),
        "not.status.words": ("none", True),
        "status.count_min": ("3 such posts", True),
        "status.within": ("2 minutes from the first to the last", True),
    }
    assert {one.key: one.posts for one in trace.conditions if one.posts is not None} == {
        "status.words": 3,
        "status.links_min": 3,
        "not.status.words": 0,
    }


def test_a_miss_is_told_by_the_post_that_came_nearest():
    posts = ["a garden", "Casino", "Free spins and addiction https://a.example"]
    trace = explained(ruleset(RULE), age="30d", followers=2, posts=posts)["one"]
    assert not trace.hit
    assert [one.key for one in trace.missed] == ["account.age_max", "status.links_min", "status.count_min"]
    assert told(trace)["status.words"] == ("casino", True)
    assert told(trace)["status.links_min"] == ("0 links", False)
    assert told(trace)["status.count_min"] == ("0 such posts", False)


def test_posts_that_lie_too_far_apart_are_told_so():
    posts = [{"text": "Casino https://a.example", "ago": ago} for ago in ("1h", "9h")]
    trace = explained(ruleset(RULE), age="3d", followers=2, posts=posts)["one"]
    assert [(one.key, one.found) for one in trace.missed] == [("status.within", "8 hours from the first to the last")]


def test_of_several_groups_the_one_that_counts_is_told():
    rule = document(status={"words": ["casino"], "count_min": 3, "within": "2h", "per_hour_min": 3})
    posts = [{"text": "casino", "ago": ago} for ago in ("1m", "2m", "3m", "3d", "9d")]
    trace = explained(ruleset(rule), posts=posts)["one"]
    assert told(trace) == {
        "status.words": ("casino", True),
        "status.count_min": ("3 such posts", True),
        "status.within": ("2 minutes from the first to the last", True),
        "status.per_hour_min": ("3", True),
    }


def test_an_account_without_posts_meets_no_condition_on_posts():
    trace = explained(ruleset(RULE), age="3d", followers=2)["one"]
    assert told(trace)["status.words"] == ("there is no post", False)
    assert told(trace)["status.within"] == ("there is no such post", True)


def test_what_spares_is_told_as_that():
    trace = explained(ruleset(RULE), age="3d", followers=2, bot=True, posts=["Casino https://a.example"] * 2)["one"]
    assert [(one.key, one.found, one.spares) for one in trace.missed] == [("not.account.bot", "a bot", True)]


CAMPAIGN = document(
    account={"age_max": "14d"},
    status={"links_min": 1},
    campaign={"same": "link_host", "accounts_min": 4, "within": "6h"},
)


@pytest.mark.parametrize(("others", "found"), [(1, "2 accounts: a.example"), (5, "6 accounts: a.example")])
def test_a_campaign_is_told_with_its_size(others, found):
    trace = explained(ruleset(CAMPAIGN), others=others, age="1d", domain="b.example", posts=["https://a.example"])[
        "one"
    ]
    assert told(trace)["campaign"] == (found, others >= 3)


def test_an_account_that_shows_nothing_is_in_no_campaign():
    trace = explained(ruleset(CAMPAIGN), age="1d", posts=["hello"])["one"]
    assert not told(trace)["campaign"][1]


def test_other_rules_are_told_and_a_rule_that_reports_does_not_see_those_in_shadow():
    both = document(id="both", status=None, any_of=["one", "two"], any_of_min=2)
    rules = ruleset(document(), document(id="two"), both)
    traces = explained(rules, posts=["casino"])
    assert told(traces["both"])["any_of"] == ("hit: one, two", True)
    traces = explained(rules, posts=["casino"], shadowed={"two"})
    assert told(traces["both"])["any_of"] == ("hit: one", False)
    assert traces["two"].mode == "shadow"


def test_hits_come_first_and_rules_that_are_off_are_left_out():
    rules = ruleset(document(id="a", status={"words": ["poker"]}), document(id="b"), document(id="c", mode="off"))
    assert list(explained(rules, posts=["casino"])) == ["b", "a"]


SHIPPED = load_rules(Path(__file__).parents[3] / "etc" / "rules.d")
EXAMPLES = [
    pytest.param(one, id=f"{rule.id}-{number}")
    for rule in SHIPPED.rules
    for number, one in enumerate((*rule.match, *rule.no_match))
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_of_the_shipped_rules_is_explained_as_it_is_judged(example):
    explained(SHIPPED, others=example.get("campaign_accounts", 1) - 1, **example)


durations = st.sampled_from(["30m", "2h", "3d"])
post = st.fixed_dictionaries(
    {"text": st.sampled_from(["casino", "casino https://a.example", "free spins addiction", "a b c d", ""])},
    optional={
        "mentions": st.integers(0, 3),
        "ago": durations,
        "reply": st.booleans(),
        "visibility": st.sampled_from(["public", "unlisted"]),
        "language": st.sampled_from(["en", "pt-BR"]),
    },
)
status = st.fixed_dictionaries(
    {},
    optional={
        "words": st.just(["casino", "free spins"]),
        "pattern": st.just("a.b"),
        "links_min": st.integers(0, 1),
        "mentions_min": st.integers(0, 2),
        "reply": st.booleans(),
        "languages": st.just(["pt"]),
        "visibility": st.just(["public"]),
        "account_age_max": durations,
        "mentioned_distinct_min": st.integers(0, 4),
        "same_text_min": st.integers(2, 3),
        "per_hour_min": st.sampled_from([0.5, 3]),
        "replies_share_min": st.sampled_from([0.5, 1]),
    },
)
counting = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"count_min": st.integers(2, 4)}, optional={"within": durations}),
)


@settings(max_examples=150, deadline=None)
@given(
    status=st.builds(lambda one, two: one | two, status, counting),
    account=st.fixed_dictionaries({}, optional={"age_max": durations, "followers_max": st.integers(0, 9)}),
    spared=st.fixed_dictionaries({}, optional={"status": st.just({"words": ["addiction"]})}),
    posts=st.lists(post, max_size=6),
    age=durations,
    followers=st.integers(0, 12),
)
def test_what_is_explained_is_what_is_judged(status, account, spared, posts, age, followers):
    rule = document(account={"age_max": "9d", **account}, status=status, **({"not": spared} if spared else {}))
    explained(ruleset(rule), age=age, followers=followers, posts=posts)
