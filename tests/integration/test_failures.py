"""Failures grouped by what went wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from mastowatch.jobs.failures import failure_groups, named
from mastowatch.jobs.listing import SCAN_MAX
from mastowatch.jobs.refusals import BadParameter
from tests.left_jobs import FUNCTION, NOW, LeftJob, leave

pytestmark = pytest.mark.redis


@pytest.mark.parametrize(
    ("line", "error", "message"),
    [
        ("ValueError: 17 is not 3.5", "ValueError", "N is not N"),
        ("mastowatch.errors.Gone: account 109302", "mastowatch.errors.Gone", "account N"),
        ("KeyError", "KeyError", ""),
        ("E: at 0x7f3A9c and deadbeef1", "E", "at N and N"),
        ("E: 123e4567-e89b-12d3-a456-426614174000 gone", "E", "N gone"),
        ("E: 10.0.0.1:6379 at 12:30:05", "E", "N at N"),
        ("E: job analyze-77 of mod-1-4711-3f2a9c", "E", "job analyze-N of mod-N-N-N"),
        ("Work-horse terminated: signal 9", "", "Work-horse terminated: signal N"),
        ("Its worker mod died.", "", "Its worker mod died."),
        ("", "", ""),
    ],
)
def test_an_error_is_named_without_what_varies(line, error, message):
    assert named(line) == (error, message)


@given(st.integers(0), st.integers(0))
def test_numbers_make_no_difference(one, other):
    assert named(f"E: {one} of {other} in x{one}") == named("E: 1 of 2 in x3")


def test_failures_are_grouped_the_most_frequent_first(redis: Redis):
    other = "mastowatch.jobs.tasks.send_alerts"
    leave(
        redis,
        LeftJob("a", "failed", "high", NOW - 30, error="ValueError: 1"),
        LeftJob("b", "failed", "low", NOW - 10, other, error="ValueError: 2"),
        LeftJob("c", "stopped", "low", NOW - 20, other, error="ValueError: 3"),
        LeftJob("d", "failed", "low", NOW - 5, error="KeyError: 'x'"),
        LeftJob("e", "finished", "low", NOW),
        LeftJob("f", "failed", "low", NOW - 40),
    )
    redis.zadd("rq:failed:low", {"run-out": NOW + 1})
    found = failure_groups(redis, NOW)
    first, *others = found.groups
    assert (first.error, first.message, first.count, first.example_id) == ("ValueError", "N", 3, "b")
    assert (first.functions, first.queues) == ([other, FUNCTION], ["low", "high"])
    assert (first.first_at.timestamp(), first.last_at.timestamp()) == (NOW - 30, NOW - 10)
    assert [(one.error, one.message, one.count) for one in others] == [("KeyError", "'x'", 1), ("", "", 1)]
    assert (found.scanned, found.total, found.next_cursor) == (6, 6, None)


def test_one_queue_alone_can_be_asked_for(redis: Redis):
    leave(redis, LeftJob("a", "failed", "high", error="E: 1"), LeftJob("b", "failed", "low", error="E: 1"))
    assert [one.count for one in failure_groups(redis, NOW, queue="low").groups] == [1]
    with pytest.raises(BadParameter, match="queue: 'nope' is not a queue"):
        failure_groups(redis, NOW, queue="nope")


def test_the_newest_come_first_and_a_cursor_goes_on(redis: Redis):
    leave(redis, *(LeftJob(f"j{at}", "failed", at=NOW + at, error=f"E{at < 50}: 1") for at in range(SCAN_MAX + 50)))
    first = failure_groups(redis, NOW)
    assert [(one.error, one.count) for one in first.groups] == [("EFalse", SCAN_MAX)]
    assert (first.scanned, first.total) == (SCAN_MAX, SCAN_MAX + 50)
    rest = failure_groups(redis, NOW, cursor=first.next_cursor)
    assert [(one.error, one.count) for one in rest.groups] == [("ETrue", 50)]
    assert rest.next_cursor is None
