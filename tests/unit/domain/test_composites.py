import pytest

from mastowatch.domain.examples import NOW
from mastowatch.errors import RuleErrors
from tests.rules import document, judged, ruleset, seen

A = document(id="a", status={"words": ["alpha"]}, weight=1.0)
B = document(id="b", status={"words": ["beta"]}, weight=1.0)
C = document(id="c", status={"words": ["gamma"]}, weight=1.0)


def both(**changes):
    return document(**{"id": "both", "status": None, "requires": ["a", "b"], "weight": 3.0, **changes})


def ids(rules, *posts, **example):
    return {reason.rule_id for reason in judged(rules, posts=list(posts), **example).reasons}


def test_a_rule_hits_when_all_that_it_requires_hit():
    rules = ruleset(both(), A, B)
    assert ids(rules, "alpha", "beta") == {"a", "b", "both"}
    assert ids(rules, "alpha") == {"a"}
    assert judged(rules, posts=["alpha", "beta"]).score == 5


def test_a_rule_hits_when_enough_of_its_choice_hit():
    some = both(requires=None, any_of=["a", "b", "c"], any_of_min=2)
    rules = ruleset(some, A, B, C)
    assert "both" in ids(rules, "alpha gamma")
    assert "both" not in ids(rules, "gamma")
    assert "both" in ids(ruleset(both(requires=["a"], any_of=["b", "c"]), A, B, C), "alpha", "gamma")


def test_its_own_tables_must_hold_as_well():
    rules = ruleset(both(account={"age_max": "7d"}, status={"words": ["delta"]}), A, B)
    assert "both" in ids(rules, "alpha beta delta", age="1d")
    assert "both" not in ids(rules, "alpha beta delta", age="30d")
    assert "both" not in ids(rules, "alpha beta", age="1d")


def test_composites_of_composites_are_asked_in_their_order():
    chain = [both(id=f"z{n}", requires=[f"z{n - 1}" if n else "a"]) for n in reversed(range(30))]
    assert len(ids(ruleset(*chain, A), "alpha")) == 31


def test_it_tells_what_it_looked_at_and_attaches_their_posts():
    (reason,) = (one for one in judged(ruleset(both(), A, B), posts=["alpha", "beta"]).reasons if one.rule_id == "both")
    assert reason.evidence == "together with a, b"
    assert reason.status_ids == ("9999", "9998")


def test_a_rule_that_reports_does_not_see_the_shadow_and_one_in_shadow_does():
    hidden = document(id="b", status={"words": ["beta"]}, mode="shadow")
    choice = both(requires=["a"], any_of=["b", "c"])
    assert "both" not in ids(ruleset(choice, A, hidden, C), "alpha beta")
    assert "both" in ids(ruleset({**choice, "mode": "shadow"}, A, hidden, C), "alpha beta")


def test_a_part_that_was_dropped_to_the_shadow_is_not_seen_either():
    rules = ruleset(both(), A, B)
    assert judged(rules, shadowed={"b"}, posts=["alpha beta"]).score == 1
    verdict = judged(rules, shadowed={"b", "both"}, posts=["alpha beta"])
    assert (verdict.score, verdict.shadow_score) == (1, 4)


def test_screening_asks_a_composite_only_where_its_parts_want_to_see_more():
    young = document(id="a", account={"age_max": "7d"})
    rules = ruleset(both(requires=["a"]), young)
    assert rules.screen(*_at(age="1d", posts=["x"])) == ("a", "both")
    assert rules.screen(*_at(age="8d", posts=["x"])) == ()


def _at(**example):
    return seen(**example)[0], NOW


def test_examples_of_a_composite_run_its_parts_in_the_live_set():
    examples = {"match": [{"posts": ["alpha", "beta"]}], "no_match": [{"posts": ["alpha"]}]}
    rules = ruleset(both(examples=examples), A, B)
    assert [one for one in rules.check_examples() if one.rule.id == "both"] == []


@pytest.mark.parametrize(
    ("rules", "key", "told", "hint"),
    [
        ([both(requires=["a", "bb"]), A, B], "requires", "there is no rule 'bb'", "did you mean b?"),
        ([both(requires=None, any_of=["x"])], "any_of", "there is no rule 'x'", "id of another rule"),
        ([both(requires=["a"]), {**A, "mode": "off"}], "requires", "'a' is off and never hits", "1.toml"),
        ([both(requires=["a"]), {**A, "mode": "shadow"}], "requires", "can never hit", 'mode = "shadow" here'),
        ([both(requires=["both"])], "requires", "both -> both", "take one of them out"),
        (
            [both(requires=["p"]), both(id="p", any_of=["q"], requires=None), both(id="q", requires=["both"])],
            "requires",
            "both -> p -> q -> both",
            "take one",
        ),
    ],
)
def test_what_can_not_work_is_refused_with_file_and_key(rules, key, told, hint):
    with pytest.raises(RuleErrors) as caught:
        ruleset(*rules)
    first = caught.value.faults[0]
    assert (first.file, first.key) == ("0.toml", key)
    assert told in first.problem
    assert hint in first.hint


def test_a_rule_beside_a_circle_is_not_blamed_for_it():
    with pytest.raises(RuleErrors) as caught:
        ruleset(both(requires=["p"]), both(id="p", requires=["q"]), both(id="q", requires=["p"]))
    assert [one.file for one in caught.value.faults] == ["1.toml", "2.toml"]
