from datetime import timedelta

import pytest

from mastowatch.domain.examples import NOW
from mastowatch.domain.ruleset import RuleSet
from mastowatch.errors import MastoWatchError, RuleErrors
from mastowatch.ports.types import Status
from tests.rules import WORDS, document, judged, ruleset, seen

FAR = [{"text": "casino", "ago": "5m"}, {"text": "casino", "ago": "3h"}, {"text": "casino", "ago": "10h"}]


def test_all_that_is_wrong_is_told_at_once():
    broken = [
        ("a.toml", document()),
        ("b.toml", document()),
        ("c.toml", document(id="c", weight=0)),
        ("d.toml", document(id="d", status={"pattern": "(?=a)"})),
        ("e.toml", document(id="e", account={"bio_pattern": "a*"})),
    ]
    with pytest.raises(RuleErrors) as caught:
        RuleSet.load(broken)
    told = str(caught.value)
    assert "b.toml: id: 'one' is taken by a.toml" in told
    assert [one.key for one in caught.value.faults] == ["weight", "id", "status.pattern", "account.bio_pattern"]
    assert isinstance(caught.value, MastoWatchError)


def test_a_rule_whose_examples_do_not_hold_is_not_put_in_force():
    with pytest.raises(RuleErrors) as caught:
        RuleSet.load([("a.toml", document(status={"words": ["poker"]}))])
    assert "a.toml: examples.match[1]: should match and does not" in str(caught.value)


@pytest.mark.parametrize("others", [(), (document(),)])
def test_a_bad_pattern_is_refused_in_a_rule_that_is_off_too(others):
    with pytest.raises(RuleErrors) as caught:
        ruleset(document(id="off", mode="off", status={"pattern": "(?=a)"}), *others)
    assert [one.key for one in caught.value.faults] == ["status.pattern"]


def test_compile_names_both_files_of_a_duplicate():
    with pytest.raises(RuleErrors) as caught:
        ruleset(document(), document())
    assert "1.toml: id: 'one' is taken by 0.toml" in str(caught.value)


def test_no_rules_at_all_judge_everybody_innocent():
    verdict = judged(ruleset(), posts=["casino"])
    assert (verdict.score, verdict.level, verdict.reasons, verdict.category) == (0, "none", (), "other")


def test_the_digest_changes_with_any_rule_and_with_nothing_else():
    one, same, other = ruleset(document()), ruleset(document()), ruleset(document(weight=4.0))
    assert one.digest == same.digest != other.digest


def test_a_rule_counts_once_an_account_and_shadow_rules_apart():
    rules = ruleset(document(), document(id="two", mode="shadow", weight=9.0), document(id="three", mode="off"))
    verdict = judged(rules, posts=["casino", "casino"])
    assert (verdict.score, verdict.shadow_score, verdict.level) == (5, 9, "report")
    assert [reason.rule_id for reason in verdict.reasons] == ["one", "two"]
    assert len(rules) == 2


def test_a_shadow_rule_alone_leads_to_nothing():
    assert judged(ruleset(document(mode="shadow", weight=99.0)), posts=["casino"]).level == "none"


def test_weights_add_up_and_reach_the_threshold_without_a_rounding_error():
    rules = ruleset(*(document(id=f"r{number}", weight=weight) for number, weight in enumerate([2.4, 2.5, 0.1])))
    assert judged(rules, posts=["casino"]).level == "report"
    assert judged(ruleset(document(weight=2.4)), posts=["casino"]).level == "watch"


def test_the_heaviest_rule_gives_the_category_and_its_posts_come_first():
    light = document(weight=1.0, category="other", rule_ids=["1"], forward=True)
    heavy = document(id="two", weight=3.0, category="legal", rule_ids=["2", "1"], status={"words": ["poker"]})
    verdict = judged(ruleset(light, heavy), posts=["casino", "poker"])
    assert (verdict.category, verdict.rule_ids, verdict.forward) == ("legal", ("2", "1"), True)
    assert verdict.status_ids == ("9998", "9999")


def test_words_match_whole_words_in_every_script_and_behind_disguises():
    rules = ruleset(document(status={"words": ["кот", "casino", "カジノ", "पैसा"]}))
    hits = ["чёрный кот!", "C\u0430SINO", "オンラインカジノで", "पैसा कमाओ"]
    assert [judged(rules, posts=[text]).score for text in hits] == [5] * 4
    assert [judged(rules, posts=[text]).score for text in ("который", "casinos", "casino5")] == [0] * 3


def test_all_conditions_must_hold_for_the_same_post():
    rules = ruleset(document(status={**WORDS, "links_min": 1}))
    assert judged(rules, posts=["casino", "https://a.example"]).score == 0
    assert judged(rules, posts=["casino https://a.example"]).score == 5


@pytest.mark.parametrize(
    ("condition", "hit", "miss"),
    [
        ({"pattern": "win[0-9]+"}, "WIN77", "win"),
        ({"links_min": 1}, "https://a.example", "a.example"),
        ({"link_hosts": ["bad.example"]}, "https://www.x.bad.example/1", "https://notbad.example"),
        ({"mentions_min": 3}, {"text": "x", "mentions": 3}, {"text": "x", "mentions": 2}),
        ({"tags_min": 3}, {"text": "x", "tags": 3}, {"text": "x", "tags": 2}),
        ({"media_min": 1}, {"text": "x", "media": 1}, "x"),
        ({"languages": ["pt"]}, {"text": "x", "language": "pt-BR"}, {"text": "x", "language": "en"}),
        ({"languages": ["PT-br"]}, {"text": "x", "language": "pt-BR"}, "x"),
        ({"reply": True}, {"text": "x", "reply": True}, "x"),
        ({"reply": False}, "x", {"text": "x", "reply": True}),
        ({"lookalike": True}, "w\u0456nner", "winner"),
        ({"words": ["alarm"]}, {"text": "x", "warning": "Alarm!"}, "x"),
    ],
)
def test_each_condition_on_posts_tells_a_hit_from_a_miss(condition, hit, miss):
    rules = ruleset(document(status=condition))
    assert judged(rules, posts=[hit]).score == 5
    assert judged(rules, posts=[miss]).score == 0


@pytest.mark.parametrize(
    ("condition", "hit", "miss"),
    [
        ({"age_max": "7d"}, {"age": "7d"}, {"age": "8d"}),
        ({"age_min": "7d"}, {"age": "7d"}, {"age": "6d"}),
        ({"followers_max": 3}, {"followers": 3}, {"followers": 4}),
        ({"followers_min": 3}, {"followers": 3}, {"followers": 2}),
        ({"following_max": 3}, {"following": 3}, {"following": 4}),
        ({"following_min": 3}, {"following": 3}, {"following": 2}),
        ({"statuses_max": 3}, {"statuses": 3}, {"statuses": 4}),
        ({"statuses_min": 3}, {"statuses": 3}, {"statuses": 2}),
        ({"statuses_per_day_min": 48}, {"age": "2d", "statuses": 96}, {"age": "2d", "statuses": 95}),
        ({"statuses_per_day_min": 48}, {"age": "1m", "statuses": 2}, {"age": "1m", "statuses": 1}),
        ({"bot": True}, {"bot": True}, {}),
        ({"username_pattern": "^[a-z]+[0-9]{4}$"}, {"username": "Emma4821"}, {"username": "emma"}),
        ({"name_words": ["support"]}, {"name": "Support Team"}, {"name": "supporter"}),
        ({"name_pattern": "support"}, {"name": "Suppоrter"}, {"name": "x"}),
        ({"bio_words": ["forex"]}, {"bio": "Forex!"}, {"name": "forex"}),
        ({"bio_words": ["forex"]}, {"fields": {"Job": "Forex"}}, {}),
        ({"bio_pattern": "fore?x"}, {"bio": "forx"}, {}),
        (
            {"links_min": 2},
            {"bio": "https://a.example", "fields": {"Home": "https://b.example"}},
            {"bio": "https://a.example"},
        ),
        ({"link_hosts": ["a.example"]}, {"bio": "https://x.a.example"}, {"bio": "https://b.example"}),
        ({"lookalike": True}, {"name": "w\u0456nner"}, {"name": "winner"}),
    ],
)
def test_each_condition_on_accounts_tells_a_hit_from_a_miss(condition, hit, miss):
    rules = ruleset(document(status=None, account=condition))
    assert judged(rules, **hit).score == 5
    assert judged(rules, **miss).score == 0


@pytest.mark.parametrize(("scope", "local", "remote"), [("all", 5, 5), ("local", 5, 0), ("remote", 0, 5)])
def test_scope_says_whose_accounts(scope, local, remote):
    rules = ruleset(document(scope=scope))
    assert judged(rules, posts=["casino"]).score == local
    assert judged(rules, posts=["casino"], domain="b.example").score == remote


def test_within_wants_the_posts_close_together_and_takes_the_newest_that_are():
    rules = ruleset(document(status={**WORDS, "count_min": 2, "within": "2h"}))
    assert judged(rules, posts=FAR).score == 0
    close = judged(rules, posts=[*FAR, {"text": "casino", "ago": "4h"}])
    assert close.status_ids == ("9998", "9996")


def test_posts_may_come_in_any_order():
    rules = ruleset(document(status={**WORDS, "count_min": 3, "within": "12h"}))
    account, statuses = seen(posts=FAR)
    verdict = rules.judge(account, statuses[::-1], NOW, watch_at=2, report_at=5)
    assert verdict.status_ids == ("9999", "9998", "9997")


def test_count_alone_counts_all_posts():
    rules = ruleset(document(status={"count_min": 3, "within": "1h"}))
    assert judged(rules, posts=["a", "b", "c"]).score == 5
    assert judged(rules, posts=["a", "b"]).score == 0


@pytest.mark.parametrize("spared", [{"bot": True}, {"bio_words": ["museum"]}, {"followers_min": 1000}])
def test_any_condition_under_not_account_spares_the_account(spared):
    rules = ruleset(document(**{"not": {"account": {"bot": True, "bio_words": ["museum"], "followers_min": 1000}}}))
    examples = {"bot": {"bot": True}, "bio_words": {"bio": "A museum"}, "followers_min": {"followers": 1000}}
    assert judged(rules, posts=["casino"]).score == 5
    assert judged(rules, posts=["casino"], **examples[next(iter(spared))]).score == 0


def test_any_condition_under_not_status_spares_the_post_but_not_the_others():
    rules = ruleset(document(**{"not": {"status": {"words": ["museum"], "media_min": 1}}}))
    assert judged(rules, posts=["casino museum"]).score == 0
    assert judged(rules, posts=[{"text": "casino", "media": 1}]).score == 0
    assert judged(rules, posts=["casino museum", "casino"]).status_ids == ("9998",)


def test_boosts_are_somebody_elses_words():
    account, _ = seen()
    boost = Status("1", "1", NOW, "<p>casino</p>", reblog=True)
    assert ruleset(document()).judge(account, [boost], NOW, watch_at=2, report_at=5).score == 0


def test_posts_without_content_and_full_of_rubbish_are_judged():
    account, _ = seen()
    posts = [
        Status("1", "1", NOW),
        Status("2", "1", NOW, "<p>" + "<b>" * 400_000),
        Status("3", "1", NOW, "\ud83d \0 <p", spoiler_text="\udfff"),
        Status("4", "1", NOW, "<p>\u202ecasino\u202c</p>"),
    ]
    verdict = ruleset(document()).judge(account, posts, NOW, watch_at=2, report_at=5)
    assert verdict.status_ids == ("4",)


def test_an_account_from_the_future_is_as_old_as_can_be_young():
    account, statuses = seen(posts=["casino"], age="1m")
    rules = ruleset(document(account={"age_max": "1d"}))
    assert rules.judge(account, statuses, NOW - timedelta(days=3), watch_at=2, report_at=5).score == 5


def test_screening_names_the_rules_that_want_to_see_more():
    rules = ruleset(
        document(id="young", account={"age_max": "7d"}),
        document(id="bio", status=None, account={"bio_words": ["forex"]}),
        document(id="off", mode="off"),
        document(id="spares-bots", **{"not": {"account": {"bot": True}}}),
    )

    def screened(**example):
        return rules.screen(seen(**example)[0], NOW)

    assert screened(age="1d", statuses=1) == ("young", "spares-bots")
    assert screened(age="1d", statuses=0, bio="forex") == ("bio",)
    assert screened(age="30d", statuses=9, bot=True) == ()


def test_an_account_that_is_not_screened_is_not_hit():
    rules = ruleset(document(account={"age_max": "7d", "followers_max": 5}))
    account, statuses = seen(age="8d", followers=0, posts=["casino"])
    assert rules.screen(account, NOW) == ()
    assert rules.judge(account, statuses, NOW, watch_at=2, report_at=5).score == 0
