"""The demo must not praise itself: each way in which it can be wrong is told."""

from pathlib import Path

import pytest

from mastowatch.web.dashboard.access.passwords import Passwords
from tests.demo import __main__ as demo
from tests.demo.population import Population
from tests.demo.report import Filed, Found

PEOPLE = Population(
    planted={"1": "casino-words", "2": "name-series"},
    misses={"3": "near gambler"},
    languages={"1": "en", "2": "ja", "3": "en"},
    accounts=4,
    posts=9,
)
NAMES = {"casino-words": "Casino spam", "name-series": "Names"}
CASINO, SERIES = Filed("1", "+ 5.0 Casino spam"), Filed("2", "+ 5.0 Names\n+ 0.5 Casino spam")


def found(*filed):
    return Found(PEOPLE, filed, NAMES)


def test_all_is_right_when_each_was_reported_once_by_its_own_rule():
    assert found(CASINO, SERIES).right
    assert list(found(CASINO, SERIES).complaints()) == []
    assert found(CASINO, SERIES).by_language() == "en 1 of 1, ja 1 of 1"


@pytest.mark.parametrize(
    ("filed", "complaint"),
    [
        ([CASINO], "  missed: 2 (name-series)"),
        ([CASINO, SERIES, Filed("3", "Casino spam")], "  false alarm: 3 (near gambler)"),
        ([CASINO, SERIES, Filed("4", "Casino spam")], "  false alarm: 4 (ordinary)"),
        ([CASINO, SERIES, CASINO], "  reported twice: 1 (casino-words)"),
        ([CASINO, Filed("2", "Casino spam")], "  found, but not by its own rule: 2 (name-series)"),
        ([Filed("1", ""), SERIES], "  found, but not by its own rule: 1 (casino-words)"),
    ],
)
def test_whatever_is_wrong_is_told(filed, complaint):
    assert not found(*filed).right
    assert list(found(*filed).complaints()) == [complaint]


def test_each_kind_has_a_line():
    lines = [line.split() for line in found(CASINO, Filed("2", "")).kinds()]
    assert lines[1:] == [["casino-words", "1", "1", "1"], ["name-series", "1", "1", "0"]]


def test_a_language_of_which_nobody_was_found_is_told():
    assert found(CASINO).by_language() == "en 1 of 1, ja 0 of 1"


def test_the_password_that_the_demo_tells_lets_its_visitor_switch(tmp_path):
    told = demo.settings(tmp_path, "http://127.0.0.1:1", "redis://127.0.0.1:2/0", 3, 4)
    text = Path(told["DASHBOARD_PASSWORDS_FILE"]).read_text()
    assert demo.PASSWORD not in text
    assert Passwords.parse(text, "").check(demo.NAME, demo.PASSWORD) == "switch"
