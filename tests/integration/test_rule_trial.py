"""Trying texts and accounts on the rules as they are on disk: the same verdict as a worker's, and nothing kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis

from mastowatch.config import Loaded, Settings
from mastowatch.jobs import context as contexts
from mastowatch.jobs.context import View
from mastowatch.jobs.refusals import BadParameter
from mastowatch.jobs.rule_trial import RulesUnusable, Told, try_account, try_text
from mastowatch.ports.types import Account, Status
from tests.snapshot import snapshot

pytestmark = pytest.mark.redis
NOW = 1_767_268_800.125
SHIPPED = Path(__file__).parents[2] / "etc" / "rules.d"
CASINO = Told(text="Casino bonus, free spins https://spin.example", age="1d", followers=0, posts=5)
AT = datetime.fromtimestamp(NOW, UTC)
ACCOUNT = Account("7", "lucky@spam.example", "lucky", "spam.example", "Lucky", "", "https://spam.example/@lucky",
                  AT - timedelta(hours=20), AT - timedelta(hours=19), statuses=1)  # fmt: skip


@pytest.fixture
def view(redis: Redis) -> View:
    settings = Settings(instance_base="https://mastodon.example", rules_dir=SHIPPED)
    return replace(contexts.view(Loaded(settings, {}), redis), clock=lambda: NOW)


def hits(tried) -> set[str]:
    return {one.rule_id for one in tried.hits}


def test_a_text_is_judged_as_a_post_of_the_account_told_of(view: View):
    tried = try_text(view, CASINO)
    assert "casino-words" in hits(tried)
    assert tried.verdict.level == "report"
    assert "casino-words" not in hits(try_text(view, replace(CASINO, age="400d")))
    missed = next(one for one in try_text(view, replace(CASINO, age="400d")).misses if one.rule_id == "casino-words")
    assert any("day" in one.text and not one.met for one in missed.conditions)


def test_people_and_tags_are_counted_in_the_text_unless_told(view: View):
    told = Told(text="look @a @b@x.example @a #one #two mail me@x.example https://x.example/@c#d")
    assert try_text(view, told).statuses[0].mentions == ("a", "b@x.example")
    assert len(try_text(view, told).statuses[0].tags) == 2
    assert len(try_text(view, replace(told, mentions=5, tags=0)).statuses[0].mentions) == 5


def test_other_accounts_that_show_the_same_make_a_campaign(view: View):
    told = Told(text="Buy it today https://one-shop.example/x", age="1d", followers=0, mentions=3, posts=3)
    assert hits(try_text(view, replace(told, accounts=50))) > hits(try_text(view, told))


def test_a_dropped_rule_hits_in_shadow(view: View):
    view.rule_switches.drop("casino-words", "too many", "breaker", NOW)
    tried = try_text(view, CASINO)
    assert "casino-words" in tried.dropped
    assert next(one for one in tried.hits if one.rule_id == "casino-words").mode == "shadow"
    assert tried.verdict.score < tried.verdict.shadow_score


def test_an_account_is_tried_as_it_looked_and_by_any_of_its_names(view: View):
    posts = tuple(
        Status(f"9{number}", "7", AT - timedelta(minutes=number),
               '<p>Casino bonus free spins <a href="https://spin.example">x</a></p>') for number in range(1, 6)
    )  # fmt: skip
    view.posts.remember(replace(ACCOUNT, statuses=5), posts, NOW)
    for who in ("7", "lucky@spam.example", "@Lucky@spam.example", " acct:lucky@spam.example "):
        assert "casino-words" in hits(try_account(view, who))
    for who in ("8", "lucky", "", "other@spam.example"):
        assert try_account(view, who) is None
    with pytest.raises(BadParameter, match="account"):
        try_account(view, "a" * 301)


def test_a_text_is_tried_as_the_newest_posts_of_an_account(view: View):
    view.posts.remember(ACCOUNT, (), NOW)
    assert "casino-words" not in hits(try_account(view, "7"))
    tried = try_account(view, "7", CASINO)
    assert "casino-words" in hits(tried)
    assert all(one.account_id == "7" and one.created_at < AT for one in tried.statuses)


def test_whoever_is_exempt_is_told_of(view: View):
    view.posts.remember(replace(ACCOUNT, staff=True), (), NOW)
    assert try_account(view, "7", CASINO).spared == "it belongs to the staff"
    assert try_text(view, CASINO).spared == ""


@pytest.mark.parametrize("changes", [
    {"text": "a" * 10_001}, {"bio": "a" * 10_001}, {"name": "a" * 301}, {"posts": 0}, {"posts": 41}, {"age": "never"},
    {"followers": -1}, {"mentions": 101}, {"accounts": 101}, {"media": 101},
])  # fmt: skip
def test_every_size_is_bounded_and_the_field_named(view: View, changes):
    with pytest.raises(BadParameter, match=next(iter(changes))):
        try_text(view, replace(CASINO, **changes))


def test_with_faulty_files_nothing_is_tried(view: View, tmp_path: Path):
    (tmp_path / "broken.toml").write_text("id =")
    broken = replace(view, settings=view.settings.model_copy(update={"rules_dir": tmp_path}))
    with pytest.raises(RulesUnusable, match=r"broken\.toml"):
        try_text(broken, CASINO)


def test_nothing_is_kept(view: View):
    view.posts.remember(ACCOUNT, (), NOW)
    before = snapshot(view.redis)
    try_text(view, replace(CASINO, accounts=9))
    try_account(view, "7", CASINO)
    assert snapshot(view.redis) == before
