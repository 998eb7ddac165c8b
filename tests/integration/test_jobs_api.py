from __future__ import annotations

import contextlib
import pickle
import subprocess
import sys
import time
import zlib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from redis import Redis
from rq.job import Job, JobStatus
from rq.results import Result

from mastowatch.config import Loaded, Settings
from mastowatch.jobs import context as contexts
from mastowatch.jobs.context import View
from mastowatch.jobs.listing import STATUSES
from mastowatch.jobs.records import TEXT_MAX, inflate
from mastowatch.jobs.scheduler import get_scheduler
from mastowatch.reliable.serializer import JsonJob, JsonQueue
from mastowatch.web.app import create_api
from tests.asgi import client_of
from tests.redis_server import free_port
from tests.snapshot import snapshot

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

    def test_keeps_the_queues_apart_where_they_share_a_list(self, client: httpx.Client, redis: Redis):
        for queue in ("high", "low"):
            put_in(redis, "rate_limited", f"in-{queue}", queue)
        page = client.get("/jobs/jobs", params={"status": "rate_limited", "queue": "low"}).json()
        assert [job["id"] for job in page["jobs"]] == ["in-low"]

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
        assert (page["jobs"], page["total"], page["exact"]) == ([], 0, True)

    def test_survives_a_list_that_shrinks_under_its_cursor(self, client: httpx.Client, redis: Redis):
        for number in range(9):
            put(redis, f"job-{number}")
        cursor = client.get("/jobs/jobs", params={"limit": 5}).json()["next_cursor"]
        redis.ltrim("rq:queue:default", 0, 2)
        page = client.get("/jobs/jobs", params={"cursor": cursor}).json()
        assert (page["jobs"], page["next_cursor"], page["scanned"]) == ([], None, 0)


class TestDetail:
    def test_shows_arguments_result_and_attempts(self, client: httpx.Client, redis: Redis):
        job = put(redis, kwargs={"account_id": "7"})
        Result.create_retried(job, 600, None, "w1", "e1", job.created_at, job.created_at)
        Result.create(job, Result.Type.SUCCESSFUL, 600, return_value={"score": 1.5}, worker_name="w2")
        shown = client.get("/jobs/jobs/one").json()
        assert (shown["function"], shown["args"], shown["kwargs"]) == (TASK, [], {"account_id": "7"})
        assert shown["result"] == {"score": 1.5}
        assert [(one["outcome"], one["worker_name"]) for one in shown["attempts"]] == [
            ("waited", "w1"),
            ("finished", "w2"),
        ]

    def test_shows_the_traceback_and_its_line(self, client: httpx.Client, redis: Redis):
        fail(redis, "one", "Traceback (most recent call last):\n  File\nValueError: no")
        (attempt,) = client.get("/jobs/jobs/one").json()["attempts"]
        assert attempt["error"] == "ValueError: no"
        assert attempt["traceback"].startswith("Traceback")

    def test_tells_an_attempt_that_is_tried_again_from_one_that_waited(self, client: httpx.Client, redis: Redis):
        job = put(redis)
        Result.create(job, Result.Type.RETRIED, 600, exc_string="Work-horse terminated", worker_name="w1")
        (attempt,) = client.get("/jobs/jobs/one").json()["attempts"]
        assert (attempt["outcome"], attempt["error"]) == ("retried", "Work-horse terminated")

    def test_shows_its_place_in_the_queue(self, client: httpx.Client, redis: Redis):
        for job_id in ("a", "b", "c"):
            put(redis, job_id)
        assert client.get("/jobs/jobs/c").json()["place"] == 2

    @pytest.mark.parametrize("job_id", ["nope", "..%2Fqueues", "%2e%2e", "a:b", "a%00b", "x" * 201, "%F0%9F%A6%A3"])
    def test_answers_404_to_unknown_and_odd_ids(self, client: httpx.Client, job_id):
        answer = client.get(f"/jobs/jobs/{job_id}")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"

    def test_shows_a_pickle_as_unreadable_and_never_loads_it(self, client: httpx.Client, redis: Redis, tmp_path: Path):
        trap = tmp_path / "it-ran"

        class Trap:
            def __reduce__(self):
                return (Path.touch, (trap,))

        put(redis)
        redis.hset("rq:job:one", mapping={"data": pickle.dumps(Trap()), "meta": pickle.dumps(Trap())})
        redis.xadd("rq:results:one", {"type": 1, "return_value": b64encode(pickle.dumps(Trap()))})
        shown = client.get("/jobs/jobs/one").json()
        assert (shown["readable"], shown["result_readable"], shown["function"]) == (False, False, None)
        assert client.get("/jobs/jobs").json()["count"] == 1
        assert client.post("/jobs/jobs/one/cancel").status_code == 200
        assert client.post("/jobs/jobs/one/requeue").status_code == 202
        assert not trap.exists()

    @pytest.mark.parametrize("data", [b"", b"{}", b"[1,2,3,4]", b"[NaN]", b"[" * 100_000, b'["\\ud800",null,[],{}]'])
    def test_shows_damaged_data_as_unreadable(self, client: httpx.Client, redis: Redis, data):
        put(redis)
        redis.hset("rq:job:one", "data", data)
        answer = client.get("/jobs/jobs/one")
        assert (answer.status_code, answer.json()["readable"]) == (200, False)

    def test_does_not_inflate_a_bomb(self):
        assert len(inflate(zlib.compress(b"0" * 50_000_000))) == TEXT_MAX


class TestCancel:
    @pytest.mark.parametrize("status", ["queued", "scheduled", "deferred", "ready_to_enqueue", "rate_limited"])
    def test_cancels_what_waits(self, client: httpx.Client, redis: Redis, status):
        put_in(redis, status)
        answer = client.post("/jobs/jobs/one/cancel")
        assert (answer.status_code, answer.json()) == (200, {"id": "one", "status": "canceled"})
        page = client.get("/jobs/jobs").json()
        assert [(job["id"], job["status"]) for job in page["jobs"]] == [("one", "canceled")]
        assert page["total"] == 1, "it is left in no other list"
        assert redis.ttl("rq:job:one") > 0, "the record of a canceled job runs out"

    @pytest.mark.parametrize("status", ["finished", "failed", "stopped", "canceled"])
    def test_refuses_what_has_ended(self, client: httpx.Client, redis: Redis, status):
        put_in(redis, status)
        answer = client.post("/jobs/jobs/one/cancel")
        assert answer.status_code == 409
        assert status in answer.json()["detail"]

    def test_leaves_a_job_alone_that_a_worker_is_just_taking(self, client: httpx.Client, redis: Redis):
        put(redis)
        redis.lmove("rq:queue:default", "rq:taken:w", "LEFT", "LEFT")
        assert client.post("/jobs/jobs/one/cancel").status_code == 409
        assert redis.hget("rq:job:one", "status") == b"queued"

    def test_refuses_a_planned_recurring_job_that_would_come_back(self, client: httpx.Client, redis: Redis, view: View):
        get_scheduler(redis, view.settings).assert_schedules(time.time())
        answer = client.post("/jobs/jobs/record_queue_stats/cancel")
        assert answer.status_code == 409
        assert "recurs" in answer.json()["detail"]
        assert "pause it" in answer.json()["detail"]

    def test_says_so_when_the_worker_of_a_running_job_does_not_listen(self, client: httpx.Client, redis: Redis):
        put_in(redis, "started")
        redis.hset("rq:job:one", "worker_name", "gone")
        assert "does not listen" in client.post("/jobs/jobs/one/cancel").json()["detail"]

    def test_really_stops_a_running_job(self, client: httpx.Client, redis: Redis, redis_server: str):
        JsonQueue("default", connection=redis).enqueue("time.sleep", 60, job_id="one", job_timeout=120)
        with a_worker(redis_server):
            wait_for(lambda: redis.hget("rq:job:one", "status") == b"started")
            answer = client.post("/jobs/jobs/one/cancel")
            assert (answer.status_code, answer.json()["status"]) == (202, "stopping")
            assert answer.headers["location"] == "/jobs/jobs/one"
            wait_for(lambda: client.get("/jobs/jobs/one").json()["status"] == "stopped")
        assert client.get("/jobs/jobs/one").json()["duration_s"] < 30


class TestRequeue:
    @pytest.mark.parametrize("status", ["failed", "stopped", "canceled", "finished"])
    def test_queues_what_has_ended_once_more_with_all_its_retries(self, client: httpx.Client, redis: Redis, status):
        put_in(redis, status)
        redis.hset("rq:job:one", mapping={"retries_left": 0, "retry_intervals": "[10, 60, 300]"})
        redis.expire("rq:job:one", 60)
        answer = client.post("/jobs/jobs/one/requeue")
        assert (answer.status_code, answer.headers["location"]) == (202, "/jobs/jobs/one")
        page = client.get("/jobs/jobs").json()
        (job,) = page["jobs"]
        assert (job["status"], job["retries_left"], job["started_at"], page["total"]) == ("queued", 3, None, 1)
        assert redis.ttl("rq:job:one") == -1

    @pytest.mark.parametrize("status", ["queued", "started", "scheduled", "deferred"])
    def test_refuses_what_has_not_ended(self, client: httpx.Client, redis: Redis, status):
        put_in(redis, status)
        assert client.post("/jobs/jobs/one/requeue").status_code == 409
        assert redis.llen("rq:queue:default") == (status == "queued")

    def test_knows_no_other_job(self, client: httpx.Client):
        assert client.post("/jobs/jobs/nope/requeue").status_code == 404


class TestTrigger:
    def test_queues_a_task_and_says_where_it_is(self, client: httpx.Client, redis: Redis):
        answer = client.post("/jobs/trigger/analyze_and_maybe_report", json={"account_id": "42"})
        assert answer.status_code == 202
        assert answer.headers["location"] == "/jobs/jobs/analyze_and_maybe_report-42"
        assert client.get(answer.headers["location"]).json()["kwargs"] == {"account_id": "42"}

    def test_needs_no_body_where_there_are_no_arguments(self, client: httpx.Client):
        assert client.post("/jobs/trigger/poll_admin_accounts").status_code == 202

    def test_refuses_the_same_work_twice(self, client: httpx.Client):
        answers = [client.post("/jobs/trigger/process_new_status", json={"status_id": "1"}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [202, 409]

    @pytest.mark.parametrize(
        "body", [{}, {"account_id": "x"}, {"account_id": True}, {"account_id": "1", "other": 1}, [1], "1"]
    )
    def test_refuses_wrong_arguments(self, client: httpx.Client, redis: Redis, body):
        answer = client.post("/jobs/trigger/analyze_and_maybe_report", json=body)
        assert answer.status_code == 422
        assert redis.dbsize() == 0

    @pytest.mark.parametrize("name", ["wraps", "__init__", "os.system", "_judge"])
    def test_reaches_nothing_outside_the_list_of_tasks(self, client: httpx.Client, name):
        answer = client.post(f"/jobs/trigger/{name}")
        assert answer.status_code == 404
        assert "poll_admin_accounts_local" in answer.json()["detail"]


class TestSchedule:
    def test_shows_next_and_last_run(self, client: httpx.Client, redis: Redis, view: View):
        now = time.time()
        get_scheduler(redis, view.settings).step(now)
        (row,) = [job for job in client.get("/jobs/scheduled").json()["jobs"] if job["id"] == "record_queue_stats"]
        assert (row["interval_s"], row["last_status"], row["skipped"]) == (60, "queued", 0)
        assert row["last_run_at"] < row["next_run_at"]

    def test_plans_our_own_anew_and_leaves_others_alone(self, client: httpx.Client, redis: Redis):
        redis.zadd("rq:scheduler:scheduled_jobs", {"somebody-elses": 1})
        ids = client.post("/jobs/scheduled/reschedule").json()["ids"]
        assert "poll_admin_accounts" in ids
        assert redis.zscore("rq:scheduler:scheduled_jobs", "somebody-elses") == 1

    def test_pauses_and_resumes_a_recurring_job(self, client: httpx.Client, redis: Redis, view: View):
        now = time.time()
        get_scheduler(redis, view.settings).step(now)
        for _ in range(2):
            answer = client.post("/jobs/recurring/record_queue_stats/pause")
            assert (answer.status_code, answer.json()) == (200, {"id": "record_queue_stats", "paused": True})
        rows = {row["id"]: row for row in client.get("/jobs/scheduled").json()["jobs"]}
        assert {job_id for job_id, row in rows.items() if row["paused"]} == {"record_queue_stats"}
        assert rows["record_queue_stats"]["next_run_at"] is None
        assert client.post("/jobs/scheduled/reschedule").status_code == 200
        redis.delete("rq:scheduler_lock", "rq:queue:high", "rq:job:record_queue_stats")
        get_scheduler(redis, view.settings).step(now + 60)
        assert redis.llen("rq:queue:high") == 0
        answer = client.post("/jobs/recurring/record_queue_stats/resume")
        assert (answer.status_code, answer.json()["paused"]) == (200, False)
        (row,) = [row for row in client.get("/jobs/scheduled").json()["jobs"] if row["id"] == "record_queue_stats"]
        assert (row["paused"], row["next_run_at"] is not None, row["skipped"]) == (False, True, 0)
        redis.delete("rq:scheduler_lock")
        get_scheduler(redis, view.settings).step(now + 120)
        assert b"record_queue_stats" in redis.lrange("rq:queue:high", 0, -1)

    @pytest.mark.parametrize("action", ["pause", "resume"])
    @pytest.mark.parametrize("job_id", ["nope", "analyze_and_maybe_report", "a:b", "%00", "%F0%9F%A6%A3"])
    def test_pauses_nothing_that_does_not_recur(self, client: httpx.Client, redis: Redis, action, job_id):
        answer = client.post(f"/jobs/recurring/{job_id}/{action}")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert "record_queue_stats" in answer.json()["detail"]
        assert redis.dbsize() == 0

    def test_lets_no_stranger_pause(self, stranger: httpx.Client, redis: Redis):
        assert stranger.post("/jobs/recurring/record_queue_stats/pause").status_code == 401
        assert redis.dbsize() == 0


class TestDoors:
    @pytest.mark.parametrize("path", ["/jobs/queues", "/jobs/jobs/one", "/openapi.json", "/docs", "/nothing"])
    def test_are_shut_to_strangers(self, stranger: httpx.Client, path):
        answer = stranger.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"

    def test_health_is_open_and_tells_what_is_missing(self, stranger: httpx.Client):
        answer = stranger.get("/healthz")
        assert (answer.status_code, answer.json()["status"], answer.json()["workers"]) == (200, "degraded", 0)

    def test_the_description_names_every_path(self, client: httpx.Client):
        paths = client.get("/openapi.json").json()["paths"]
        wanted = {"/jobs/jobs", "/jobs/trigger/judge_again", "/jobs/scheduled/reschedule"}
        assert wanted | {f"/jobs/recurring/{{job_id}}/{action}" for action in ("pause", "resume")} <= set(paths)

    def test_every_answer_carries_the_security_headers(self, stranger: httpx.Client):
        for path in ("/healthz", "/jobs/queues"):
            headers = stranger.get(path).headers
            assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
            assert headers["x-content-type-options"] == "nosniff"

    def test_the_unix_socket_asks_for_no_key_and_tcp_does(self, redis_server: str, tmp_path: Path):
        path, port = tmp_path / "api.sock", free_port()
        with a_server(redis_server, path, port):
            with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://localhost") as local:
                wait_for(lambda: path.exists() and _answers(local))
                assert local.get("/jobs/queues").status_code == 200
            with httpx.Client(base_url=f"http://127.0.0.1:{port}") as remote:
                assert remote.get("/jobs/queues").status_code == 401
                assert remote.get("/jobs/queues", headers={"X-API-Key": KEY}).status_code == 200


def test_redis_being_away_is_a_503_and_no_404():
    with Redis(port=free_port(), retry=None) as nowhere:
        view = contexts.view(Loaded(Settings(), {}), nowhere)
        client = client_of(create_api(view, KEY))
        client.headers["X-API-Key"] = KEY
        for method, path in (("GET", "/jobs/jobs/one"), ("GET", "/jobs/queues"), ("POST", "/jobs/jobs/one/cancel")):
            answer = client.request(method, path)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert answer.json()["title"] == "Redis is away"
        answer = client.get("/healthz")
        assert (answer.status_code, answer.json()["status"]) == (503, "down")


def test_no_get_writes_anything(client: httpx.Client, redis: Redis, view: View):
    get_scheduler(redis, view.settings).step(time.time())
    for status in STATUSES:
        put_in(redis, status, f"is-{status}")
    # An entry that RQ's own clean-up would remove, with a failure callback, at the first look.
    redis.zadd("rq:wip:default", {"is-failed:1": 1})
    before = snapshot(redis)
    for path in ("queues", "workers", "jobs", "jobs?status=started", "jobs/is-failed", "jobs/nope", "scheduled"):
        client.get(f"/jobs/{path}")
    client.get("/healthz")
    assert snapshot(redis) == before


def wait_for(true, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.05)


def _answers(client: httpx.Client) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return client.get("/healthz").status_code == 200
    return False


@contextlib.contextmanager
def running(script: str, *arguments: str) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", script, *arguments])
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def a_worker(url: str):
    return running(
        "import sys, time\n"
        "from redis import Redis\n"
        "from mastowatch.reliable.worker import ReliableWorker\n"
        "worker = ReliableWorker(['default'], connection=Redis.from_url(sys.argv[1]))\n"
        "while True:\n    worker.step() or time.sleep(0.05)",
        url,
    )


def a_server(url: str, path: Path, port: int):
    key = path.with_name("key")
    key.write_text(KEY)
    return running(
        "import sys\n"
        "from mastowatch.config import load\n"
        "from mastowatch.processes import api\n"
        "names = ('REDIS_URL', 'API_SOCKET', 'API_BIND', 'API_KEY_FILE')\n"
        "api.run(load(dict(zip(names, sys.argv[1:], strict=True))))",
        url,
        str(path),
        f"127.0.0.1:{port}",
        str(key),
    )


def test_a_body_larger_than_any_of_ours_is_refused(client):
    answer = client.post("/jobs/trigger/analyze_and_maybe_report", content=b'{"account_id": "' + b"1" * 70_000 + b'"}')
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_argument_that_no_answer_can_repeat_is_refused_as_any_other(client):
    headers = {"Content-Type": "application/json"}
    answer = client.post("/jobs/trigger/poll_admin_accounts", content=b'{"\\ud800": "1"}', headers=headers)
    assert answer.status_code == 422


def test_ids_with_leading_zeros_are_refused_as_they_would_be_another_job(client):
    assert client.post("/jobs/trigger/analyze_and_maybe_report", json={"account_id": "001"}).status_code == 422
