from datetime import timedelta
from pathlib import Path

import pytest

from mastowatch.adapters.rule_files import read_rules
from mastowatch.domain import examples
from mastowatch.domain.comment import render
from mastowatch.domain.policy import decide
from mastowatch.domain.ruleset import RuleErrors, RuleSet

SHIPPED = Path(__file__).parents[3] / "etc" / "rules.d"
WORDS = {"words": ["casino"]}


def document(**changes):
    base = {
        "id": "one",
        "name": "One",
        "description": "for a test",
        "mode": "report",
        "weight": 5.0,
        "status": dict(WORDS),
        "examples": {"match": [{"posts": ["casino"]}], "no_match": [{"posts": ["garden"]}]},
    }
    return {**base, **changes}


def judge(rules, example):
    account, statuses = examples.build(example, file="x", table="x")
    return rules.judge(account, statuses, examples.NOW, watch_at=2, report_at=5)


def test_every_shipped_rule_has_examples_and_all_of_them_hold():
    rules = RuleSet.load(read_rules(SHIPPED))
    assert len(rules) >= 8
    assert all(rule.match and rule.no_match for rule in rules.rules)
    assert examples.check(rules) == []


@pytest.mark.parametrize("broken", [{"mode": "shadow", "status": {"words": ["poker"]}}])
def test_an_example_that_goes_the_other_way_is_named(broken):
    failures = examples.check(RuleSet.load([("a.toml", document(**broken))]))
    assert [str(failure) for failure in failures] == ["a.toml: examples.match[1] should match and does not (one)"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"statsu": {}}, "a.toml: statsu: is not a key of this table .did you mean status"),
        ({"status": {"wrods": ["x"]}}, "a.toml: status.wrods: .*did you mean words"),
        ({"status": {"pattern": "(?=a)"}}, "a.toml: status.pattern: RE2 refuses .*no look-ahead"),
        ({"status": {"pattern": "a*"}}, "matches the empty text"),
        ({"status": {"pattern": "(x{1,999}y){1,9}"}}, "status.pattern"),
        ({"status": {"words": ["casino,"]}}, "begins or ends with punctuation"),
        ({"status": {**WORDS, "within": "6 hours"}}, "a.toml: status.within: .*write .30m."),
        ({"examples": {}}, "a rule that reports needs at least one"),
        ({"weight": 0}, "a.toml: weight"),
        ({"mode": "on"}, "one of off, shadow, report"),
        ({"id": "Has Space"}, "small letters, digits and hyphens"),
    ],
)
def test_a_bad_rule_is_named_with_file_key_and_hint(changes, complaint):
    with pytest.raises(RuleErrors, match=complaint):
        RuleSet.load([("a.toml", document(**changes))])


def test_a_duplicate_id_names_both_files():
    with pytest.raises(RuleErrors, match=r"b.toml: id: 'one' is taken by a.toml"):
        RuleSet.load([("a.toml", document()), ("b.toml", document())])


def test_words_match_whole_words_in_every_script():
    rules = RuleSet.load([("a.toml", document(status={"words": ["кот", "casino"]}))])
    assert judge(rules, {"posts": ["чёрный кот!"]}).score == 5
    assert judge(rules, {"posts": ["который"]}).score == 0
    assert judge(rules, {"posts": ["casinos"]}).score == 0
    assert judge(rules, {"posts": ["C\u0430SINO"]}).score == 5


def test_a_rule_counts_once_an_account_and_shadow_rules_apart():
    shadow = document(id="two", mode="shadow", weight=9.0)
    verdict = judge(RuleSet.load([("a.toml", document()), ("b.toml", shadow)]), {"posts": ["casino", "casino"]})
    assert (verdict.score, verdict.shadow_score, verdict.level) == (5, 9, "report")


def test_within_wants_the_posts_close_together():
    rules = RuleSet.load([("a.toml", document(status={**WORDS, "count_min": 2, "within": "1h"}))])
    near = [{"text": "casino", "ago": "5m"}, {"text": "casino", "ago": "30m"}]
    far = [{"text": "casino", "ago": "5m"}, {"text": "casino", "ago": "3h"}]
    assert judge(rules, {"posts": near}).score == 5
    assert judge(rules, {"posts": far}).score == 0


def test_what_not_matches_is_spared():
    rules = RuleSet.load([("a.toml", document(**{"not": {"status": {"words": ["museum"]}}}))])
    assert judge(rules, {"posts": ["casino museum"]}).score == 0


def test_an_old_account_costs_no_request():
    rules = RuleSet.load(read_rules(SHIPPED))
    old, _ = examples.build({"age": "400d", "posts": ["x"]}, file="x", table="x")
    new, _ = examples.build({"age": "1d", "followers": 0, "posts": ["x"]}, file="x", table="x")
    assert not rules.screen(old, examples.NOW)
    assert rules.screen(new, examples.NOW)


def test_the_comment_fits_and_keeps_its_marker():
    many = [(f"{n}.toml", document(id=f"r{n}", name="A long name " * 6)) for n in range(60)]
    rules = RuleSet.load(many)
    example = {"posts": ["casino " * 50]}
    account, _ = examples.build(example, file="x", table="x")
    verdict = judge(rules, example)
    now = examples.NOW + timedelta(days=1)
    text = render(verdict, account, report_at=5, marker="7f3a9c21", attached=1, posts_seen=1, now=now)
    assert len(text) <= 1000
    assert text.endswith("[mw:7f3a9c21]")
    assert "more rules" in text


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"me_id": "1"}, "the bot itself"),
        ({"exempt_accounts": frozenset({"someone@a.example"})}, "EXEMPT_ACCOUNTS"),
        ({"exempt_domains": frozenset({"example"})}, "EXEMPT_DOMAINS"),
    ],
)
def test_nobody_exempt_is_reported(change, why):
    rules = RuleSet.load([("a.toml", document())])
    example = {"posts": ["casino"], "domain": "a.example"}
    account, _ = examples.build(example, file="x", table="x")
    usual = {"me_id": "9", "exempt_accounts": frozenset(), "exempt_domains": frozenset(), "dry_run": False}
    assert decide(judge(rules, example), account, **usual).action == "report"
    decision = decide(judge(rules, example), account, **{**usual, **change})
    assert decision.action == "exempt"
    assert why in decision.why
