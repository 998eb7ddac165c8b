import json
from datetime import UTC, datetime

import pytest

from mastowatch.cli.records import refuse
from mastowatch.cli.tables import NARROWEST, ago, lines_of, plain, span, table, to_json, wide

NOW = 1_767_268_800.0


def test_columns_stand_under_their_heads():
    rows = [("a-long-name", "1"), ("b", "1234")]
    assert table(("name", "n"), rows, right=("n",)) == ["NAME            N", "a-long-name     1", "b            1234"]


def test_what_is_missing_is_a_dash():
    assert table(("a", "b"), [("", "x")]) == ["A  B", "-  x"]


@pytest.mark.parametrize("width", [34, 40, 60])
def test_the_widest_columns_give_way_until_all_fit(width):
    lines = table(("id", "state", "error"), [("i" * 30, "failed", "e" * 300)], width=width)
    assert max(map(wide, lines)) <= width
    assert lines[1].endswith("…")
    assert "failed" in lines[1]


def test_a_terminal_that_is_too_narrow_gets_what_can_be_read():
    assert len(table(("a", "b"), [("x" * 50, "y" * 50)], width=5)[1]) == NARROWEST * 2 + 2


def test_wide_letters_count_as_two():
    lines = table(("name", "n"), [("日本", "1"), ("abcd", "2")])
    assert lines[1:] == ["日本  1", "abcd  2"]
    assert wide(table(("a",), [("日" * 40,)], width=21)[1]) <= 21


def test_a_text_can_not_steer_the_terminal():
    assert plain("a\x1b[31mb\r\nc\u202e\x07") == "a\ufffd[31mb c\ufffd\ufffd"
    assert lines_of("Traceback\n  File \x1b]0;x\x07") == ["Traceback", "  File \ufffd]0;x\ufffd"]


def test_json_can_not_steer_the_terminal_and_says_the_same():
    hostile = "a\x1b[31m\x9b31m\x7f\u202e\u2028\U000e0001日\n"
    for indent in (None, 2):
        written = to_json({"text": [hostile, {hostile: 1}]}, indent=indent)
        assert all(one.isprintable() or one == "\n" for one in written)
        assert "日" in written
        assert json.loads(written) == {"text": [hostile, {hostile: 1}]}


def test_a_refusal_can_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]):
    assert refuse("queue: there are: high, \x1b]0;x\x07, \x9b2J") == 1
    assert capsys.readouterr().err == "mastowatch: queue: there are: high, \ufffd]0;x\ufffd, \ufffd2J\n"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "-"),
        (0, "0.0 s"),
        (2.54, "2.5 s"),
        (9.96, "10 s"),
        (119, "119 s"),
        (125, "2 min"),
        (7300, "2 h"),
        (172_800, "2 d"),
    ],
)
def test_a_length_of_time_is_in_one_unit(seconds, shown):
    assert span(seconds) == shown


def test_a_time_is_told_from_now():
    at = datetime.fromtimestamp(NOW - 300, UTC)
    assert (ago(at, NOW), ago(at, NOW - 600), ago(None, NOW)) == ("5 min ago", "in 5 min", "-")


def test_json_has_times_as_the_api_writes_them():
    assert to_json({"at": datetime.fromtimestamp(NOW, UTC)}) == '{"at":"2026-01-01T12:00:00Z"}'
