from dataclasses import replace
from datetime import timedelta

import pytest

from mastowatch.domain import enforcement
from mastowatch.domain.enforcement import Wanted
from mastowatch.domain.rule import parse
from mastowatch.domain.verdict import Reason, Verdict
from mastowatch.ports.types import AccountAction
from tests.rules import document, seen

ACCOUNT = seen()[0]
SILENCED = AccountAction("1", "silence", "one", "12", "done", 0.0, 1.0, others=("sensitive",))


def hit(*rule_ids, shadow=()):
    reasons = [Reason(one, one, 5.0, one in shadow, "") for one in rule_ids]
    return Verdict(5.0, 0.0, "report", tuple(reasons))


def rules(**actions):
    return [
        parse(f"{one}.toml", document(id=one, **({"action": found[0], "expires": found[1]} if found else {})))
        for one, found in actions.items()
    ]


def test_the_strongest_that_the_rules_of_the_score_ask_for_is_taken_for_the_longest_time():
    found = rules(a=("sensitive", "9d"), b=("silence", "2d"), c=("silence", "3d"), d=("suspend", "1d"), e=None)
    assert enforcement.wanted(hit("a", "b", "c", "e"), found) == Wanted("silence", timedelta(days=3), "c")
    assert enforcement.wanted(hit("a"), found) == Wanted("sensitive", timedelta(days=9), "a")


def test_a_rule_in_shadow_and_one_that_did_not_hit_ask_for_nothing():
    found = rules(a=("sensitive", "9d"), d=("suspend", "1d"), e=None)
    assert enforcement.wanted(hit("a", "d", shadow=["d"]), found).measure == "sensitive"
    assert enforcement.wanted(hit("e"), found) is None


@pytest.mark.parametrize(
    ("measure", "states", "needless"),
    [
        ("silence", {}, False),
        ("silence", {"sensitized": True}, False),
        ("silence", {"silenced": True}, True),
        ("silence", {"suspended": True}, True),
        ("sensitive", {"silenced": True}, True),
        ("suspend", {"silenced": True}, False),
        ("suspend", {"disabled": True}, True),
    ],
)
def test_what_is_in_force_already_is_not_done_again(measure, states, needless):
    wanted = Wanted(measure, timedelta(days=1), "one")
    assert enforcement.is_needless(wanted, replace(ACCOUNT, **states)) is needless


@pytest.mark.parametrize(
    ("states", "left"),
    [
        ({"silenced": True, "sensitized": True}, ""),
        ({"sensitized": True}, "lifted already"),
        ({"silenced": True}, "moderators have changed it"),
        ({"silenced": True, "sensitized": True, "suspended": True}, "moderators have changed it"),
        ({"silenced": True, "sensitized": True, "disabled": True}, "disable"),
    ],
)
def test_only_what_stands_as_it_was_left_is_undone(states, left):
    why = enforcement.left_because(SILENCED, replace(ACCOUNT, **states))
    assert left in why
    assert bool(why) is bool(left)


def test_the_report_says_what_is_done_and_what_ends_it():
    told = Wanted("silence", timedelta(days=7), "one").told
    assert told == "It is limited by MastoWatch for 7 days, or for good once this report is resolved."
