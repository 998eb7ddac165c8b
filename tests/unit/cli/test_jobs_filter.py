import argparse

import pytest

from mastowatch.cli.jobs_filter import job_filter, length
from mastowatch.jobs.listing import JobFilter
from mastowatch.jobs.refusals import BadParameter

NOW = 1_767_268_800.0


def given(**changes):
    names = ("queue", "status", "function", "error", "text", "failure", "since", "until")
    return argparse.Namespace(**{**dict.fromkeys(names), **changes})


def test_nothing_named_means_all():
    assert job_filter(given(), NOW) == JobFilter()


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90s", NOW - 90),
        ("2h", NOW - 7200),
        ("1w", NOW - 604_800),
        ("2026-01-01", NOW - 43_200),
        ("2026-01-01T12:00", NOW),
        ("2026-01-01T13:00+01:00", NOW),
        ("2026-01-01T12:00:00Z", NOW),
    ],
)
def test_times_are_spans_before_now_or_dates_in_utc(text, at):
    assert job_filter(given(since=text, until=text), NOW) == JobFilter(since=at, until=at)


@pytest.mark.parametrize("text", ["", "yesterday", "2", "-2h", "2026-13-01", "2 h", "٣h", "9" * 400 + "h"])
def test_other_times_are_refused_with_what_is_allowed(text):
    with pytest.raises(BadParameter, match=r"--since: .* is no time; write it like 2h"):
        job_filter(given(since=text), NOW)


def test_a_length_is_in_seconds():
    assert [length("interval", text) for text in ("90", "90s", "5m", "2h")] == [90, 90, 300, 7200]
    with pytest.raises(BadParameter, match="interval: 'x' is no length of time"):
        length("interval", "x")
