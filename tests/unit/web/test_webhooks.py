"""Whatever stands in a signed body: an answer below 500, and no job but with an id."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re

from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from mastowatch.config import Settings
from mastowatch.jobs.queues import TASKS, Jobs
from mastowatch.jobs.webhook_events import EVENTS, BadEvent, read
from mastowatch.reliable.deliveries import Delivery
from mastowatch.web.webhooks import PATH, Webhooks, _Complaints

SECRET = "secret"
ID = re.compile(r"0|[1-9][0-9]{0,19}", re.ASCII)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
JSON = st.recursive(LEAVES, lambda some: st.lists(some, max_size=4) | st.dictionaries(st.text(max_size=8), some))
IDS = st.from_regex(ID, fullmatch=True) | st.text(max_size=25) | LEAVES
VISIBILITIES = st.sampled_from(["public", "unlisted", "private", "direct", "limited", "Public", ""]) | JSON
ENTITIES = JSON | st.fixed_dictionaries({}, optional={"id": IDS | JSON, "visibility": VISIBILITIES, "account": JSON})
EVENT_LIKE = st.fixed_dictionaries(
    {}, optional={"event": st.sampled_from(sorted(EVENTS)) | JSON, "object": ENTITIES, "created_at": JSON}
)
BODIES = st.binary(max_size=200) | (JSON | EVENT_LIKE).map(lambda found: json.dumps(found).encode())
CUT = st.tuples(EVENT_LIKE, st.integers(0, 300)).map(lambda found: json.dumps(found[0]).encode()[: found[1]])


class Kept:
    """Stands for the intake: keeps what is put into it."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []

    def put(self, delivery: Delivery) -> asyncio.Future[str]:
        self.deliveries.append(delivery)
        promise: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        promise.set_result("queued" if delivery.record else "marked")
        return promise

    def count(self, *names: str) -> None:
        assert names

    def taken(self, event: str, now: float) -> None:
        assert event
        assert now

    def refused(self, why: str, now: float) -> None:
        assert why in ("no secret", "not signed", "wrong signature", "not understood")
        assert now


def answered(body: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> tuple[int, list[Delivery]]:
    """Return the status, and what was taken in."""
    signed = b"sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest().encode()
    given_headers = [(b"x-hub-signature", signed)] if headers is None else headers
    scope = {"type": "http", "method": "POST", "path": PATH, "headers": given_headers}
    sent: list[dict] = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    kept = Kept()
    asyncio.run(Webhooks(_never, SECRET, Jobs(Redis(), Settings()), kept)(scope, receive, send))
    return sent[0]["status"], kept.deliveries


async def _never(scope, receive, send) -> None:
    raise AssertionError("the request went on")


@given(BODIES | CUT)
def test_any_signed_body_gets_an_answer_and_no_job_has_anything_but_an_id(body):
    status, deliveries = answered(body)
    assert status in (202, 422)
    for delivery in deliveries:
        assert re.fullmatch(r"mastowatch:webhook:[0-9a-f]{32}", delivery.mark)
        if delivery.record is not None:
            name, _, number = delivery.record.job_id.rpartition("-")
            assert name in TASKS
            assert ID.fullmatch(number)
            assert delivery.record.queue == "high"


@given(EVENT_LIKE)
def test_a_post_leads_to_work_only_if_it_says_that_it_is_for_everybody(found):
    try:
        event = read(json.dumps(found).encode())
    except BadEvent:
        return
    if event.name.startswith("status.") and event.task:
        assert found["object"]["visibility"] in ("public", "unlisted")
        assert not event.private


@given(st.binary(max_size=60), st.binary(max_size=100))
def test_no_made_up_signature_passes(shown, body):
    status, deliveries = answered(body, [(b"x-hub-signature", shown)])
    assert (status, deliveries) == (401, [])


@given(st.binary(max_size=30) | st.integers(0, 9).map(lambda digit: str(digit).encode() * 5000))
def test_no_content_length_is_an_error_of_ours(told):
    signed = b"sha256=" + hmac.new(SECRET.encode(), b"{}", hashlib.sha256).hexdigest().encode()
    status, _ = answered(b"{}", [(b"x-hub-signature", signed), (b"content-length", told)])
    assert status in (413, 422)


@given(BODIES, st.text())
def test_a_fault_is_told_without_a_word_of_the_body(body, more):
    try:
        read(body + more.encode("utf-8", "replace"))
    except BadEvent as error:
        told = str(error)
        assert told in TOLD


TOLD = {
    "the body is not JSON",
    "the body is not a JSON object",
    "object.id is not a Mastodon id, a text of 1 to 20 digits",
    f"the event is none of Mastodon's: {', '.join(EVENTS)}",
}


def test_each_complaint_is_told_once_a_minute_with_the_number_of_those_before(caplog):
    now = [0.0]
    complaints = _Complaints(lambda: now[0])
    for second in (0, 1, 59, 61, 62):
        now[0] = float(second)
        complaints.tell("wrong")
    complaints.tell("other")
    assert [(one.reason, one.before) for one in caplog.records] == [("wrong", 0), ("wrong", 2), ("other", 0)]
