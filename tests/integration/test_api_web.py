"""What holds for all of the API: ETags and HEAD, `Idempotency-Key`, bodies, methods, parameters; and no GET writes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from mastowatch.adapters.redis_layout import KEY as LAYOUT_KEY
from mastowatch.jobs import remembered
from mastowatch.jobs.context import View
from mastowatch.web.app import create_api
from tests.api_server import KEY, served
from tests.api_world import FAILED, FINISHED, RULE, WAITING, WORKER, analysis, seed, view_of
from tests.asgi import client_of
from tests.redis_server import free_port
from tests.snapshot import snapshot

pytestmark = pytest.mark.redis
ANALYZE = "/jobs/trigger/analyze_and_maybe_report"
# What a path's parameter may be, so that there is something to see.
KNOWN = {"{job_id}": analysis(FAILED[0]), "{name}": WORKER, "{account_id}": "109302", "{rule_id}": RULE}


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


def read_paths(view: View) -> list[str]:
    """Return a path for each GET of the API."""
    found = []
    for path, item in create_api(view, KEY).openapi()["paths"].items():
        if "get" in item:
            for name, value in KNOWN.items():
                path = path.replace(name, value)
            assert "{" not in path, path
            found.append(path + ("?limit=1" if path == "/jobs/events" else ""))
    return found


# --- reading ---------------------------------------------------------------------------------------------


def test_no_get_and_no_head_writes_anything(view: View, redis: Redis):
    # An entry that RQ's own clean-up would remove, with a failure callback, at the first look.
    redis.zadd("rq:wip:default", {f"{analysis(FAILED[0])}:1": 1})
    paths = read_paths(view)
    assert len(paths) > 15
    more = ["/jobs/jobs?error=refused", "/jobs/jobs?status=stopped", "/cases?rule=x", "/audit?by=*", "/openapi.json"]
    writing = {name for name, about in redis.command().items() if "write" in about["flags"]}
    with served(view) as url, httpx.Client(base_url=url, headers={"X-API-Key": KEY}, timeout=60) as client:
        before = snapshot(redis)
        with redis.monitor() as monitor:
            for path in [*paths, *more]:
                assert client.get(path).status_code == 200, path
                if not path.startswith("/jobs/events"):
                    assert client.head(path).status_code == 200, path
            redis.echo("the end")
            commands = list(iter(lambda: monitor.next_command()["command"].split()[0].lower(), "echo"))
        assert snapshot(redis) == before
    assert len(commands) > 100
    assert not writing & set(commands)
    assert "eval" not in commands
    assert "evalsha" not in commands


def test_every_json_that_is_read_has_an_etag_that_holds_until_it_changes(view: View, client: httpx.Client):
    # Each look tells how long a job has waited, so the clock stands still.
    now = view.clock()
    object.__setattr__(view, "clock", lambda: now)
    for path in read_paths(view):
        if path.startswith(("/jobs/events", "/metrics")):
            continue
        first = client.get(path)
        tag = first.headers["etag"]
        assert tag.startswith('W/"'), path
        assert first.headers["cache-control"] == "private, no-cache"
        for known in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
            again = client.get(path, headers={"If-None-Match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), (path, known)
        assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_an_etag_changes_with_the_list(client: httpx.Client):
    path = "/jobs/jobs?status=failed"
    before = client.get(path).headers["etag"]
    client.post(f"/jobs/jobs/{analysis(FAILED[0])}/requeue")
    assert client.get(path, headers={"If-None-Match": before}).status_code == 200


def test_an_error_has_no_etag(client: httpx.Client):
    answer = client.get("/jobs/jobs/nope", headers={"If-None-Match": "*"})
    assert answer.status_code == 404
    assert "etag" not in answer.headers


def test_head_answers_as_get_does_without_the_body(view: View, client: httpx.Client):
    now = view.clock()
    object.__setattr__(view, "clock", lambda: now)
    for path in ("/healthz", "/livez", "/readyz", "/jobs/queues", "/jobs/jobs/nope"):
        got, head = client.get(path), client.head(path)
        assert head.status_code == got.status_code
        assert head.content == b""
        assert dict(head.headers) == dict(got.headers)


def test_head_of_health_needs_no_key(client: httpx.Client):
    del client.headers["X-API-Key"]
    assert [client.head(path).status_code for path in ("/healthz", "/livez", "/readyz")] == [200, 200, 200]
    assert client.head("/jobs/queues").status_code == 401


# --- health ----------------------------------------------------------------------------------------------


def test_is_ready_while_redis_answers_with_our_layout(view: View, client: httpx.Client, redis: Redis):
    assert client.get("/readyz").json() == {"status": "ready", "redis": "ok"}
    redis.set(LAYOUT_KEY, "999")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["redis"], answer.headers["retry-after"]) == (503, "other layout", "5")
    assert client.get("/livez").status_code == 200


def test_lives_and_is_not_ready_while_redis_is_away():
    with (
        Redis(port=free_port(), retry=Retry(NoBackoff(), 0)) as nowhere,
        client_of(create_api(view_of(nowhere), KEY)) as client,
    ):
        assert client.get("/livez").json() == {"status": "ok"}
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()) == (503, {"status": "not ready", "redis": "down"})
        client.headers.update({"X-API-Key": KEY, "Idempotency-Key": "one"})
        answer = client.post(ANALYZE, json={"account_id": "1"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.headers["content-type"] == "application/problem+json"


# --- Idempotency-Key -------------------------------------------------------------------------------------


def trigger(client: httpx.Client, key: str, account_id: str = "42") -> httpx.Response:
    return client.post(ANALYZE, json={"account_id": account_id}, headers={"Idempotency-Key": key})


def test_the_same_key_and_body_get_the_first_answer_again(client: httpx.Client, redis: Redis):
    first, second = trigger(client, "one"), trigger(client, "one")
    assert (first.status_code, first.headers["location"]) == (202, "/jobs/jobs/analyze_and_maybe_report-42")
    assert (second.status_code, second.headers["location"]) == (202, first.headers["location"])
    assert second.json() == first.json()
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert client.post(ANALYZE, json={"account_id": "42"}).status_code == 409, "without the key it is another request"


def test_the_same_key_with_another_body_or_query_is_refused(client: httpx.Client):
    trigger(client, "one")
    other = trigger(client, "one", "43")
    assert (other.status_code, other.headers["content-type"]) == (422, "application/problem+json")
    assert "Idempotency-Key" in other.json()["detail"]
    headers = {"Idempotency-Key": "two"}
    bulk = "/jobs/bulk/requeue?status=failed"
    assert client.post(f"{bulk}&dry_run=true", headers=headers).status_code == 200
    assert client.post(bulk, headers=headers).status_code == 422
    assert client.post("/jobs/scheduled/reschedule", headers=headers).status_code == 200, (
        "at another path it is another"
    )


def test_what_was_refused_may_be_tried_again(client: httpx.Client, redis: Redis):
    headers = {"Idempotency-Key": "one"}
    path = f"/jobs/jobs/{analysis(WAITING[0])}/requeue"
    assert client.post(path, headers=headers).status_code == 409
    client.post(f"/jobs/jobs/{analysis(WAITING[0])}/cancel")
    assert client.post(path, headers=headers).status_code == 202


def test_while_the_first_is_under_way_the_second_is_told_to_wait(client: httpx.Client, redis: Redis):
    remembered.begin(redis, f"POST {ANALYZE} one", "whatever it asks")
    assert trigger(client, "one").status_code == 422
    trigger(client, "two")
    (name,) = [one for one in redis.scan_iter(f"{remembered.PREFIX}*") if b'"status":202' in redis.get(one)]
    redis.set(name, redis.get(name).replace(b'"status":202', b'"status":0'))
    answer = trigger(client, "two")
    assert (answer.status_code, answer.headers["retry-after"]) == (409, "1")


def test_of_many_at_once_one_is_done(view: View):
    together = threading.Barrier(8)

    def ask(_: int) -> int:
        with client_of(create_api(view, KEY)) as client:
            client.headers["X-API-Key"] = KEY
            together.wait(30)
            return trigger(client, "one").status_code

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    assert 202 in found
    assert set(found) <= {202, 409}
    assert view.redis.lrange("rq:queue:default", 0, -1).count(b"analyze_and_maybe_report-42") == 1


def test_a_delete_is_answered_again_as_well(client: httpx.Client):
    headers = {"Idempotency-Key": "one"}
    path = f"/jobs/jobs/{analysis(FINISHED[0])}"
    answers = [client.delete(path, headers=headers) for _ in range(2)]
    assert [(one.status_code, one.content) for one in answers] == [(204, b"")] * 2
    assert client.delete(path).status_code == 404


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "\u00e9"])
def test_refuses_a_key_that_is_none(client: httpx.Client, key: str):
    answer = client.post(ANALYZE, json={"account_id": "1"}, headers={"Idempotency-Key": key.encode()})
    assert answer.status_code == 422


def test_what_is_kept_names_nothing_and_runs_out(client: httpx.Client, redis: Redis):
    trigger(client, "a key with a name in it".replace(" ", "-"))
    (name,) = redis.scan_iter(f"{remembered.PREFIX}*")
    assert b"name" not in name
    assert 86_000 < redis.ttl(name) <= 86_400


# --- bodies, methods, parameters -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_body_that_is_not_said_to_be_json_is_refused(client: httpx.Client, redis: Redis, kind: str):
    before = snapshot(redis)
    answer = client.post(ANALYZE, content=b'{"account_id": "42"}', headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["title"]) == (415, "Unsupported Media Type")
    assert snapshot(redis) == before


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"null", b"[]", b"{" * 5000, b'{"account_id": NaN}'])
@pytest.mark.parametrize("path", [ANALYZE, "/switches/panic-stop"])
def test_a_body_that_is_no_json_is_refused(client: httpx.Client, path: str, body: bytes):
    answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/jobs/queues", "GET, HEAD"),
        ("POST", "/jobs/jobs/one", "DELETE, GET, HEAD"),
        ("GET", "/jobs/jobs/one/cancel", "POST"),
        ("PATCH", "/jobs/recurring/one/interval", "PUT"),
        ("OPTIONS", "/healthz", "GET, HEAD"),
        ("GET", ANALYZE, "POST"),
        ("HEAD", "/jobs/scheduled/reschedule", "POST"),
    ],
)
def test_another_method_is_told_all_that_are_allowed(client: httpx.Client, method: str, path: str, allowed: str):
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("path", ["/jobs/queues/", "/jobs", "/jobs/jobs/a/b/c", "/nothing"])
def test_no_other_path_is_answered_nor_led_elsewhere(client: httpx.Client, path: str):
    assert client.get(path).status_code == 404


def test_a_parameter_that_is_not_known_or_given_twice_is_refused(client: httpx.Client, redis: Redis):
    before = snapshot(redis)
    answer = client.post("/jobs/bulk/delete?queue=default&stauts=failed")
    assert answer.status_code == 422
    assert "stauts" in answer.json()["detail"]
    assert "status" in answer.json()["detail"]
    assert client.post("/jobs/bulk/delete?status=failed&status=queued").status_code == 422
    assert client.get("/jobs/queues?x=1").status_code == 422
    assert snapshot(redis) == before


@pytest.mark.parametrize("flag", ["1", "yes", "TRUE", ""])
def test_a_dry_run_is_said_in_one_way_only(client: httpx.Client, redis: Redis, flag: str):
    before = snapshot(redis)
    assert client.post(f"/jobs/bulk/delete?status=failed&dry_run={flag}").status_code == 422
    assert snapshot(redis) == before


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer other"}, {"Authorization": "Basic eDp5"}])
def test_a_wrong_key_beside_the_right_one_is_refused(client: httpx.Client, headers: dict[str, str]):
    assert client.get("/jobs/queues", headers=headers).status_code == 401
