from datetime import timedelta

import pytest

from mastowatch.domain import counting
from mastowatch.domain.facts import read_posts
from mastowatch.domain.matcher import Matcher
from tests.rules import document, judged, ruleset, seen

AD = "Join our group and learn how to earn money"


def score(status, posts, **example):
    return judged(ruleset(document(status=status, examples=None, mode="shadow")), posts=posts, **example).shadow_score


@pytest.mark.parametrize(
    ("status", "hit", "miss"),
    [
        (
            {"account_age_max": "1h"},
            {"age": "2h", "posts": [{"text": "x", "ago": "90m"}]},
            {"age": "2h", "posts": ["x"]},
        ),
        ({"visibility": ["unlisted"]}, {"posts": [{"text": "x", "visibility": "unlisted"}]}, {"posts": ["x"]}),
        (
            {"mentioned_distinct_min": 6},
            {"posts": [{"text": "x", "mentions": 3}] * 2},
            {"posts": [{"text": "x", "people": ["Ann", "bob", "cy"]}, {"text": "x", "people": ["ann", "Bob", "cy"]}]},
        ),
        (
            {"same_text_min": 3},
            {"posts": [f"{AD} https://a.example/{n} @user{n} {n}!" for n in range(3)]},
            {"posts": [AD, AD, f"{AD} today"]},
        ),
        ({"same_text_min": 2}, {"posts": ["buy my book", "Buy my book!"]}, {"posts": ["good morning"] * 5}),
        (
            {"per_hour_min": 10},
            {"posts": [{"text": "x", "ago": f"{n * 5 + 1}m"} for n in range(20)]},
            {"posts": [{"text": "x", "ago": f"{n * 10 + 1}m"} for n in range(20)]},
        ),
        ({"per_hour_min": 3}, {"posts": ["x"] * 3}, {"posts": ["x"] * 2}),
        (
            {"replies_share_min": 0.75},
            {"posts": [{"text": "x", "reply": True}] * 3 + ["x"]},
            {"posts": [{"text": "x", "reply": True}] * 2 + ["x"]},
        ),
    ],
)
def test_each_count_over_posts_tells_a_hit_from_a_miss(status, hit, miss):
    assert (score(status, **hit), score(status, **miss)) == (5, 0)


def test_only_posts_that_count_are_counted():
    status = {"words": ["casino"], "mentioned_distinct_min": 4}
    assert score(status, [{"text": "casino", "mentions": 2}, {"text": "garden", "mentions": 9}]) == 0
    assert score(status, [{"text": "casino", "mentions": 2}] * 2) == 5


def test_within_a_time_the_counts_are_of_the_posts_in_that_time():
    status = {"count_min": 2, "within": "1h", "mentioned_distinct_min": 4}
    spread = [{"text": "x", "mentions": 2, "ago": "5m"}, {"text": "x", "mentions": 2, "ago": "3h"}]
    assert score(status, spread) == 0
    # The newest two are too few people; an older pair has enough.
    older = [{"text": "x", "mentions": 2, "ago": f"{minutes}m"} for minutes in (300, 310)]
    alone = [{"text": "x", "people": ["ann"], "ago": f"{minutes}m"} for minutes in (1, 2)]
    verdict = judged(ruleset(document(status=status)), posts=[*alone, *older])
    assert verdict.status_ids == ("9997", "9996")


def test_the_share_of_replies_is_of_all_posts_but_boosts_whatever_the_rule_looks_for():
    status = {"words": ["casino"], "replies_share_min": 0.5}
    posts = [{"text": "casino"}, {"text": "x", "reply": True}]
    assert score(status, posts) == 5
    assert score(status, [*posts, "x"]) == 0


def test_what_was_counted_is_told():
    status = {"mentioned_distinct_min": 4, "same_text_min": 2, "per_hour_min": 2, "replies_share_min": 0.5}
    posts = [{"text": AD, "mentions": 2, "reply": True}] * 2
    (reason,) = judged(ruleset(document(status=status)), posts=posts).reasons
    assert reason.evidence == (
        "2 posts; 4 people mentioned; 2 posts with the same text; 2 posts an hour; >=50% of its posts are replies"
    )


def test_nothing_is_counted_in_nothing():
    assert (counting.mentioned([]), counting.same_text([]), counting.per_hour([]), counting.replies_share([])) == (
        0,
    ) * 4


def test_the_age_at_a_post_is_not_known_without_the_accounts():
    _, statuses = seen(posts=["x"])
    (post,) = read_posts(statuses, Matcher())
    assert post.account_age is None
    (post,) = read_posts(statuses, Matcher(), statuses[0].created_at - timedelta(hours=1))
    assert post.account_age == timedelta(hours=1)


@pytest.mark.parametrize(
    ("condition", "hit", "miss"),
    [
        ({"discovered_max": "1d"}, {"discovered": "1d"}, {"discovered": "2d"}),
        ({"following_per_follower_min": 10}, {"following": 100, "followers": 10}, {"following": 99, "followers": 10}),
        ({"following_per_follower_min": 10}, {"following": 10, "followers": 0}, {"following": 9, "followers": 0}),
    ],
)
def test_conditions_on_how_an_account_stands_to_others(condition, hit, miss):
    rules = ruleset(document(account=condition))
    assert (judged(rules, posts=["casino"], **hit).score, judged(rules, posts=["casino"], **miss).score) == (5, 0)
