from datetime import timedelta

import pytest

from mastowatch.domain.limits import Limits
from mastowatch.domain.rule import parse
from mastowatch.errors import RuleError
from tests.rules import document


def test_what_is_not_given_is_the_default():
    found = parse("a.toml", document())
    assert found.limits == Limits(None, None, 0.5, 20)
    assert (found.action, found.expires) == ("report", None)


def test_limits_are_read():
    limits = {"reports_per_hour": 5, "reports_per_day": 9, "precision_min": 0.9, "precision_after": 3}
    assert parse("a.toml", document(limits=limits)).limits == Limits(5, 9, 0.9, 3)


@pytest.mark.parametrize(
    ("limits", "key"),
    [
        ({"reports_per_hour": 0}, "limits.reports_per_hour"),
        ({"reports_per_day": 2.5}, "limits.reports_per_day"),
        ({"reports_per_day": True}, "limits.reports_per_day"),
        ({"precision_min": 1.5}, "limits.precision_min"),
        ({"precision_after": 0}, "limits.precision_after"),
        ({"report_per_day": 3}, "limits.report_per_day"),
        ("20", "limits"),
        ({"reports_per_hour": 10_001}, "limits.reports_per_hour"),
    ],
)
def test_a_wrong_limit_is_named(limits, key):
    with pytest.raises(RuleError) as caught:
        parse("a.toml", document(limits=limits))
    assert (caught.value.file, caught.value.key) == ("a.toml", key)


@pytest.mark.parametrize("action", ["sensitive", "silence", "suspend"])
def test_an_action_is_read_with_its_end(action):
    found = parse("a.toml", document(action=action, expires="7d"))
    assert (found.action, found.expires) == (action, timedelta(days=7))


@pytest.mark.parametrize(
    ("changes", "key", "problem"),
    [
        ({"action": "silence"}, "expires", "must end by itself"),
        ({"expires": "7d"}, "expires", "a report has no end"),
        ({"action": "suspend", "expires": "29d"}, "expires", "too long"),
        ({"action": "disable", "expires": "7d"}, "action", "not allowed"),
        ({"action": "silence", "expires": "soon"}, "expires", "not a duration"),
    ],
)
def test_an_action_without_a_usable_end_is_refused(changes, key, problem):
    with pytest.raises(RuleError, match=problem) as caught:
        parse("a.toml", document(**changes))
    assert caught.value.key == key


def test_no_rule_may_be_called_all():
    with pytest.raises(RuleError, match="stands for all rules"):
        parse("a.toml", document(id="all"))
