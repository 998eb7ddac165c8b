"""Lists and searches of jobs: each job once, newest first where it has ended, and no more of Redis than the page."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from redis import Redis

from mastowatch.jobs.detail import read_job
from mastowatch.jobs.failures import failure_groups
from mastowatch.jobs.listing import STATUSES, JobFilter, JobPage, list_jobs, matching_ids, page_json
from mastowatch.jobs.refusals import BadParameter, Unknown
from tests.left_jobs import FUNCTION, NOW, LeftJob, leave
from tests.redis_server import private_redis

pytestmark = pytest.mark.redis

OTHER = "mastowatch.jobs.tasks.send_alerts"
ENDED = ("failed", "stopped", "canceled", "finished")


def pages(redis: Redis, where: JobFilter, limit: int = 5) -> Iterator[JobPage]:
    cursor: str | None = None
    while True:
        page = list_jobs(redis, NOW, where, limit=limit, cursor=cursor)
        yield page
        cursor = page.next_cursor
        if cursor is None:
            return


def walked(redis: Redis, where: JobFilter, limit: int = 5) -> list[str]:
    return [job.id for page in pages(redis, where, limit) for job in page.jobs]


# --- each job once ---------------------------------------------------------------------------------------

jobs = st.lists(
    st.builds(
        LeftJob,
        job_id=st.just(""),
        status=st.sampled_from(STATUSES),
        queue=st.sampled_from(["high", "default", "low", "another"]),
        # Few moments, so that many scores are the same.
        at=st.sampled_from([NOW, NOW + 1, NOW + 60]),
        function=st.sampled_from([FUNCTION, OTHER]),
        error=st.sampled_from(["", "ValueError: no", "KeyError: 'Yes'"]),
        description=st.sampled_from(["one", "TWO", ""]),
    ),
    max_size=40,
).map(lambda found: [replace(job, job_id=f"job-{number}") for number, job in enumerate(found)])
filters = st.builds(
    JobFilter,
    queue=st.sampled_from([None, None, "high", "another"]),
    status=st.sampled_from([None, *STATUSES]),
    function=st.sampled_from([None, None, FUNCTION, "send_alerts", "alerts"]),
    error=st.sampled_from([None, None, None, "valueerror", "yes", "nothing"]),
    text=st.sampled_from([None, None, None, "two", "JOB-1"]),
    since=st.sampled_from([None, None, NOW, NOW + 1]),
    until=st.sampled_from([None, None, NOW + 1, NOW + 60]),
)


def is_meant(job: LeftJob, where: JobFilter) -> bool:
    has_error = job.status in ("failed", "stopped")
    return (
        where.queue in (None, job.queue)
        and where.status in (None, job.status)
        and (where.function is None or where.function in (job.function, job.function.split(".")[-1]))
        and (where.error is None or (has_error and where.error in job.error.lower()))
        and (where.text is None or where.text.lower() in (job.job_id + "\0" + job.description).lower())
        and (where.since is None or where.since <= job.at)
        and (where.until is None or job.at <= where.until)
    )


@pytest.fixture(scope="module")
def redis_of_the_module() -> Iterator[Redis]:
    with private_redis() as url, Redis.from_url(url) as client:
        yield client


@given(jobs, filters, st.integers(1, 7))
@example([LeftJob(f"job-{number}", "failed", "high") for number in range(8)], JobFilter(status="failed"), 3)
def test_a_walk_visits_each_job_that_is_meant_once(redis_of_the_module, left, where, limit):
    redis = redis_of_the_module
    redis.flushdb()
    leave(redis, *left)
    # "another" is no queue before a job was on it.
    redis.sadd("rq:queues", "rq:queue:another")
    meant = sorted(job.job_id for job in left if is_meant(job, where))
    found = list(pages(redis, where, limit))
    assert sorted(job.id for page in found for job in page.jobs) == meant
    assert all(page.count == len(page.jobs) <= limit for page in found)
    assert all(page.total >= len(meant) for page in found), "an upper bound"
    assert all(page.total == len(meant) for page in found if page.exact)
    assert sum(page.scanned for page in found) <= found[0].total or found[0].exact
    ids, cursor, _ = matching_ids(redis, NOW, where, scan_max=1000)
    assert (sorted(ids), cursor) == (meant, None)


@given(jobs, filters, st.integers(1, 7))
def test_a_walk_in_portions_finds_the_same_ids(redis_of_the_module, left, where, scan_max):
    redis = redis_of_the_module
    redis.flushdb()
    leave(redis, *left)
    redis.sadd("rq:queues", "rq:queue:another")
    found: list[str] = []
    cursor: str | None = None
    while True:
        ids, cursor, scanned = matching_ids(redis, NOW, where, cursor=cursor, scan_max=scan_max)
        assert scanned <= scan_max
        found += ids
        if cursor is None:
            break
    assert sorted(found) == sorted(job.job_id for job in left if is_meant(job, where))


# --- order -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ENDED)
def test_what_has_ended_comes_newest_first_whatever_its_queue(redis: Redis, status):
    left = [LeftJob(f"job-{at}", status, random.choice(["high", "default", "low"]), NOW + at) for at in range(30)]
    leave(redis, *random.sample(left, 30))
    assert walked(redis, JobFilter(status=status), limit=7) == [f"job-{at}" for at in reversed(range(30))]


@pytest.mark.parametrize("status", ["scheduled", "deferred", "ready_to_enqueue", "rate_limited", "created"])
def test_what_waits_for_its_time_comes_soonest_first_whatever_its_queue(redis: Redis, status):
    left = [LeftJob(f"job-{at}", status, random.choice(["high", "default", "low"]), NOW + at) for at in range(30)]
    leave(redis, *random.sample(left, 30))
    assert walked(redis, JobFilter(status=status), limit=7) == [f"job-{at}" for at in range(30)]


def test_what_fails_or_is_queued_again_meanwhile_shifts_no_page(redis: Redis):
    leave(redis, *(LeftJob(f"job-{at}", "failed", "default", NOW + at) for at in range(10)))
    first = list_jobs(redis, NOW, JobFilter(status="failed"), limit=4)
    leave(redis, LeftJob("new", "failed", "default", NOW + 100))
    redis.zrem("rq:failed:default", "job-9", "job-8", "job-6")
    second = list_jobs(redis, NOW, JobFilter(status="failed"), limit=4, cursor=first.next_cursor)
    assert [job.id for job in second.jobs] == ["job-5", "job-4", "job-3", "job-2"]


def test_a_recurring_job_that_is_delayed_is_listed_once(redis: Redis):
    leave(redis, LeftJob("recurs", "scheduled"))
    redis.zadd("rq:scheduler:scheduled_jobs", {"recurs": NOW + 60})
    assert walked(redis, JobFilter(status="scheduled"), limit=1) == ["recurs"]


def test_a_row_tells_when_a_job_is_due_or_was_canceled(redis: Redis):
    leave(redis, LeftJob("due", "scheduled", at=NOW + 5), LeftJob("gone", "canceled", at=NOW - 5))
    redis.hset("rq:job:gone", "ended_at", "1999-01-01T00:00:00Z")
    (due,) = list_jobs(redis, NOW, JobFilter(status="scheduled")).jobs
    (gone,) = list_jobs(redis, NOW, JobFilter(status="canceled")).jobs
    assert (due.due_at.timestamp(), gone.ended_at.timestamp()) == (NOW + 5, NOW - 5)


# --- cursors and parameters ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        JobFilter(),
        JobFilter("default", "queued"),
        JobFilter(status="queued", text="job"),
        JobFilter(status="queued", since=0.0),
    ],
)
def test_a_cursor_belongs_to_its_filter(redis: Redis, other):
    leave(redis, *(LeftJob(f"job-{number}") for number in range(5)))
    cursor = list_jobs(redis, NOW, JobFilter(status="queued"), limit=2).next_cursor
    with pytest.raises(BadParameter, match="cursor: belongs to a list with other filters"):
        list_jobs(redis, NOW, other, cursor=cursor)
    assert list_jobs(redis, NOW, JobFilter(status="queued"), limit=3, cursor=cursor).count == 3


@given(st.text(max_size=60))
@example("")
@example("\ud800")
@example("YWJjZGVmMDE6YWJjZGVmMDE6MTpuYW46MA")
def test_any_other_text_is_no_cursor(redis_of_the_module, written):
    with pytest.raises(BadParameter, match="cursor: "):
        list_jobs(redis_of_the_module, NOW, cursor=written)


@pytest.mark.parametrize(
    ("where", "says"),
    [
        (JobFilter(queue="hihg"), "queue: 'hihg' is not a queue; allowed: high, default, low"),
        (JobFilter(status="cancelled"), "status: 'cancelled' is not a status; allowed: started"),
        (JobFilter(since=2.0, until=1.0), "since: is after until"),
        (JobFilter(since=float("nan")), "since: is not a number"),
    ],
)
def test_a_bad_filter_is_refused_with_what_is_allowed(redis: Redis, where, says):
    with pytest.raises(BadParameter, match=says):
        list_jobs(redis, NOW, where)


def test_empty_texts_ask_for_nothing(redis: Redis):
    leave(redis, LeftJob("one"))
    page = list_jobs(redis, NOW, JobFilter("", "", "", "", ""))
    assert (page.count, page.queue, page.status, page.error, page.text) == (1, None, None, None, None)


# --- what is read of Redis -------------------------------------------------------------------------------


def read_of_redis(redis: Redis, do) -> tuple[int, int]:
    """Return how many commands and bytes Redis has sent for what ``do`` does."""
    before, calls = redis.info("stats"), calls_of(redis)
    do()
    after = redis.info("stats")
    return calls_of(redis) - calls, after["total_net_output_bytes"] - before["total_net_output_bytes"]


def calls_of(redis: Redis) -> int:
    return sum(one["calls"] for name, one in redis.info("commandstats").items() if name != "cmdstat_info")


@pytest.mark.parametrize("where", [JobFilter(), JobFilter(status="queued"), JobFilter(status="failed")])
def test_a_page_costs_the_same_at_the_start_the_middle_and_the_end_and_of_many_jobs(redis: Redis, where):
    status = where.status or "queued"
    costs = []
    for number in (300, 3_000):
        redis.flushdb()
        leave(redis, *(LeftJob(f"job-{one:06}", status, "low", NOW + one, error="E: no") for one in range(number)))
        cursors: list[str | None] = [None, *(page.next_cursor for page in pages(redis, where, 50))]
        some = (cursors[0], cursors[len(cursors) // 2], cursors[-2])
        costs += [read_of_redis(redis, lambda at=at: list_jobs(redis, NOW, where, cursor=at)) for at in some]
    commands, bytes_ = zip(*costs, strict=True)
    # A record each, an error for those that have one, and the names and sizes of the lists.
    assert max(commands) <= (50 + 50 + 40 if status == "failed" else 50 + 75)
    assert max(commands) - min(commands) <= 16
    assert max(bytes_) - min(bytes_) < 5_000
    assert max(bytes_) < 50 * 800


@pytest.mark.parametrize("status", ["failed", "finished", "canceled", "scheduled"])
def test_a_bounded_time_costs_nothing_where_a_score_tells_it(redis: Redis, status):
    leave(redis, *(LeftJob(f"job-{at:04}", status, "default", NOW + 10 * at) for at in range(1000)))
    page = list_jobs(redis, NOW, JobFilter(status=status, since=NOW + 5000, until=NOW + 5090))
    assert sorted(job.id for job in page.jobs) == [f"job-{at:04}" for at in range(500, 510)]
    assert page.scanned <= 12
    assert page.next_cursor is None


def test_a_record_kept_for_ever_is_found_by_its_time(redis: Redis):
    leave(redis, *(LeftJob(f"job-{at}", "failed", "default", NOW + 10 * at) for at in range(100)))
    redis.zadd("rq:failed:default", {"job-50": -1})
    page = list_jobs(redis, NOW, JobFilter(status="failed", since=NOW + 495, until=NOW + 505))
    assert [job.id for job in page.jobs] == ["job-50"]


def test_what_a_job_calls_is_read_only_where_it_is_asked_for(redis: Redis):
    leave(redis, LeftJob("one"))
    redis.hset("rq:job:one", "data", b'["a.b", null, ["' + b"x" * 1_000_000 + b'"], {}]')
    _, plain = read_of_redis(redis, lambda: list_jobs(redis, NOW))
    assert plain < 20_000
    (row,) = list_jobs(redis, NOW, JobFilter(function="b")).jobs
    assert row.function == "a.b"


# --- damage ----------------------------------------------------------------------------------------------

DAMAGE = [
    ("SET", "rq:job:bad", "text"),
    ("HSET", "rq:job:bad", "status", b"\xff\xfe"),
    ("HSET", "rq:job:bad", "origin", b"\xff"),
    ("HSET", "rq:job:bad", "description", b"\xed\xa0\x80<b>"),
    ("HSET", "rq:job:bad", "created_at", "0001-01-01T00:00:00+14:00"),
    ("HSET", "rq:job:bad", "ended_at", "9999-12-31T23:59:59-14:00"),
    ("HSET", "rq:job:bad", "retries_left", "9" * 5000),
    ("HSET", "rq:job:bad", "data", b"\x80\x04cos\nsystem\n."),
    ("HSET", "rq:job:bad", "data", b'["\\ud800", null, [], {}]'),
    ("SET", "rq:results:bad", "text"),
    ("XADD", "rq:results:bad", "*", "exc_string", "no base64", "type", "x"),
    ("XADD", "rq:results:bad", "18446744073709551615-1", "type", "2"),
    ("ZADD", "rq:failed:default", "+inf", "bad"),
    ("ZADD", "rq:failed:default", "-1", "bad"),
    ("ZADD", "rq:failed:default", "7", b"\xff\xfe"),
    ("SET", "rq:failed:high", "text"),
    ("ZADD", "rq:queue:low", "1", "x"),
    ("SADD", "rq:queues", b"rq:queue:\xff"),
    ("SADD", "rq:rl-keys", b"\xff"),
    ("SET", "rq:scheduler:scheduled_jobs", "text"),
]


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: f"{damage[0]} {damage[1]} {damage[2:]!s:.40}")
def test_damage_breaks_no_page(redis: Redis, damage):
    leave(redis, *(LeftJob(name, "failed", error="E: no") for name in ("before", "bad", "zz")))
    redis.execute_command(*damage)
    for where in (JobFilter(), JobFilter(status="failed", since=0.0), JobFilter(function="x"), JobFilter(error="no")):
        for page in pages(redis, where, 2):
            assert page_json(page)
    assert {"before", "zz"} <= set(walked(redis, JobFilter()))
    assert failure_groups(redis, NOW).scanned >= 2
    with contextlib.suppress(Unknown):
        assert read_job(redis, "bad", NOW).model_dump_json()
