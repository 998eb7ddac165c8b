from __future__ import annotations

import pytest

from mastowatch.jobs.failure_names import brief
from mastowatch.jobs.records import first_line, moment
from mastowatch.web.dashboard.charts import sparkline
from mastowatch.web.dashboard.shown import number, span, status_word, visible


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "–"), (0, "0 s"), (0.42, "0.42 s"), (59.9, "59 s"),
     (200, "3 min 20 s"), (3600, "1 h"), (190_000, "2 d 4 h")],
)  # fmt: skip
def test_shows_a_span_in_its_two_largest_units(seconds, shown):
    assert span(seconds).replace("\u202f", " ") == shown


def test_sets_thousands_apart():
    assert number(1234567) == "1\u202f234\u202f567"
    assert number(2.25) == "2.2"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("Work-horse terminated unexpectedly", "Work-horse terminated unexpectedly"),
        ('Traceback (most recent call last):\n  File "x"\n    code\nKeyError: 1\nmore', "KeyError: 1"),
        (
            "Traceback (most recent call last):\n  File\nA: 1\n\nThen\n\nTraceback (most recent call last):\n  F\nB: 2",
            "B: 2",
        ),
    ],
)
def test_finds_the_line_that_names_the_error(text, line):
    assert first_line(text) == line


def test_reads_times_as_rq_writes_them_and_no_others():
    assert moment(b"2026-03-01T12:00:00.5Z").isoformat() == "2026-03-01T12:00:00.500000+00:00"
    assert moment(b"nonsense") is None
    assert moment(None) is None


def test_draws_a_line_only_through_two_points_or_more():
    points = [(60.0 * number, float(number)) for number in range(3)]
    assert sparkline(points[:1]) is None
    drawn = sparkline(points)
    assert drawn.line == "0.0,23.0 60.0,12.0 120.0,1.0"
    assert (drawn.highest, drawn.span_s) == (2, 120.0)


def test_spells_out_what_turns_the_direction_of_a_name():
    assert visible("\u202emoc.live") == "[U+202E]moc.live"
    assert visible("علي@مثال") == "علي@مثال"


@pytest.mark.parametrize(
    ("name", "word"),
    [("queued", "waiting"), ("started", "running"), ("scheduled", "delayed"), ("ready_to_enqueue", "ready to enqueue")],
)
def test_calls_a_status_as_the_rest_of_the_page_does(name, word):
    assert status_word(name) == word


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("mastowatch.errors.MastodonRefused: 403: no", "MastodonRefused: 403: no"),
        ("KeyError: 'a.b'", "KeyError: 'a.b'"),
        ("killed by signal 9. Nobody knows", "killed by signal 9. Nobody knows"),
        ("", ""),
    ],
)
def test_names_an_error_without_its_module(line, shown):
    assert brief(line) == shown
