from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest
from redis import Redis
from rq.results import Result

from mastowatch.config import Loaded, Settings
from mastowatch.jobs import context as contexts
from mastowatch.jobs.context import View
from mastowatch.jobs.scheduler import get_scheduler
from mastowatch.ports.types import Case, CaseReason, QueuePoint
from mastowatch.reliable.serializer import JsonQueue
from mastowatch.web.dashboard import create_dashboard
from tests.asgi import client_of
from tests.redis_server import free_port
from tests.snapshot import snapshot

pytestmark = pytest.mark.redis

EVIL = "<script>alert(1)</script>"
PAGES = ["/", "/jobs", "/recurring", "/workers", "/cases"]


@pytest.fixture
def view(redis: Redis) -> View:
    return contexts.view(Loaded(Settings(instance_base="https://mastodon.example"), {}), redis)


@pytest.fixture
def client(view: View) -> Iterator[httpx.Client]:
    with client_of(create_dashboard(view), "http://127.0.0.1:9181") as client:
        yield client


def fill(view: View) -> None:
    """Leave something of everything, hostile texts among it."""
    now = time.time()
    get_scheduler(view.redis, view.settings).step(now)
    # Its lead would end after 3 s, in the middle of a test on a slow machine.
    view.redis.persist("rq:scheduler_lock")
    job = JsonQueue("default", connection=view.redis).enqueue("time.sleep", EVIL, job_id="one", description=EVIL)
    view.redis.lrem("rq:queue:default", 0, "one")
    view.redis.hset("rq:job:one", "status", "failed")
    view.redis.zadd("rq:failed:default", {"one": now + 60})
    Result.create_failure(job, 600, exc_string=f"Traceback (most recent call last):\n  File\nValueError: {EVIL}")
    view.redis.sadd("rq:workers", f"rq:worker:{EVIL}")
    view.redis.hset(f"rq:worker:{EVIL}", mapping={"state": "idle", "queues": EVIL})
    view.history.record(
        [QueuePoint(now - 60, "default", 3, 1.0, 0, 5, 0, 1), QueuePoint(now, "default", 1, 1, 0, 9, 0, 1)]
    )
    reasons = (CaseReason("r1", f"Rule {EVIL}", 6.0, False, EVIL), CaseReason("r2", "Shadow rule", 2.0, True, "x"))
    view.cases.put(
        Case("42", f"a{EVIL}@b", "javascript:alert(1)", "report", 6.0, 2.0, "filed", EVIL, now, reasons, "77")
    )


@pytest.mark.parametrize("path", PAGES)
def test_every_page_stands_empty_and_says_what_to_check(client: httpx.Client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    if path != "/recurring":
        assert "systemctl" in answer.text or "RULES_DIR" in answer.text


@pytest.mark.parametrize("path", [*PAGES, "/jobs?status=failed", "/jobs/one", "/cases/42"])
def test_what_strangers_wrote_is_text_and_never_markup(client: httpx.Client, view: View, path):
    fill(view)
    answer = client.get(path)
    assert answer.status_code == 200
    assert "<script>" not in answer.text
    assert "javascript:" not in answer.text
    if path != "/recurring":
        assert "&lt;script&gt;" in answer.text


@pytest.mark.parametrize("path", ["/", "/static/style.css", "/nothing"])
def test_every_answer_forbids_what_is_not_its_own(client: httpx.Client, path):
    headers = client.get(path).headers
    assert headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize("path", [*PAGES, "/jobs/one", "/cases/42"])
def test_no_page_has_an_inline_style_or_script_that_the_csp_would_stop(client: httpx.Client, view: View, path):
    fill(view)
    page = client.get(path).text
    assert " style=" not in page
    assert "<style" not in page
    assert " onclick" not in page


def test_the_overview_says_what_is_wrong_and_what_to_type(client: httpx.Client, view: View):
    page = client.get("/").text
    assert "No worker runs" in page
    assert "systemctl start mastowatch-worker@1" in page
    view.switches.set_panic_stop(on=True, by="root", now=time.time())
    assert "mastowatch panic off" in client.get("/").text


def test_shows_a_paused_job_as_paused(client: httpx.Client, view: View):
    get_scheduler(view.redis, view.settings).pause("record_queue_stats")
    for path in ("/", "/recurring"):
        assert client.get(path).text.count('<span class="badge is-paused">paused</span>') == 1
    assert "mastowatch jobs recurring resume record_queue_stats" in client.get("/").text


def test_shows_the_traceback_and_the_error_of_a_failed_job(client: httpx.Client, view: View):
    fill(view)
    assert "ValueError: &lt;script&gt;" in client.get("/jobs?status=failed").text
    assert "Traceback (most recent call last)" in client.get("/jobs/one").text


def test_a_case_shows_its_sum_rule_by_rule_and_leads_to_mastodon(client: httpx.Client, view: View):
    fill(view)
    page = client.get("/cases/42").text
    assert "+6.0" in page
    assert "Rules in shadow, which do not count" in page
    assert "https://mastodon.example/admin/reports/77" in page
    assert "https://mastodon.example/admin/accounts/42" in page


def test_a_case_below_both_thresholds_is_not_called_watched(client: httpx.Client, view: View):
    fill(view)
    reasons = (CaseReason("r1", "In shadow", 6.0, True, "x"),)
    case = Case("42", "a@b", "", "none", 0.5, 6.0, "watched", "", time.time(), reasons)
    view.cases.put(case)
    for path in ("/cases", "/cases/42"):
        assert '<span class="badge is-noted">noted</span>' in client.get(path).text
    view.cases.put(replace(case, level="watch", score=2.0))
    assert '<span class="badge is-watched">watched</span>' in client.get("/cases/42").text


def test_a_case_that_has_grown_tells_what_came_later_and_what_is_gone(client: httpx.Client, view: View):
    fill(view)
    reasons = (
        CaseReason("r1", "In the report", 6.0, False, "x"),
        CaseReason("r2", "Came later", 2.0, False, "x"),
        CaseReason("r3", "Was there", 9.0, False, "gone evidence", past=True),
    )
    case = Case("42", "a@b", "", "report", 8.0, 0.0, "filed", "why", time.time(), reasons, "78")
    view.cases.put(replace(case, generation=2, reported=("r1", "r3"), later=("r2",), resolved=True))
    page = client.get("/cases/42").text
    counted, _, past = page.partition("Rules that hit before, and no longer")
    assert "Was there" not in counted
    assert "gone evidence" in past
    assert page.count("after the report") == 1
    assert "it was resolved when last looked at" in page
    assert ">8.0</td>" in counted


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/jobs/nope", 404),
        ("/jobs/a:b", 404),
        ("/cases/7", 404),
        ("/cases/..%2f42", 404),
        ("/jobs?status=cancelled", 422),
        ("/jobs?queue=nope", 422),
        ("/cases?cursor=nope", 422),
        ("/static/../app.py", 404),
    ],
)
def test_answers_what_it_has_not_with_a_page_that_says_so(client: httpx.Client, path, status):
    answer = client.get(path)
    assert answer.status_code == status
    assert "Traceback" not in answer.text


def test_only_reads(client: httpx.Client, view: View):
    fill(view)
    before = snapshot(view.redis)
    for path in [*PAGES, "/jobs/one", "/cases/42", "/healthz"]:
        client.get(path)
    assert snapshot(view.redis) == before
    assert client.post("/jobs/one").status_code == 405


def test_a_name_that_is_not_ours_is_refused(client: httpx.Client):
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 421
    assert client.get("/", headers={"Host": "localhost:9181"}).status_code == 200


def test_redis_being_away_is_a_page_that_says_so():
    with Redis(port=free_port(), retry=None) as nowhere:
        client = client_of(create_dashboard(contexts.view(Loaded(Settings(), {}), nowhere)), "http://127.0.0.1:9181")
        for path in PAGES:
            answer = client.get(path)
            assert answer.status_code == 503
            assert "Redis is away" in answer.text
            assert "systemctl status redis-server" in answer.text
        assert client.get("/healthz").status_code == 503
