"""What people do on the pages about jobs, through the real app over a real Redis; browsers stand in tests/browser."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from redis import Redis

from mastowatch.jobs.context import View
from mastowatch.jobs.queue_control import paused_queues
from mastowatch.jobs.records import read_row
from mastowatch.ports.types import Case
from mastowatch.web.dashboard import create_dashboard
from tests.asgi import client_of
from tests.browser.seed import fail_job, seed_jobs
from tests.dashboard_people import access_for_tests, post, sign_in
from tests.snapshot import snapshot

pytestmark = pytest.mark.redis

FAILED = "analyze_and_maybe_report-1150777"
WAITING = "analyze_and_maybe_report-1152000"
DELAYED = "analyze_and_maybe_report-1153001"
RUNNING = "poll_admin_accounts-now"
EVIL = "<script>alert(1)</script>"
ASKING = [
    f"/jobs/{FAILED}/delete",
    "/matching/requeue?status=failed",
    "/workers/stop?name=mod-1-4711-3f2a9c",
    "/queues/empty-failed?queue=default",
    "/recurring/poll_admin_accounts/interval",
]
PAGES = ["/jobs", "/jobs?status=failed&within=1d", f"/jobs/{FAILED}", "/failures", "/recurring", "/workers", "/queues"]
ACTS = [
    (f"/jobs/{FAILED}/requeue", {}),
    (f"/jobs/{WAITING}/cancel", {}),
    (f"/jobs/{FAILED}/delete", {"sure": "yes"}),
    (f"/jobs/{DELAYED}/run", {}),
    ("/ticked/requeue", {"id": [FAILED]}),
    ("/matching/delete", {"status": "failed"}),
    ("/recurring/poll_admin_accounts/run", {}),
    ("/recurring/poll_admin_accounts/pause", {}),
    ("/workers/stop", {"name": "mod-1-4711-3f2a9c"}),
]
SWITCHES = [
    ("/recurring/poll_admin_accounts/interval", {"count": "5", "unit": "min"}),
    ("/recurring/reschedule", {}),
    ("/queues/pause", {"queue": "low"}),
    ("/queues/resume", {"queue": "low"}),
    ("/queues/empty-failed", {"queue": "default"}),
]


@pytest.fixture
def view(redis: Redis) -> View:
    return seed_jobs(redis)


@pytest.fixture
def client(view: View) -> Iterator[httpx.Client]:
    with client_of(create_dashboard(view, access_for_tests(view)), "http://127.0.0.1:9181") as client:
        sign_in(client, view, "switch")
        yield client


def status_of(view: View, job_id: str) -> str | None:
    row = read_row(view.redis, job_id, time.time())
    return row.status if row else None


def follow(client: httpx.Client, answer: httpx.Response) -> str:
    """Return the page that an answer leads on to, as text for people."""
    assert answer.status_code == 303, answer.text
    client.cookies.update(answer.cookies)
    return plain(client.get(answer.headers["location"]).text)


def plain(page: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page))).replace("\u202f", " ")


def send(client: httpx.Client, path: str, **fields: object) -> httpx.Response:
    return post(client, path, f"/jobs/{FAILED}" if client.get(f"/jobs/{FAILED}").status_code == 200 else "/recurring",
                **fields)  # fmt: skip


# --- who may ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "fields"), [*ACTS, *SWITCHES])
def test_a_form_that_somebody_has_made_up_changes_nothing(client: httpx.Client, view: View, path, fields):
    before = snapshot(view.redis)
    sign_in(client, view, "read")
    assert post(client, path, **fields).status_code == 403
    sign_in(client, view, "switch")
    headers = {"Origin": "http://127.0.0.1:9181"}
    assert client.post(path, data={**fields, "csrf": "made up"}, headers=headers).status_code == 403
    assert client.post(path, data={**fields, "x": "1"}, headers=headers).status_code == 403
    assert snapshot(view.redis) == before


@pytest.mark.parametrize(("path", "fields"), SWITCHES)
def test_who_may_act_may_not_switch(client: httpx.Client, view: View, path, fields):
    sign_in(client, view, "act")
    before = snapshot(view.redis)
    answer = send(client, path, **fields)
    assert (answer.status_code, "needs the role “switch”" in plain(answer.text)) == (403, True)
    assert snapshot(view.redis) == before


@pytest.mark.parametrize("path", ["/jobs", f"/jobs/{FAILED}", "/failures", "/recurring", "/workers", "/queues"])
def test_who_may_only_read_is_shown_no_button(client: httpx.Client, view: View, path):
    sign_in(client, view, "read")
    page = client.get(path).text
    forms = [form for form in re.findall(r"<form[^>]*>", page) if "post" in form and "sign-out" not in form]
    assert [form for form in forms if "/ticked/" not in form] == []
    assert 'type="checkbox"' not in page
    assert 'class="button' not in page


@pytest.mark.parametrize("path", ASKING[:-1])
def test_who_may_only_read_is_not_even_asked(client: httpx.Client, view: View, path):
    sign_in(client, view, "read")
    assert client.get(path).status_code == 403


@pytest.mark.parametrize("path", [*PAGES, *ASKING])
def test_looking_and_being_asked_write_nothing(client: httpx.Client, view: View, path):
    before = snapshot(view.redis)
    assert client.get(path).status_code == 200
    assert snapshot(view.redis) == before


# --- the list -----------------------------------------------------------------------------------------------------


def test_the_list_shows_each_error_beside_its_job_and_what_is_asked_for(client: httpx.Client):
    page = client.get("/jobs?status=failed&error=TIMED+OUT&queue=default").text
    told = plain(page)
    assert told.count("MastodonUnreachable: GET /api/v1/accounts/") == 12
    assert "KeyError" not in told
    assert "12 jobs found, 16 looked through" in told
    without = re.findall(r'href="([^"]*)" aria-label="Without', page)
    assert {html.unescape(one) for one in without} == {
        "/jobs?status=failed&error=TIMED+OUT",
        "/jobs?queue=default&error=TIMED+OUT",
        "/jobs?queue=default&status=failed",
    }


def test_a_form_with_empty_fields_leads_to_a_short_address(client: httpx.Client):
    answer = client.get("/jobs?text=&error=&queue=&status=failed&within=&since=&until=&function=")
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs?status=failed")


def test_the_id_of_a_job_leads_to_the_job(client: httpx.Client):
    assert client.get(f"/jobs?text={FAILED}").headers["location"] == f"/jobs/{FAILED}"
    assert client.get(f"/jobs?text={FAILED}&status=failed").status_code == 200
    assert client.get("/jobs?text=115077").status_code == 200
    assert client.get("/jobs?text=a:b").status_code == 200


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("within=2h", "within"),
        ("since=yesterday", "since"),
        ("until=2026-13-01", "until"),
        ("status=cancelled", "status"),
        ("queue=nope", "queue"),
        ("cursor=made-up", "cursor"),
        ("since=2026-03-02T00:00&until=2026-03-01T00:00", "since"),
        (f"text={'x' * 301}", "text"),
    ],
)
def test_what_can_not_be_asked_for_is_named(client: httpx.Client, query, named):
    answer = client.get(f"/jobs?{query}")
    assert answer.status_code == 422
    assert f"{named}:" in plain(answer.text)


def test_the_time_bounds_the_list(client: httpx.Client):
    assert "12 jobs found" in plain(client.get("/jobs?status=failed&within=1h").text)
    assert "16 jobs found" in plain(client.get("/jobs?status=failed&within=1d").text)
    assert "No failed jobs until 2020-01-01 00:00 UTC" in plain(client.get("/jobs?status=failed&until=2020-01-01").text)


def test_pages_go_on_to_the_end_and_lead_back(client: httpx.Client, view: View):
    for number in range(60):
        fail_job(view.redis, f"judge_again-{number}", at=time.time() - number)
    first = client.get("/jobs?status=failed").text
    following = html.unescape(re.search(r'rel="next" href="([^"]*)"', first)[1])
    second = client.get(following).text
    assert "26 jobs on this page" in plain(second)
    assert 'href="/jobs?status=failed">First page' in second


def test_nothing_found_says_what_to_check(client: httpx.Client, view: View):
    assert "RESULT_TTL" in client.get("/jobs?status=failed&function=nope").text
    view.redis.flushdb()
    assert "systemctl status mastowatch-scheduler" in client.get("/jobs").text
    assert "systemctl status 'mastowatch-worker@*'" in html.unescape(client.get("/failures").text)
    assert "systemctl start mastowatch-worker@1" in client.get("/workers").text


# --- one job ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("job_id", "labels"),
    [
        (FAILED, ["Queue again", "Delete …"]),
        (WAITING, ["Run now", "Cancel", "Delete …"]),
        (DELAYED, ["Run now", "Cancel", "Delete …"]),
        (RUNNING, ["Cancel"]),
        ("poll_admin_accounts", ["Run now, pause, interval"]),
    ],
)
def test_a_job_offers_what_fits_its_state(client: httpx.Client, job_id, labels):
    page = client.get(f"/jobs/{job_id}").text
    group = re.search(r'aria-label="Actions">(.*?)</div>', page, re.DOTALL)[1]
    assert re.findall(r"<(?:button|a)[^>]*>([^<]+)<", group) == labels


def test_a_job_tells_where_it_stands(client: httpx.Client):
    told = plain(client.get("/jobs/analyze_and_maybe_report-1152003").text)
    assert "3 jobs are before it" in told
    assert "it is next" in plain(client.get(f"/jobs/{WAITING}").text)
    assert "of 2 min allowed" in plain(client.get(f"/jobs/{RUNNING}").text)


def test_a_job_about_an_account_leads_to_its_case(client: httpx.Client, view: View):
    fail_job(view.redis, "analyze_and_maybe_report-115301")
    view.cases.put(Case("115301", "a@b", "", "report", 6.0, 0.0, "filed", "", time.time(), ()))
    assert 'href="/cases/115301"' in client.get("/jobs/analyze_and_maybe_report-115301").text
    assert 'href="/cases/' not in client.get(f"/jobs/{FAILED}").text


def test_each_thing_that_may_be_done_to_one_job_is_done_and_told(client: httpx.Client, view: View):
    assert "It is queued again." in follow(client, send(client, f"/jobs/{FAILED}/requeue"))
    assert status_of(view, FAILED) == "queued"
    assert "It is canceled." in follow(client, send(client, f"/jobs/{WAITING}/cancel"))
    assert status_of(view, WAITING) == "canceled"
    assert "It is first on its queue." in follow(client, send(client, f"/jobs/{DELAYED}/run"))
    assert view.redis.lindex("rq:queue:default", 0) == DELAYED.encode()


def test_deleting_asks_first_also_without_the_page_that_asks(client: httpx.Client, view: View):
    asked = send(client, f"/jobs/{FAILED}/delete")
    assert asked.status_code == 200
    assert "can't be undone" in plain(asked.text)
    assert status_of(view, FAILED) == "failed"
    assert f"{FAILED} is deleted." in follow(client, send(client, f"/jobs/{FAILED}/delete", sure="yes"))
    assert status_of(view, FAILED) is None


def test_what_is_in_the_wrong_state_is_a_page_that_says_what_to_do(client: httpx.Client):
    answer = send(client, f"/jobs/{WAITING}/requeue")
    assert answer.status_code == 409
    assert "only what has ended can be queued again" in plain(answer.text)
    assert send(client, "/jobs/nope/requeue").status_code == 404
    assert send(client, f"/jobs/{FAILED}/explode").status_code == 404


@pytest.mark.parametrize(
    ("came_from", "back"),
    [
        ("{us}/jobs?status=queued&queue=default", '<a href="/jobs?status=queued&amp;queue=default">Back'),
        ("https://elsewhere.example/jobs", ""),
        ("{us}//elsewhere.example/", ""),
        ("{us}/jobs/" + WAITING + "/requeue", ""),
        ("", ""),
    ],
)
def test_a_page_that_refuses_leads_back_to_ours_alone(client: httpx.Client, came_from, back):
    us = str(client.base_url).rstrip("/")
    client.headers["Referer"] = came_from.replace("{us}", us)
    answer = send(client, f"/jobs/{WAITING}/requeue")
    assert answer.status_code == 409
    assert back in answer.text if back else "Back to where" not in answer.text
    assert "elsewhere" not in answer.text
    assert send(client, "/jobs/a:b/requeue").status_code == 404


# --- several jobs -------------------------------------------------------------------------------------------------


def test_ticked_jobs_are_done_one_by_one_and_what_does_not_fit_is_told(client: httpx.Client, view: View):
    fields = {"id": [FAILED, "annotate_report-880", WAITING], "status": "failed", "cursor": ""}
    answer = send(client, "/ticked/requeue", **fields)
    assert answer.headers["location"] == "/jobs?status=failed"
    told = follow(client, answer)
    assert "2 jobs queued again. 1 job left as it was: job " in told
    assert (status_of(view, FAILED), status_of(view, "annotate_report-880")) == ("queued", "queued")


def test_deleting_the_ticked_asks_first_and_shows_them(client: httpx.Client, view: View):
    asked = send(client, "/ticked/delete", id=[FAILED, "annotate_report-880", "a:b", "gone"], status="failed")
    assert asked.status_code == 200
    assert "Delete 2 jobs? " in plain(asked.text)
    assert status_of(view, FAILED) == "failed"
    fields = re.findall(r'type="hidden" name="(?!csrf)([^"]*)" value="([^"]*)"', asked.text)
    sent = {name: [value for key, value in fields if key == name] for name, _ in fields}
    told = follow(client, send(client, "/ticked/delete", **sent))
    assert "2 jobs deleted. 2 jobs left as they were; the first: " in told
    assert status_of(view, FAILED) is None


def test_nothing_ticked_does_nothing(client: httpx.Client, view: View):
    before = snapshot(view.redis)
    assert "Nothing was ticked, so nothing was deleted." in follow(client, send(client, "/ticked/delete"))
    assert snapshot(view.redis) == before


def test_all_that_match_are_counted_first_and_then_just_they_are_done(client: httpx.Client, view: View):
    asked = client.get("/matching/requeue?status=failed&error=timed+out&within=1h").text
    told = plain(asked)
    assert "Queue again 12 jobs? " in told
    assert re.search(r"All failed jobs with “timed out” in the error, since 20\S+ \S+ UTC, until 20\S+ \S+ UTC\.", told)
    fields = dict(re.findall(r'type="hidden" name="(?!csrf)([^"]*)" value="([^"]*)"', asked))
    # An hour is an hour from when it was counted, not from when it is done.
    assert set(fields) == {"status", "error", "since", "until"}
    assert "12 jobs queued again." in follow(client, send(client, "/matching/requeue", **fields))
    assert status_of(view, FAILED) == "failed"
    assert view.redis.zcard("rq:failed:default") == 4


def test_none_that_match_can_not_be_done(client: httpx.Client):
    page = client.get("/matching/delete?status=failed&text=nothing-such").text
    assert "Delete no jobs?" in plain(page)
    assert "<button" not in page[page.index('class="confirm"') :].partition("</form>")[0]


def test_a_bulk_that_could_do_only_part_offers_to_go_on(client: httpx.Client, view: View, monkeypatch):
    monkeypatch.setattr("mastowatch.jobs.bulk.JOBS_MAX", 5)
    monkeypatch.setattr("mastowatch.jobs.bulk.SCAN_MAX", 5)
    monkeypatch.setattr("mastowatch.jobs.bulk.SCAN_PART", 5)
    asked = plain(client.get("/matching/delete?status=failed").text)
    assert "Delete at least 5 jobs?" in asked
    answer = send(client, "/matching/delete", status="failed")
    assert answer.headers["location"].startswith("/matching/delete?status=failed")
    assert "There are more: go on here." in follow(client, answer)
    for _ in range(10):
        query = parse_qs(urlsplit(answer.headers["location"]).query)
        if answer.headers["location"].startswith("/jobs"):
            break
        answer = send(client, "/matching/delete", **{name: values[0] for name, values in query.items()})
    assert answer.headers["location"] == "/jobs?status=failed"
    assert view.redis.zcard("rq:failed:default") == 0


# --- failures -----------------------------------------------------------------------------------------------------


def test_failures_are_grouped_and_each_group_leads_to_just_its_jobs(client: httpx.Client, view: View):
    # Begins like the other, and is another.
    fail_job(view.redis, "judge_again-1", "Traceback (most recent call last):\nKeyError: 'created_at' and more")
    page = client.get("/failures").text
    assert "4 kinds of error among 17 failed jobs" in plain(page)
    groups = [html.unescape(one) for one in re.findall(r'<td class="num"[^>]*><a href="([^"]*)"', page)]
    counts = [int(re.search(r"(\d+) jobs? found", plain(client.get(one).text))[1]) for one in groups]
    assert sorted(counts) == [1, 1, 3, 12]
    assert "GET /api/vN/accounts/N: timed out after N s" in plain(page)


def test_all_of_a_group_and_nothing_else_is_queued_again(client: httpx.Client, view: View):
    page = client.get("/failures").text
    links = [html.unescape(one) for one in re.findall(r'href="(/matching/requeue[^"]*)"', page)]
    asked = client.get(next(one for one in links if "MastodonRefused" in one)).text
    assert "3 jobs?" in plain(asked)
    fields = {
        name: html.unescape(value)
        for name, value in re.findall(r'type="hidden" name="(?!csrf)([^"]*)" value="([^"]*)"', asked)
    }
    assert "3 jobs queued again." in follow(client, send(client, "/matching/requeue", **fields))
    assert status_of(view, "annotate_report-880") == "queued"
    assert view.redis.zcard("rq:failed:default") == 13


# --- recurring, workers, queues -----------------------------------------------------------------------------------


def test_a_recurring_job_is_run_paused_and_resumed(client: httpx.Client, view: View):
    assert "poll_admin_accounts is paused" in follow(client, send(client, "/recurring/poll_admin_accounts/pause"))
    assert client.get("/recurring").text.count('<span class="badge is-paused">paused</span>') == 1
    assert "is resumed" in follow(client, send(client, "/recurring/poll_admin_accounts/resume"))
    assert "is queued" in follow(client, send(client, "/recurring/poll_admin_accounts/run"))
    assert status_of(view, "poll_admin_accounts") == "queued"
    assert send(client, "/recurring/nope/run").status_code == 404


def test_an_interval_is_changed_by_somebody_and_put_back(client: httpx.Client):
    path = "/recurring/poll_admin_accounts/interval"
    assert "runs every 5 min from now on" in follow(client, send(client, path, count="5", unit="min"))
    assert "by sam on the dashboard" in plain(client.get("/recurring").text)
    assert "The settings say 30 s" in plain(client.get(path).text)
    assert "runs as the settings say" in follow(client, send(client, path, count="5", unit="min", default="yes"))
    assert "by sam" not in plain(client.get("/recurring").text)


@pytest.mark.parametrize(
    ("count", "unit"), [("0", "s"), ("x", "s"), ("5", "weeks"), ("-1", "s"), ("1e3", "s"), ("999999", "d")]
)
def test_an_interval_that_is_none_is_refused(client: httpx.Client, view: View, count, unit):
    before = snapshot(view.redis)
    assert send(client, "/recurring/poll_admin_accounts/interval", count=count, unit=unit).status_code == 422
    assert snapshot(view.redis) == before


def test_all_are_planned_anew(client: httpx.Client):
    assert "7 recurring jobs planned anew." in follow(client, send(client, "/recurring/reschedule"))


def test_a_worker_shows_its_run_against_the_limit_and_other_rules(client: httpx.Client, view: View):
    for name, rules in (("mod-1-4711-3f2a9c", "aaaaaaaaaa"), ("mod-1-4712-b81d07", "bbbbbbbbbb")):
        view.redis.hset(f"rq:worker:{name}", "rules", rules)
    told = plain(client.get("/workers").text)
    assert re.search(r"for \d+ s of 2 min", told)
    assert told.count("differs") == 2
    assert "systemctl reload 'mastowatch-worker@*'" in told


def test_stopping_a_worker_says_that_it_stays_so_and_how_to_start_it(client: httpx.Client):
    told = plain(client.get("/workers/stop?name=mod-1-4711-3f2a9c").text)
    assert "stays stopped" in told
    assert "systemctl start mastowatch-worker@1" in told.replace("@N", "@1")
    answer = send(client, "/workers/stop", name="mod-1-4711-3f2a9c")
    # This one is made up, so it does not listen.
    assert (answer.status_code, "does not listen" in answer.text) == (409, True)
    assert client.get("/workers/stop?name=nobody").status_code == 404
    assert send(client, "/workers/stop", name="nobody").status_code == 404


def test_a_queue_is_paused_by_somebody_and_resumed(client: httpx.Client, view: View):
    assert "The queue low is paused" in follow(client, send(client, "/queues/pause", queue="low"))
    assert paused_queues(view.redis)["low"].by == "sam on the dashboard"
    assert "by sam on the dashboard" in plain(client.get("/queues").text)
    assert "The queue low is resumed." in follow(client, send(client, "/queues/resume", queue="low"))
    assert send(client, "/queues/pause", queue="nope").status_code == 404


def test_emptying_what_failed_tells_the_count_first(client: httpx.Client, view: View):
    assert "Delete 16 failed jobs?" in plain(client.get("/queues/empty-failed?queue=default").text)
    assert "On all queues." in plain(client.get("/queues/empty-failed").text)
    assert client.get("/queues/empty-failed?queue=nope").status_code == 422
    assert "16 failed jobs deleted." in follow(client, send(client, "/queues/empty-failed", queue="default"))
    assert view.redis.zcard("rq:failed:default") == 0
    page = client.get("/queues/empty-failed?queue=default").text
    assert "Delete no failed jobs?" in plain(page)


# --- what strangers wrote -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/jobs", "/jobs?status=failed", "/jobs/evil", "/failures", "/workers", "/queues"])
def test_what_strangers_wrote_is_text(client: httpx.Client, view: View, path):
    fail_job(view.redis, "evil", f"Traceback (most recent call last):\nValueError: {EVIL}\u202egnp.exe")
    view.redis.hset("rq:job:evil", mapping={"description": f"{EVIL}\u202e", "worker_name": EVIL})
    view.redis.sadd("rq:queues", f"rq:queue:{EVIL}")
    view.redis.sadd("rq:workers", f"rq:worker:{EVIL}")
    view.redis.hset(f"rq:worker:{EVIL}", mapping={"state": "idle", "queues": EVIL, "rules": EVIL})
    page = client.get(path).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page


@pytest.mark.parametrize("field", ["queue", "error", "text", "function", "failure", "cursor"])
def test_what_stands_in_the_address_is_text(client: httpx.Client, field):
    answer = client.get("/jobs", params={field: f'"><script>{field}</script>\r\nSet-Cookie: x=1'})
    assert "<script>" + field not in answer.text
    assert "x" not in answer.cookies
