"""What the pages about jobs work out by themselves: conditions, courses of time, intervals, rules that differ."""

from __future__ import annotations

import pytest

from mastowatch.jobs.detail import JobDetail
from mastowatch.jobs.listing import JobPage
from mastowatch.jobs.refusals import BadParameter
from mastowatch.jobs.workforce import WorkerRow, unit_of
from mastowatch.web.dashboard.pages.filters import Asked
from mastowatch.web.dashboard.pages.job import timeline
from mastowatch.web.dashboard.pages.jobs import caption
from mastowatch.web.dashboard.pages.recurring import in_units, seconds
from mastowatch.web.dashboard.pages.verbs import fitting, many
from mastowatch.web.dashboard.pages.workers import at_odds

NOON = 1_772_366_400.0  # 2026-03-01 12:00 UTC


def worker(name: str, rules: str | None = None) -> WorkerRow:
    return WorkerRow(
        name=name, state="idle", queues=[], hostname="", pid=None, current_job_id=None, started_at=None,
        last_heartbeat=None, finished=0, failed=0, working_s=0, rules=rules,
    )  # fmt: skip


def test_a_moment_wins_over_a_span_and_is_in_utc():
    assert Asked(within="1h").where(NOON).since == NOON - 3600
    assert Asked(within="1h", since="2026-03-01T10:00").where(NOON).since == NOON - 7200
    assert Asked(until="2026-03-01T13:00+01:00").where(NOON).until == NOON
    assert Asked().where(NOON).since is None


def test_what_was_counted_is_what_is_done():
    fixed = Asked(within="1h", status="failed").fixed(NOON)
    assert fixed.where(NOON + 600).since == NOON - 3600
    assert fixed.where(NOON + 600).until == NOON
    assert fixed.words() == "failed jobs since 2026-03-01 11:00 UTC, until 2026-03-01 12:00 UTC"
    assert Asked(**fixed.given()) == fixed.fixed(NOON + 600)
    # What is delayed matches also where it is due later.
    assert Asked(within="1h", status="scheduled").fixed(NOON).where(NOON).until is None
    assert Asked(within="1h").fixed(NOON).where(NOON).until is None
    assert Asked(within="1h", status="failed", until="2026-03-01T11:30").fixed(NOON).until == "2026-03-01T11:30"


def test_conditions_are_told_in_words_and_taken_off_one_by_one():
    asked = Asked(queue="low", status="rate_limited", error="50 % & more", within="1d")
    assert asked.words() == "rate limited jobs on the queue low, with “50 % & more” in the error, of the last day"
    assert asked.marks()[2].without == "?queue=low&status=rate_limited&within=1d"
    assert Asked(error="50 % & more").query() == "?error=50+%25+%26+more"
    assert (Asked().words(), Asked().query()) == ("jobs", "")


@pytest.mark.parametrize("status", ["failed", "queued", "started", "deferred"])
def test_only_what_fits_a_status_is_offered(status):
    offered = {verb.action for verb in fitting([status])}
    assert (
        offered
        == {
            "failed": {"requeue", "delete"},
            "queued": {"run", "cancel", "delete"},
            "started": {"cancel"},
            "deferred": {"cancel", "delete"},
        }[status]
    )


@pytest.mark.parametrize(
    ("waited", "ran", "shares"),
    [
        (1.0, 3.0, (25.0, 75.0)),
        (0.0001, 1000.0, (2.0, 98.0)),
        (1000.0, 0.0001, (98.0, 2.0)),
        (5.0, None, (100.0, 0.0)),
        (None, 5.0, (0.0, 100.0)),
        (None, None, None),
        (0.0, 0.0, None),
    ],
)
def test_a_course_shows_what_there_was_however_short(waited, ran, shares):
    job = JobDetail(id="x", description="", queue="", status="finished", queued_for_s=waited, duration_s=ran)
    assert timeline(job) == shares


@pytest.mark.parametrize(
    ("told", "interval_s"), [((90, "s"), 90), ((5, "min"), 300), ((1, "h"), 3600), ((2, "d"), 172_800)]
)
def test_an_interval_is_told_in_its_largest_whole_unit(told, interval_s):
    assert in_units(interval_s) == told
    assert seconds(str(told[0]), told[1]) == interval_s


@pytest.mark.parametrize(("count", "unit"), [("", "s"), ("1.5", "h"), ("²", "s"), ("1", ""), ("1234567", "s")])
def test_an_interval_that_is_none_names_the_field(count, unit):
    with pytest.raises(BadParameter, match=r"count:|unit:"):
        seconds(count, unit)


def test_workers_with_other_rules_than_most_stand_out():
    assert at_odds([worker("a", "x"), worker("b", "x"), worker("c", "y"), worker("d")]) == {"y"}
    assert at_odds([worker("a", "x"), worker("b", "y")]) == {"x", "y"}
    assert at_odds([worker("a", "x"), worker("b")]) == frozenset()


@pytest.mark.parametrize(
    ("name", "unit"), [("mod-1-2-4711-3f2a9c", "@2"), ("mod-1-4711-3f2a9c", "@1"), ("mod-4711-3f2a9c", "@N")]
)
def test_the_unit_of_a_worker_is_in_its_name(name, unit):
    assert unit_of(name).endswith(unit)


def test_numbers_of_things_are_told_as_people_say_them():
    assert [many(count) for count in (0, 1, 2, 1234)] == ["no jobs", "1 job", "2 jobs", "1\u202f234 jobs"]


@pytest.mark.parametrize(
    ("exact", "following", "searched", "first", "said"),
    [
        (True, None, False, True, "50 jobs"),
        (True, "more", False, True, "50 jobs on this page, of 16 000"),
        (False, None, False, False, "50 jobs on this page, of about 16 000"),
        (False, None, True, True, "50 jobs found, 2 000 looked through"),
        (False, "more", True, True, "50 jobs found, 2 000 looked through for this page, of 16 000"),
    ],
)
def test_a_list_says_of_how_many_it_shows_some(exact, following, searched, first, said):
    page = JobPage(
        queue=None, status=None, jobs=[], count=50, total=16_000, exact=exact, scanned=2_000, next_cursor=following
    )
    assert caption(page, searched=searched, first=first).replace("\u202f", " ") == said
