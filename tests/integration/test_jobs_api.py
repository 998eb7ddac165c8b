from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest
from redis import Redis
from rq.job import Job, JobStatus
from rq.results import Result

from mastowatch.config import Loaded, Settings
from mastowatch.jobs import context as contexts
from mastowatch.jobs.context import View
from mastowatch.jobs.listing import STATUSES
from mastowatch.reliable.serializer import JsonJob, JsonQueue
from mastowatch.web.app import create_api
from tests.asgi import client_of

pytestmark = pytest.mark.redis

KEY = "a key of the tests"
TASK = "mastowatch.jobs.tasks.record_queue_stats"


@pytest.fixture
def view(redis: Redis) -> View:
    return contexts.view(Loaded(Settings(), {}), redis)


@pytest.fixture
def stranger(view: View) -> Iterator[httpx.Client]:
    with client_of(create_api(view, KEY)) as client:
        yield client


@pytest.fixture
def client(stranger: httpx.Client) -> httpx.Client:
    stranger.headers["Authorization"] = f"Bearer {KEY}"
    return stranger


def put(redis: Redis, job_id: str = "one", queue: str = "default", **options: object) -> Job:
    return JsonQueue(queue, connection=redis).enqueue(TASK, job_id=job_id, **options)


def put_in(redis: Redis, status: str, job_id: str = "one", queue: str = "default") -> None:
    """Leave a job in Redis as RQ leaves one of that status."""
    job = put(redis, job_id, queue)
    if status == "queued":
        return
    redis.lrem(f"rq:queue:{queue}", 0, job_id)
    job.set_status(JobStatus(status))
    now = int(time.time())
    where = {
        "started": (f"rq:wip:{queue}", f"{job_id}:0123", now + 60),
        "stopped": (f"rq:failed:{queue}", job_id, now + 60),
        "ready_to_enqueue": (f"rq:ready:{queue}", job_id, now),
        "rate_limited": ("rq:rl:all:rate_limited", job_id, now),
        "created": ("rq:scheduler:scheduled_jobs", job_id, now + 60),
    }
    key, member, score = where.get(status, (f"rq:{status}:{queue}", job_id, now + 60))
    redis.zadd(key, {member: score})
    if status == "rate_limited":
        redis.sadd("rq:rl-keys", "all")
        redis.hset(f"rq:job:{job_id}", "rate_limit_key", "all")


def fail(redis: Redis, job_id: str, traceback: str, worker: str = "w") -> None:
    put_in(redis, "failed", job_id)
    job = JsonJob.fetch(job_id, connection=redis)
    Result.create_failure(job, 600, exc_string=traceback, worker_name=worker)


class TestListing:
    def test_lists_each_of_rqs_eleven_statuses(self, client: httpx.Client, redis: Redis):
        for status in STATUSES:
            put_in(redis, status, f"is-{status}")
        for status in STATUSES:
            page = client.get("/jobs/jobs", params={"status": status}).json()
            assert [job["id"] for job in page["jobs"]] == [f"is-{status}"], status
            assert page["jobs"][0]["status"] == status
            assert (page["status"], page["count"], page["next_cursor"]) == (status, 1, None)

    def test_without_a_status_lists_every_job_once(self, client: httpx.Client, redis: Redis):
        for status in STATUSES:
            put_in(redis, status, f"is-{status}")
        jobs = client.get("/jobs/jobs").json()["jobs"]
        assert sorted(job["status"] for job in jobs) == sorted(STATUSES)

    def test_without_a_queue_lists_all_queues_most_urgent_first(self, client: httpx.Client, redis: Redis):
        for queue in ("low", "other", "default", "high"):
            put(redis, f"in-{queue}", queue)
        page = client.get("/jobs/jobs", params={"status": "queued"}).json()
        assert [job["queue"] for job in page["jobs"]] == ["high", "default", "low", "other"]
        assert page["queue"] is None
        one = client.get("/jobs/jobs", params={"status": "queued", "queue": "low"}).json()
        assert [job["id"] for job in one["jobs"]] == ["in-low"]

    @pytest.mark.parametrize(
        ("params", "names"),
        [
            ({"queue": "hihg"}, ["high", "default", "low"]),
            ({"status": "cancelled"}, ["canceled", "started"]),
            ({"limit": "0"}, ["limit"]),
            ({"limit": "201"}, ["limit"]),
            ({"limit": "x"}, ["limit"]),
            ({"cursor": "bm9wZQ"}, ["cursor"]),
            ({"cursor": "\u00e9!"}, ["cursor"]),
            ({"cursor": "YXQ6LTE"}, ["cursor"]),
        ],
    )
    def test_refuses_a_bad_parameter_and_names_what_is_allowed(self, client: httpx.Client, params, names):
        answer = client.get("/jobs/jobs", params=params)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert all(name in answer.json()["detail"] for name in names)

    def test_pages_through_every_job_once_and_in_order(self, client: httpx.Client, redis: Redis):
        ids = [f"job-{number}" for number in range(23)]
        for number, job_id in enumerate(ids):
            put(redis, job_id, "high" if number < 7 else "low")
        seen, url, totals = [], "/jobs/jobs?status=queued&limit=5", set()
        while url:
            answer = client.get(url)
            seen += [job["id"] for job in answer.json()["jobs"]]
            totals.add(answer.json()["total"])
            assert (answer.json()["next_cursor"] is not None) == ("link" in answer.headers)
            url = answer.links["next"]["url"] if "link" in answer.headers else ""
        assert seen == ids
        assert totals == {23}

    def test_finds_the_few_stopped_jobs_among_many_failed_ones(self, client: httpx.Client, redis: Redis):
        for number in range(30):
            put_in(redis, "stopped" if number % 10 == 0 else "failed", f"job-{number}")
        page = client.get("/jobs/jobs", params={"status": "stopped", "limit": 3}).json()
        assert [job["status"] for job in page["jobs"]] == ["stopped"] * 3

    def test_ends_a_long_search_with_a_cursor_that_goes_on(self, client: httpx.Client, redis: Redis, monkeypatch):
        monkeypatch.setattr("mastowatch.jobs.listing.SCAN_MAX", 10)
        put_in(redis, "stopped", "the-one")
        redis.zadd("rq:failed:default", {f"job-{number}": 9e9 + number for number in range(25)})
        first = client.get("/jobs/jobs", params={"status": "stopped", "limit": 5}).json()
        assert (first["jobs"], first["scanned"], first["total"]) == ([], 10, 26)
        cursor, found = first["next_cursor"], []
        while cursor and not found:
            page = client.get("/jobs/jobs", params={"status": "stopped", "limit": 5, "cursor": cursor}).json()
            cursor, found = page["next_cursor"], page["jobs"]
        assert [job["id"] for job in found] == ["the-one"]

    def test_shows_the_line_of_a_traceback_that_names_the_error(self, client: httpx.Client, redis: Redis):
        fail(redis, "one", 'Traceback (most recent call last):\n  File "x.py", line 1\nValueError: no <b>\nmore\n')
        (job,) = client.get("/jobs/jobs", params={"status": "failed"}).json()["jobs"]
        assert job["error"] == "ValueError: no <b>"

    def test_leaves_out_an_entry_whose_record_has_run_out(self, client: httpx.Client, redis: Redis):
        redis.zadd("rq:finished:default", {"gone": 1})
        page = client.get("/jobs/jobs", params={"status": "finished"}).json()
        assert (page["jobs"], page["total"]) == ([], 1)

    def test_survives_a_list_that_shrinks_under_its_cursor(self, client: httpx.Client):
        page = client.get("/jobs/jobs", params={"cursor": "YXQ6NTAw"}).json()
        assert (page["jobs"], page["next_cursor"], page["scanned"]) == ([], None, 0)
