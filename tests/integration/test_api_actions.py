"""What people do by the API is done, refused with the right status, and stands in the audit."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest
from redis import Redis

from mastowatch.jobs.context import View
from mastowatch.ports.types import EVERY_RULE
from mastowatch.web.app import create_api
from tests.api_server import KEY
from tests.api_world import DELAYED, ERROR, FAILED, FINISHED, RULE, WAITING, WORKER, analysis, seed, view_of
from tests.asgi import client_of
from tests.snapshot import snapshot

pytestmark = pytest.mark.redis


@pytest.fixture
def view(redis: Redis) -> View:
    found = view_of(redis)
    seed(found)
    return found


@pytest.fixture
def client(view: View) -> Iterator[httpx.Client]:
    with client_of(create_api(view, KEY)) as client:
        client.headers["X-API-Key"] = KEY
        yield client


def ids(client: httpx.Client, query: str) -> list[str]:
    answer = client.get(f"/jobs/jobs?{query}")
    assert answer.status_code == 200, answer.text
    return sorted(job["id"] for job in answer.json()["jobs"])


def status(client: httpx.Client, job_id: str) -> str:
    return client.get(f"/jobs/jobs/{job_id}").json()["status"]


def latest(client: httpx.Client) -> tuple[str, str, str]:
    (entry,) = client.get("/audit?event=action&limit=1").json()["entries"]
    return entry["by"], entry["outcome"], entry["why"]


# --- filters ---------------------------------------------------------------------------------------------


def test_filters_by_function_error_text_and_time(client: httpx.Client):
    failed = [analysis(one) for one in FAILED]
    assert ids(client, "error=CONNECTION%20refused") == failed
    assert ids(client, "error=no-such-text") == []
    assert ids(client, "function=analyze_and_maybe_report&status=failed") == failed
    assert ids(client, "function=mastowatch.jobs.tasks.analyze_and_maybe_report&status=failed") == failed
    assert ids(client, "function=analyze&status=failed") == []
    assert ids(client, "text=109301") == [analysis("109301")]
    past, to_come = time.time() - 3600, time.time() + 60
    assert ids(client, f"status=failed&since={past}&until={to_come}") == failed
    assert ids(client, f"status=failed&until={past}") == []
    assert ids(client, f"status=scheduled&text=109310&since={to_come}") == [analysis(DELAYED[0])]


@pytest.mark.parametrize(
    "moment",
    [
        "2026-03-01T12:00:00Z",
        "2026-03-01t12:00:00z",
        "2026-03-01T13:00:00%2B01:00",
        "2026-03-01T13:00:00+01:00",
        "2026-03-01T12:00:00.000",
        "2026-03-01 12:00:00",
        "1772366400",
        "1772366400.0",
        "1.7723664e9",
    ],
)
def test_takes_a_time_as_people_and_programs_write_it(client: httpx.Client, moment: str):
    assert client.get(f"/jobs/jobs?since={moment}").json()["since"] == 1_772_366_400


@pytest.mark.parametrize("moment", ["", "yesterday", "NaN", "Infinity", "1e99", "-1", "1_000", "12:00", "2026-13-01"])
def test_refuses_what_is_no_time(client: httpx.Client, moment: str):
    answer = client.get(f"/jobs/jobs?until={moment}")
    assert answer.status_code == 422
    assert "until" in answer.json()["detail"]


def test_follows_the_link_with_all_its_filters(client: httpx.Client):
    first = client.get("/jobs/jobs?status=failed&error=refused&limit=1")
    second = client.get(first.links["next"]["url"])
    found = [one["id"] for one in (*first.json()["jobs"], *second.json()["jobs"])]
    assert sorted(found) == [analysis(one) for one in FAILED]


def test_groups_failures_by_error(client: httpx.Client):
    (group,) = client.get("/jobs/failures?queue=default").json()["groups"]
    assert f"{group['error']}: {group['message']}" == ERROR
    assert (group["count"], group["functions"]) == (2, ["mastowatch.jobs.tasks.analyze_and_maybe_report"])
    assert client.get("/jobs/failures?queue=high").json()["groups"] == []
    assert client.get("/jobs/failures?queue=hihg").status_code == 422


# --- one job, and many -----------------------------------------------------------------------------------


def test_runs_a_delayed_job_now(client: httpx.Client, redis: Redis):
    job_id = analysis(DELAYED[0])
    answer = client.post(f"/jobs/jobs/{job_id}/run")
    assert (answer.status_code, answer.headers["location"]) == (202, f"/jobs/jobs/{job_id}")
    assert client.get(answer.headers["location"]).json()["place"] == 0
    assert latest(client) == ("the API", "run now", f"job {job_id}")
    assert client.post(f"/jobs/jobs/{analysis(FAILED[0])}/run").status_code == 409
    assert client.post("/jobs/jobs/nope/run").status_code == 404


def test_deletes_a_job_and_what_it_left(client: httpx.Client, redis: Redis):
    job_id = analysis(FAILED[0])
    answer = client.delete(f"/jobs/jobs/{job_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.get(f"/jobs/jobs/{job_id}").status_code == 404
    assert client.delete(f"/jobs/jobs/{job_id}").status_code == 404
    assert not [key for key in redis.scan_iter() if job_id.encode() in key]
    assert latest(client) == ("the API", "deleted", f"job {job_id}")
    redis.lrem("rq:queue:default", 0, analysis(WAITING[0]))
    redis.zadd(f"rq:executions:{analysis(WAITING[0])}", {"0123": time.time() + 60})
    redis.hset(f"rq:job:{analysis(WAITING[0])}", "status", "started")
    assert client.delete(f"/jobs/jobs/{analysis(WAITING[0])}").status_code == 409


@pytest.mark.parametrize(
    ("action", "query", "after"),
    [
        ("requeue", "status=failed", "queued"),
        ("cancel", "text=1093&status=queued", "canceled"),
        ("delete", "error=refused", None),
    ],
)
def test_counts_first_and_then_does_it_to_all_that_match(client: httpx.Client, redis: Redis, action, query, after):
    meant = ids(client, query)
    assert len(meant) == 2
    before = snapshot(redis)
    told = client.post(f"/jobs/bulk/{action}?{query}&dry_run=true").json()
    assert (told["action"], told["matched"], told["done"], told["left"]) == (action, 2, 0, False)
    assert snapshot(redis) == before
    done = client.post(f"/jobs/bulk/{action}?{query}").json()
    assert (done["matched"], done["done"], done["skipped"]) == (2, 2, 0)
    found = [client.get(f"/jobs/jobs/{one}") for one in meant]
    assert [one.json()["status"] if one.status_code == 200 else None for one in found] == [after] * 2


def test_does_nothing_to_all_jobs_unless_all_are_named(client: httpx.Client, redis: Redis):
    before = snapshot(redis)
    for path in ("/jobs/bulk/delete", "/jobs/bulk/delete?all=false", "/jobs/bulk/delete?dry_run=true"):
        answer = client.post(path)
        assert (answer.status_code, "all=true" in answer.json()["detail"]) == (422, True)
    assert client.post("/jobs/bulk/explode?all=true").status_code == 422
    assert client.post("/jobs/bulk/requeue?queue=hihg").status_code == 422
    assert snapshot(redis) == before
    assert client.post("/jobs/bulk/cancel?all=true&dry_run=true").json()["matched"] > 5


# --- queues, workers, recurring jobs ---------------------------------------------------------------------


def test_pauses_and_resumes_a_queue(client: httpx.Client):
    for _ in range(2):
        assert client.post("/jobs/queues/default/pause").json() == {"queue": "default", "paused": True}
    rows = {row["name"]: row["paused"] for row in client.get("/jobs/queues").json()["queues"]}
    assert rows["default"]["by"] == "the API"
    assert rows["high"] is None
    assert [one["queue"] for one in client.get("/switches").json()["paused_queues"]] == ["default"]
    for _ in range(2):
        assert client.post("/jobs/queues/default/resume").json() == {"queue": "default", "paused": False}
    assert client.get("/switches").json()["paused_queues"] == []
    assert latest(client) == ("the API", "resumed", "queue default")
    for action in ("pause", "resume", "empty-failed"):
        answer = client.post(f"/jobs/queues/hihg/{action}")
        assert (answer.status_code, "default" in answer.json()["detail"]) == (404, True)


def test_empties_what_failed_and_counts_it_first(client: httpx.Client):
    assert client.post("/jobs/queues/default/empty-failed?dry_run=true").json()["matched"] == 2
    assert len(ids(client, "status=failed")) == 2
    assert client.post("/jobs/queues/default/empty-failed").json()["done"] == 2
    assert ids(client, "status=failed") == []


def test_shows_and_stops_a_worker(client: httpx.Client, redis: Redis):
    assert client.get(f"/jobs/workers/{WORKER}").json()["hostname"] == "mod-1"
    assert client.get("/jobs/workers/w9").status_code == 404
    assert client.post("/jobs/workers/w9/stop").status_code == 404
    assert client.post(f"/jobs/workers/{WORKER}/stop").status_code == 409, "it does not listen"
    with redis.pubsub() as commands:
        commands.subscribe(f"rq:pubsub:{WORKER}")
        assert commands.get_message(timeout=10)["type"] == "subscribe"
        answer = client.post(f"/jobs/workers/{WORKER}/stop")
        assert (answer.status_code, answer.json()) == (202, {"name": WORKER, "status": "stopping"})
        assert b"shutdown" in commands.get_message(timeout=10)["data"]
    assert latest(client) == ("the API", "told to stop", f"worker {WORKER}")


def test_runs_a_recurring_job_now_but_not_twice(client: httpx.Client):
    answer = client.post("/jobs/recurring/send_alerts/run")
    assert (answer.status_code, answer.headers["location"]) == (202, "/jobs/jobs/send_alerts")
    assert status(client, "send_alerts") == "queued"
    assert client.post("/jobs/recurring/send_alerts/run").status_code == 409
    assert client.post("/jobs/recurring/nope/run").status_code == 404


def test_changes_an_interval_and_puts_it_back(client: httpx.Client):
    path = "/jobs/recurring/send_alerts/interval"
    usual = client.get("/jobs/scheduled").json()["jobs"]
    default = next(row["interval_s"] for row in usual if row["id"] == "send_alerts")
    changed = client.put(path, json={"interval_s": 4321}).json()
    assert (changed["interval_s"], changed["default_interval_s"], changed["changed_by"]) == (4321, default, "the API")
    back = client.put(path, json={"interval_s": None}).json()
    assert (back["interval_s"], back["changed_by"]) == (default, None)
    for wrong in ({"interval_s": 0}, {"interval_s": "60"}, {"interval_s": 90_000}, {"interval_s": True}, {}, {"x": 1}):
        assert client.put(path, json=wrong).status_code == 422, wrong
    assert client.put("/jobs/recurring/nope/interval", json={"interval_s": 60}).status_code == 404


# --- cases, rules, switches, audit -----------------------------------------------------------------------


def test_lists_cases_by_what_came_of_them(client: httpx.Client):
    def found(query: str) -> list[str]:
        return [one["account_id"] for one in client.get(f"/cases?{query}").json()["cases"]]

    assert found("") == ["109302", "109304"]
    assert (
        found("outcome=filed") == found("level=report") == found(f"rule={RULE}") == found("decision=open") == ["109302"]
    )
    assert found("account=a@b") == ["109304"]
    page = client.get("/cases?limit=1")
    assert [one["account_id"] for one in client.get(page.links["next"]["url"]).json()["cases"]] == ["109304"]
    assert client.get("/cases?outcome=odd").status_code == 422


def test_shows_a_case_with_its_reasons_and_the_report(client: httpx.Client):
    case = client.get("/cases/109302").json()
    assert [reason["rule_id"] for reason in case["reasons"]] == [RULE]
    assert case["report_url"] == "https://mastodon.example/admin/reports/4711"
    assert [entry["outcome"] for entry in case["audit"]] == ["filed"]
    for account_id in ("1", "x", "%00", "..%2Frules"):
        assert client.get(f"/cases/{account_id}").status_code == 404


def test_shows_rules_with_what_they_have_done(client: httpx.Client):
    rules = {one["id"]: one for one in client.get("/rules").json()["rules"]}
    assert len(rules) > 20
    shown = client.get(f"/rules/{RULE}").json()
    assert shown == rules[RULE]
    assert (shown["state"], shown["hits"], shown["reports"], shown["precision"]) == ("dropped", 1, 1, None)
    assert client.get("/rules/no-such-rule").status_code == 404


def test_rearms_a_rule_once(client: httpx.Client):
    assert client.post(f"/rules/{RULE}/arm").json() == {"ids": [RULE], "queued": 1}
    assert client.get(f"/rules/{RULE}").json()["state"] == "report"
    assert client.post(f"/rules/{RULE}/arm").status_code == 404


def test_turns_the_switches_and_says_who_did(client: httpx.Client, view: View):
    before = client.get("/switches").json()
    assert (before["dry_run"]["from_settings"], before["panic_stop"]["on"]) == (view.settings.dry_run, False)
    assert [one["rule_id"] for one in before["dropped"]] == [RULE]
    on = client.post("/switches/panic-stop", json={"on": True}).json()["panic_stop"]
    assert (on["on"], on["by"]) == (True, "the API")
    assert view.switches.panic_stop()
    assert latest(client) == ("the API", "turned on", "panic stop")
    assert not client.post("/switches/panic-stop", json={"on": False}).json()["panic_stop"]["on"]
    assert client.post("/switches/dry-run", json={"on": True}).json()["dry_run"]["by"] == "the API"
    for wrong in ({"on": 1}, {"on": "true"}, {}, {"on": True, "x": 1}):
        assert client.post("/switches/panic-stop", json=wrong).status_code == 422, wrong


def test_tells_of_the_pause_of_all_reporting(client: httpx.Client, view: View):
    view.rule_switches.drop(EVERY_RULE, "too many", "breaker", view.clock())
    assert client.get("/switches").json()["reporting_paused"]["why"] == "too many"


def test_what_was_refused_is_not_in_the_audit(client: httpx.Client):
    before = client.get("/audit").json()["total"]
    client.post("/jobs/jobs/nope/cancel")
    client.post(f"/jobs/jobs/{analysis(FINISHED[0])}/cancel")
    client.post("/jobs/bulk/delete?status=failed&dry_run=true")
    assert client.get("/audit").json()["total"] == before
