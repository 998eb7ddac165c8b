"""``POST /webhooks/mastodon``: what Mastodon tells of by itself becomes a job within milliseconds.

It stands before FastAPI, as one process has to keep up with a wave of a thousand a second. A request shows no key: its
signature says that it comes from Mastodon. Of its body nothing goes further than one id.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from mastowatch import metrics
from mastowatch.errors import StoreUnavailable
from mastowatch.jobs import webhook_events
from mastowatch.jobs.intake import Intake
from mastowatch.jobs.queues import WAITING_MAX, Jobs
from mastowatch.jobs.webhook_events import BadEvent, Event
from mastowatch.logs import event
from mastowatch.redis_trouble import trouble
from mastowatch.reliable.deliveries import Delivery, Outcome
from mastowatch.web.bodies import whole
from mastowatch.web.headers import COMMON, NOTHING_LOADS, Headers
from mastowatch.web.problems import RETRY_AFTER_S, Problem, problem

log = logging.getLogger(__name__)

PATH = "/webhooks/mastodon"
# A post of the longest kind, with its author, media and mentions, takes some 60 kB.
LIMIT = 256 * 1024
# Mastodon waits 10 s; Redis is given up after 3 s.
ANSWER_S = 5.0
# The same complaint stands in the journal at most so often: strangers must not fill it.
COMPLAIN_EVERY_S = 60.0

_HEADERS = {**COMMON, "Content-Security-Policy": NOTHING_LOADS}
_CLOSED = (
    "no webhook secret is set up, so nothing can be told to come from Mastodon; copy the signing secret of Mastodon's"
    " webhook into a file that WEBHOOK_SECRET_FILE names (or the credential webhook_secret)"
)
_NOT_SIGNED = "X-Hub-Signature is missing; only Mastodon's webhooks are taken here, signed with the webhook's secret"
_WRONG = "the signature does not fit the body; is the webhook secret the signing secret of this webhook?"
_FULL = "too many jobs wait already; send this again"
_BUSY = "the same work runs already, twice; send this again"
# What is answered and what is counted, by what came of a delivery.
_TAKEN: Mapping[Outcome, tuple[str, str]] = {
    "queued": ("queued", metrics.WEBHOOKS_QUEUED),
    "waits": ("already queued", metrics.WEBHOOKS_WAITING),
    "repeated": ("repeated", metrics.WEBHOOKS_REPEATED),
    "marked": ("no work in it", metrics.WEBHOOKS_IDLE),
}


class _Complaints:
    """Tells the journal of each reason at once, and then at most every COMPLAIN_EVERY_S."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[str, float] = {}
        self._untold: dict[str, int] = {}

    def tell(self, reason: str) -> None:
        """Say why a delivery is not taken in; nothing of the delivery."""
        now = self._clock()
        if now - self._told.get(reason, -COMPLAIN_EVERY_S) < COMPLAIN_EVERY_S:
            self._untold[reason] = self._untold.get(reason, 0) + 1
            return
        self._told[reason] = now
        event(log, logging.WARNING, "webhook_refused", reason=reason, before=self._untold.pop(reason, 0))


class Webhooks:
    """Answers what is sent to PATH, and lets ``app`` answer all else. Without a ``secret`` nothing is taken in."""

    def __init__(self, app: ASGIApp, secret: str | None, jobs: Jobs, intake: Intake) -> None:
        self._app, self._jobs, self._intake = app, jobs, intake
        self._secret = secret.encode() if secret else None
        self._complaints = _Complaints()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] != PATH:
            await self._app(scope, receive, send)
            return
        answer = self._refusal(scope) or await self._answer(scope, receive)
        if answer is not None:
            await answer(scope, receive, send)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        """Return the answer to what needs no look at the body: a stranger's is not even read."""
        if scope["method"] != "POST":
            return _problem(405, "Method Not Allowed", "Mastodon sends POST", {"Allow": "POST"})
        if self._secret is None:
            self._intake.refused("no secret", time.time())
            return self._refused(403, "Closed", _CLOSED)
        if len(_signatures(scope)) != 1:
            return self._unsigned(_NOT_SIGNED, "not signed")
        if _length(scope) > LIMIT:
            return self._too_large()
        return None

    async def _answer(self, scope: Scope, receive: Receive) -> ASGIApp | None:
        """Return the answer to a delivery; None for a client that has left."""
        message = await whole(receive, LIMIT)
        if message is None:
            return self._too_large()
        if message["type"] != "http.request":
            return None
        body: bytes = message["body"]
        if not self._signed(_signatures(scope)[0], body):
            return self._unsigned(_WRONG, "wrong signature")
        try:
            found = webhook_events.read(body)
        except BadEvent as error:
            self._intake.count(metrics.WEBHOOKS_BAD)
            self._intake.refused("not understood", time.time())
            return self._refused(422, "Not understood", str(error))
        self._intake.count(metrics.webhook_event(found.name))
        self._intake.taken(found.name, time.time())
        if found.private:
            # Not even a hash of it is kept.
            self._intake.count(metrics.WEBHOOKS_PRIVATE)
            return _Taken("not public")
        return await self._taken_in(found, body)

    async def _taken_in(self, found: Event, body: bytes) -> ASGIApp:
        record = self._jobs.record(found.task, found.arguments or {}, urgent=True) if found.task else None
        spare = WAITING_MAX // 2 if found.foreign else 0
        mark = f"mastowatch:webhook:{hashlib.sha256(body).hexdigest()[:32]}"
        try:
            outcome = await asyncio.wait_for(self._intake.put(Delivery(mark, record, spare)), ANSWER_S)
        except (StoreUnavailable, TimeoutError) as error:
            amiss = trouble(error)
            return self._put_off(amiss.title, f"{amiss.says}; send this again")
        if outcome == "busy":
            return self._put_off("Busy", _BUSY)
        if outcome == "full":
            return self._put_off("Full", _FULL)
        word, counter = _TAKEN[outcome]
        self._intake.count(counter)
        return _Taken(word)

    def _signed(self, shown: bytes, body: bytes) -> bool:
        assert self._secret is not None  # noqa: S101 -- asked for first thing in _refusal
        expected = b"sha256=" + hmac.digest(self._secret, body, "sha256").hex().encode()
        return hmac.compare_digest(shown, expected)

    def _unsigned(self, detail: str, why: str) -> ASGIApp:
        # 401 is tried again by Mastodon: while a secret is being changed nothing is lost.
        self._intake.count(metrics.WEBHOOKS_REFUSED)
        self._intake.refused(why, time.time())
        return self._refused(401, "Unauthorized", detail, {"WWW-Authenticate": "X-Hub-Signature"})

    def _too_large(self) -> ASGIApp:
        return self._refused(413, "Content Too Large", f"the body is larger than {LIMIT} bytes")

    def _put_off(self, title: str, detail: str) -> ASGIApp:
        self._intake.count(metrics.WEBHOOKS_PUT_OFF)
        return self._refused(503, title, detail, {"Retry-After": str(RETRY_AFTER_S)})

    def _refused(self, status: int, title: str, detail: str, headers: dict[str, str] | None = None) -> ASGIApp:
        self._complaints.tell(detail)
        return _problem(status, title, detail, headers)


class _Taken:
    """202 with a word on what came of it; made ready beforehand, as it is the answer to nearly all."""

    def __init__(self, word: str) -> None:
        self._word = word

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        del scope, receive
        start, body = _READY[self._word]
        await send(start)
        await send(body)


def _ready(word: str) -> tuple[dict[str, object], dict[str, object]]:
    body = json.dumps({"outcome": word}).encode()
    headers = {**_HEADERS, "Content-Type": "application/json", "Content-Length": str(len(body))}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return (
        {"type": "http.response.start", "status": 202, "headers": raw},
        {"type": "http.response.body", "body": body},
    )


OUTCOMES = ("not public", *(word for word, _ in _TAKEN.values()))
_READY = {word: _ready(word) for word in OUTCOMES}


def _problem(status: int, title: str, detail: str, headers: dict[str, str] | None) -> ASGIApp:
    answer: Problem = problem(PATH, status, title, detail, headers)
    return Headers(answer, _HEADERS)


def _signatures(scope: Scope) -> list[bytes]:
    return [value.strip() for name, value in scope["headers"] if name == b"x-hub-signature"]


def _length(scope: Scope) -> int:
    told = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(told[:20]) if told.isdigit() else 0  # Python reads no number of thousands of digits
