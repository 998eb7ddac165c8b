"""`Idempotency-Key`: who does not know whether a request got through may send it again, and it is done once.

Source: draft-ietf-httpapi-idempotency-key-header. At one path, the same key with the same request gets the first one's
answer, with another body or query 422, and 409 while the first is under way. What was refused is not kept: it may be
tried again.
"""

from __future__ import annotations

import hashlib
import logging
import re

from redis import Redis
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mastowatch.jobs import remembered
from mastowatch.jobs.remembered import Remembered
from mastowatch.logs import event
from mastowatch.web.bodies import LIMIT, whole
from mastowatch.web.problems import problem, redis_away

log = logging.getLogger(__name__)

HEADER = "Idempotency-Key"
FORM = r"^[!-~]{1,255}$"
_CHANGES = frozenset({"POST", "PUT", "DELETE"})
_KEPT_HEADERS = ("content-type", "location")
_BAD_KEY = f"{HEADER}: must be 1 to 255 visible ASCII characters; a UUID will do"
_OTHER = f"{HEADER}: was used here with another body or query within a day; take a new key for each request"
_UNDER_WAY = f"{HEADER}: a request with this key is under way; ask again in a second"


class Idempotency:
    """Answers a change that carries the header as its first sending was answered; it stands behind BodyLimit."""

    def __init__(self, app: ASGIApp, redis: Redis) -> None:
        self._app, self._redis = app, redis

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        keys = Headers(scope=scope).getlist(HEADER) if scope["type"] == "http" and scope["method"] in _CHANGES else []
        if not keys:
            await self._app(scope, receive, send)
            return
        message = await whole(receive, LIMIT)
        if message is None or message["type"] != "http.request":
            return  # the client has left
        answer = await self._answer(scope, message, keys)
        await answer(scope, receive, send)

    async def _answer(self, scope: Scope, message: Message, keys: list[str]) -> Response:
        if len(keys) > 1 or not re.fullmatch(FORM, keys[0]):
            return problem(scope["path"], 422, "Bad parameter", _BAD_KEY)
        # Under one path only: the same key elsewhere is another.
        key = f"{scope['method']} {scope['path']} {keys[0]}"
        request = _hash(scope, message["body"])
        try:
            before = await run_in_threadpool(remembered.begin, self._redis, key, request)
        except RedisError as error:
            return redis_away(scope["path"], error)
        if before is not None:
            return _again(scope["path"], before, request)
        return await self._do(scope, message, key, request)

    async def _do(self, scope: Scope, message: Message, key: str, request: str) -> Response:
        taken = _Taken(message)
        try:
            await self._app(scope, taken.receive, taken.send)
        finally:
            try:
                if 200 <= taken.status < 300:
                    kept = Remembered(request, taken.status, taken.kept_headers(), taken.body.decode())
                    await run_in_threadpool(remembered.finish, self._redis, key, kept)
                else:
                    await run_in_threadpool(remembered.forget, self._redis, key)
            except RedisError as error:
                event(log, logging.WARNING, "redis_unavailable", path=scope["path"], error=type(error).__name__)
        return taken.response()


class _Taken:
    """What the app answers, and the body that it is given."""

    def __init__(self, message: Message) -> None:
        self._waiting = [message]
        self.status, self.body = 0, b""
        self._headers: list[tuple[bytes, bytes]] = []

    async def receive(self) -> Message:
        return self._waiting.pop() if self._waiting else {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self._headers = message["status"], list(message["headers"])
        else:
            self.body += message.get("body", b"")

    def kept_headers(self) -> dict[str, str]:
        given = Headers(raw=self._headers)
        return {name: given[name] for name in _KEPT_HEADERS if name in given}

    def response(self) -> Response:
        answer = Response(self.body, self.status)
        answer.raw_headers = self._headers
        return answer


def _again(path: str, before: Remembered, request: str) -> Response:
    if before.request != request:
        return problem(path, 422, "Bad parameter", _OTHER)
    if not before.status:
        return problem(path, 409, "Wrong state", _UNDER_WAY, {"Retry-After": "1"})
    headers = {**(before.headers or {}), "Idempotent-Replayed": "true"}
    return Response(before.body if before.status != 204 else None, before.status, headers)


def _hash(scope: Scope, body: bytes) -> str:
    return hashlib.sha256(scope["query_string"] + b"\0" + body).hexdigest()[:32]
