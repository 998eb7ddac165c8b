"""Mastodon's webhooks over real HTTP, down to the job in a real Redis."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from redis import Redis
from rq.job import Job

from mastowatch import metrics
from mastowatch.config import Settings
from mastowatch.jobs.queues import Jobs
from mastowatch.jobs.webhook_events import EVENTS
from mastowatch.reliable.serializer import JsonJob
from mastowatch.web.webhooks import LIMIT, PATH
from tests.engine import wait
from tests.redis_server import running_redis
from tests.webhooks import (
    admin_account_entity,
    delivery,
    report_entity,
    running_api,
    signature,
    status_entity,
)

pytestmark = pytest.mark.redis


@pytest.fixture
def api(redis: Redis, redis_server: str):
    with running_api(redis_server) as running:
        yield running


def queued(redis: Redis, queue: str = "high") -> list[str]:
    return [raw.decode() for raw in redis.lrange(f"rq:queue:{queue}", 0, -1)]


def tally(redis: Redis) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in redis.hgetall("mastowatch:tally").items()}


WORK = {
    "account.created": (admin_account_entity("5"), "analyze_and_maybe_report-5"),
    "account.updated": (admin_account_entity("6"), "analyze_and_maybe_report-6"),
    "status.created": (status_entity("7"), "process_new_status-7"),
    "status.updated": (status_entity("8", "unlisted"), "process_new_status-8"),
    "report.created": (report_entity("9"), "annotate_report-9"),
}
NO_WORK = {"account.approved": admin_account_entity("5"), "report.updated": report_entity("9")}


def test_each_event_of_mastodon_is_known():
    assert WORK.keys() | NO_WORK.keys() == EVENTS.keys()


@pytest.mark.parametrize("event", WORK)
def test_an_event_becomes_a_job_that_is_served_first_and_carries_an_id_alone(api, redis, event):
    entity, job_id = WORK[event]
    assert api.outcome(delivery(event, entity)) == "queued"
    assert queued(redis) == [job_id]
    job = JsonJob.fetch(job_id, connection=redis)
    assert list(job.args) == []
    assert list(job.kwargs.values()) == [entity["id"]]
    wait(lambda: tally(redis).get(metrics.WEBHOOKS_QUEUED) == 1)
    assert tally(redis)[metrics.webhook_event(event)] == 1


@pytest.mark.parametrize("event", NO_WORK)
def test_an_event_without_work_is_counted_once(api, redis, event):
    assert api.outcome(delivery(event, NO_WORK[event])) == "no work in it"
    assert api.outcome(delivery(event, NO_WORK[event])) == "repeated"
    assert queued(redis) == []
    wait(lambda: tally(redis).get(metrics.WEBHOOKS_REPEATED) == 1)
    assert tally(redis)[metrics.WEBHOOKS_IDLE] == 1


@pytest.mark.parametrize(("event", "name"), [("status.created", "status_id"), ("account.created", "account_id")])
def test_the_job_is_the_one_that_any_other_way_would_have_queued(api, redis, event, name):
    entity, job_id = WORK[event]
    api.outcome(delivery(event, entity))
    ours = redis.hgetall(f"rq:job:{job_id}")
    redis.flushdb()
    assert Jobs(redis, Settings()).submit(EVENTS[event].task, {name: entity["id"]}) is not None
    other = redis.hgetall(f"rq:job:{job_id}")
    for moment in (b"created_at", b"enqueued_at"):
        assert ours.pop(moment)[:10] == other.pop(moment)[:10]
    if event == "account.created":
        assert (ours.pop(b"origin"), other.pop(b"origin")) == (b"high", b"default")
    assert ours == other


def test_what_is_repeated_is_queued_once_even_after_its_job_is_gone(api, redis):
    body = delivery("status.created", status_entity("7"))
    assert api.outcome(body) == "queued"
    redis.delete("rq:queue:high", "rq:job:process_new_status-7")
    assert api.outcome(body) == "repeated"
    assert queued(redis) == []
    assert 0 < redis.ttl(redis.keys("mastowatch:webhook:*")[0]) <= 86400


def test_another_event_of_the_same_post_finds_its_job_waiting(api, redis):
    assert api.outcome(delivery("status.created", status_entity("7"))) == "queued"
    assert api.outcome(delivery("status.updated", status_entity("7"))) == "already queued"
    assert queued(redis) == ["process_new_status-7"]


def test_an_edit_while_the_post_is_being_judged_is_judged_as_well(api, redis):
    api.outcome(delivery("status.created", status_entity("7")))
    redis.lpop("rq:queue:high")
    redis.hset("rq:job:process_new_status-7", "status", "started")
    assert api.outcome(delivery("status.updated", status_entity("7"), "2")) == "queued"
    assert queued(redis) == ["process_new_status-7-again"]
    assert JsonJob.fetch("process_new_status-7-again", connection=redis).kwargs == {"status_id": "7"}
    assert api.outcome(delivery("status.updated", status_entity("7"), "3")) == "already queued"


def test_what_runs_twice_already_is_put_off_and_may_be_sent_again(api, redis):
    api.outcome(delivery("status.created", status_entity("7")))
    for job_id in ("process_new_status-7", "process_new_status-7-again"):
        redis.hset(f"rq:job:{job_id}", "status", "started")
    redis.delete("rq:queue:high")
    body = delivery("status.updated", status_entity("7"))
    assert api.post(body).status_code == 503
    redis.hset("rq:job:process_new_status-7", "status", "finished")
    assert api.outcome(body) == "queued"


def test_an_account_that_a_poll_has_queued_is_moved_to_the_front_queue(api, redis):
    assert Jobs(redis, Settings()).analyze("5")
    assert api.outcome(delivery("account.updated", admin_account_entity("5"))) == "already queued"
    assert (queued(redis), queued(redis, "default")) == (["analyze_and_maybe_report-5"], [])
    assert Job.fetch("analyze_and_maybe_report-5", connection=redis).origin == "high"


def test_a_job_that_ended_gives_its_id_free_whatever_queue_it_was_on(api, redis):
    jobs = Jobs(redis, Settings())
    job = jobs.submit("analyze_and_maybe_report", {"account_id": "5"})
    redis.delete("rq:queue:default")
    redis.hset(job.key, "status", "failed")
    redis.zadd("rq:failed:default", {job.id: 1e12})
    assert api.outcome(delivery("account.updated", admin_account_entity("5"))) == "queued"
    assert redis.zcard("rq:failed:default") == 0
    assert queued(redis) == [job.id]


def test_a_post_that_is_not_for_everybody_goes_no_further(api, redis):
    visibilities = ["private", "direct", "limited", "PUBLIC", "", None, 1, ["public"], {}]
    for visibility in visibilities:
        for event in ("status.created", "status.updated"):
            assert api.outcome(delivery(event, status_entity("7", visibility))) == "not public", visibility
    wait(lambda: tally(redis).get(metrics.WEBHOOKS_PRIVATE) == 2 * len(visibilities))
    assert sorted(redis.keys("*")) == [b"mastowatch:tally", b"mastowatch:webhooks:seen"]


def test_nothing_personal_and_no_text_reaches_redis_or_the_journal(api, redis, caplog):
    caplog.set_level("DEBUG")
    bodies = [delivery(event, entity) for event, (entity, _) in WORK.items()]
    bodies += [delivery(event, entity) for event, entity in NO_WORK.items()]
    bodies += [delivery("status.created", status_entity(str(n), how)) for n, how in enumerate(("private", "direct"))]
    bodies += [delivery("canary.event", admin_account_entity("5")), delivery("status.created", {"canary": "text"})]
    bodies += [delivery("account.created", {**admin_account_entity("5"), "id": "canary id"}), b"canary: no JSON"]
    for body in bodies:
        assert api.post(body).status_code in (202, 422)
        assert api.post(body, signature(body, "another secret")).status_code == 401
    wait(lambda: tally(redis).get(metrics.WEBHOOKS_REFUSED) == len(bodies))
    kept = repr([(key, redis.dump(key), everything(redis, key)) for key in redis.keys("*")])
    written = "\n".join(repr(record.__dict__) for record in caplog.records)
    for secret in ("anary", "203.0.113", "private.example", "user5", "s3cret"):
        assert secret not in kept
        assert secret not in written


def everything(redis: Redis, key: bytes) -> object:
    """Return a key's value; a dump compresses long texts, and a job its arguments."""
    kind = redis.type(key)
    if kind == b"hash":
        job = JsonJob.fetch(key.decode()[7:], connection=redis).kwargs if key.startswith(b"rq:job:") else None
        return redis.hgetall(key), job
    reads = {b"string": redis.get, b"set": redis.smembers, b"list": lambda key: redis.lrange(key, 0, -1)}
    return reads[kind](key)


def test_when_one_was_last_taken_in_and_last_refused_is_remembered(api, redis):
    def seen():
        return {name.decode(): value.decode() for name, value in redis.hgetall("mastowatch:webhooks:seen").items()}

    began = time.time()
    body = delivery("status.created", status_entity("7", "direct"))
    assert api.post(body).status_code == 202
    wait(lambda: seen().get("event") == "status.created")
    assert "why" not in seen()
    assert api.post(body, signature(body, "another")).status_code == 401
    wait(lambda: seen().get("why") == "wrong signature")
    assert api.post(body, {}).status_code == 401
    wait(lambda: seen().get("why") == "not signed")
    assert began <= float(seen()["taken_at"]) <= float(seen()["refused_at"]) <= time.time()
    assert api.post(delivery("status.deleted", status_entity("7"))).status_code == 422
    wait(lambda: seen().get("why") == "not understood")


def test_without_a_secret_nothing_is_taken_in_and_the_answer_says_what_to_do(redis, redis_server):
    with running_api(redis_server, secret=None) as api:
        answer = api.post(delivery(*("status.created", status_entity("7"))))
        assert answer.status_code == 403
        assert "WEBHOOK_SECRET_FILE" in answer.json()["detail"]
        assert api.post(b"{}", {}).status_code == 403
        wait(lambda: redis.hget("mastowatch:webhooks:seen", "why") == b"no secret")
    assert redis.keys("rq:*") == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Hub-Signature": ""},
        {"X-Hub-Signature": "sha256="},
        {"X-Hub-Signature": "sha1=" + "0" * 40},
        {"X-Hub-Signature": "sha256=" + "0" * 64},
        {"X-Hub-Signature": "sha256=ü"},
        signature(b"another body"),
        signature(delivery("status.created", status_entity("7")), "another secret"),
        {"Authorization": "Bearer key", "X-API-Key": "key"},
    ],
)
def test_what_is_not_signed_with_the_secret_is_refused_and_may_be_sent_again(api, redis, headers):
    given = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = api.post(delivery("status.created", status_entity("7")), given)
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert redis.keys("rq:*") == []


def test_two_signatures_are_one_too_many(api, redis):
    body = delivery("status.created", status_entity("7"))
    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=10)
    connection.putrequest("POST", PATH)
    for value in (signature(body)["X-Hub-Signature"], "sha256=0"):
        connection.putheader("X-Hub-Signature", value)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    with contextlib.closing(connection):
        assert connection.getresponse().status == 401
    assert redis.keys("rq:*") == []


def test_a_client_that_leaves_in_the_middle_leaves_nothing(api, redis):
    body = delivery("status.created", status_entity("7"))
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nX-Hub-Signature: {signature(body)['X-Hub-Signature']}\r\n"
    place = urlsplit(api.url)
    with socket.create_connection((place.hostname, place.port)) as client:
        client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:100])
    assert api.outcome(delivery("status.created", status_entity("8"))) == "queued"
    assert queued(redis) == ["process_new_status-8"]


def test_a_wave_of_repeats_on_many_connections_queues_each_once(api, redis):
    bodies = [delivery("status.created", status_entity(str(number))) for number in range(1, 51)]
    with ThreadPoolExecutor(8) as pool:
        outcomes = Counter(pool.map(api.outcome, bodies * 8))
    assert outcomes == {"queued": 50, "repeated": 350}
    assert sorted(queued(redis)) == sorted(f"process_new_status-{number}" for number in range(1, 51))


def test_a_body_past_the_limit_is_refused_before_it_is_read_and_one_up_to_it_is_taken(api, redis):
    assert LIMIT == 256 * 1024
    entity = status_entity("7")
    room = LIMIT - len(delivery("status.created", entity))
    entity["content"] += "x" * room
    assert len(delivery("status.created", entity)) == LIMIT
    assert api.outcome(delivery("status.created", entity)) == "queued"
    entity["content"] += "x"
    body = delivery("status.created", entity)
    assert api.post(body).status_code == 413
    chunks = (body[at : at + 10_000] for at in range(0, len(body), 10_000))
    given = {"Content-Type": "application/json", **signature(body)}
    assert api.post(chunks, given).status_code == 413  # without a Content-Length


NO_EVENTS = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"status.created"',
    b"\xff\xfe{}",
    b'{"event": "\xff"}',
    json.dumps({"event": "status.created", "object": status_entity("7")}).encode("utf-16"),
    b"[" * 100_000,
    b'{"object": ' + b"[" * 100_000,
    delivery("status.deleted", status_entity("7")),
    delivery("Status.Created", status_entity("7")),
    json.dumps({"object": status_entity("7")}).encode(),
    json.dumps({"event": ["status.created"], "object": status_entity("7")}).encode(),
    *(delivery("status.created", {**status_entity("7"), "id": bad}) for bad in ("", "x", "-1", "07", "1" * 21, 7)),
    *(delivery("account.created", bad) for bad in (None, [], "5", {}, {"id": None}, {"id": {"id": "5"}})),
    delivery("account.created", {"id": "\ud800"}),
    delivery("account.created", {"id": "٣"}),
]


def test_what_is_no_event_is_refused_for_good(api, redis):
    for body in NO_EVENTS:
        assert api.post(body).status_code == 422, body[:60]
    assert redis.keys("rq:*") == []
    wait(lambda: tally(redis).get(metrics.WEBHOOKS_BAD) == len(NO_EVENTS))


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_post_is_known(api, method):
    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=10)
    connection.request(method, PATH)
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    connection.close()


@pytest.mark.parametrize(
    "path", [PATH + "/", "/webhooks", "/webhooks/mastodon/../../jobs/queues", "//webhooks/mastodon"]
)
def test_what_only_looks_like_the_path_still_asks_for_the_key(api, path):
    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=10)
    connection.request("POST", path, b"{}", signature(b"{}"))
    assert connection.getresponse().status == 401
    connection.close()


def test_while_redis_is_away_mastodon_is_asked_to_send_it_again(tmp_path):
    body = delivery("status.created", status_entity("7"))
    with running_redis(tmp_path) as server, running_api(server.url) as api:
        server.kill()
        answer = api.post(body)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        server.start()
        assert api.outcome(body) == "queued"
        with server.standing_still():
            assert api.post(delivery("status.created", status_entity("8"))).status_code == 503
        with Redis.from_url(server.url) as redis:
            wait(lambda: (api.post(delivery("status.created", status_entity("8"))).status_code) == 202)
            assert queued(redis).count("process_new_status-8") == 1
            wait(lambda: tally(redis).get(metrics.WEBHOOKS_PUT_OFF, 0) >= 2)


def test_a_redis_that_refuses_writes_takes_nothing_in_and_marks_nothing(redis, redis_server, api):
    body = delivery("status.created", status_entity("7"))
    redis.config_set("maxmemory", "1")
    try:
        assert api.post(body).status_code == 503
    finally:
        redis.config_set("maxmemory", "0")
    assert redis.keys("mastowatch:webhook:*") == []
    assert api.outcome(body) == "queued"
