"""ETags for all that is read, so that who asks again is told in a few bytes that nothing has changed; and HEAD.

An ETag is weak: it stands for the JSON, not for the bytes that a proxy may have compressed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A browser may keep it, but has to ask whether it still holds.
ASK_AGAIN = "private, no-cache"


class ETags:
    """Answers 304 to a GET whose `If-None-Match` still holds, and HEAD as GET would be; ``streams`` are left alone."""

    def __init__(self, app: ASGIApp, streams: Collection[str] = ()) -> None:
        self._app, self._streams = app, frozenset(streams)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or scope["path"] in self._streams:
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope)
        try:
            await self._app({**scope, "method": "GET"}, receive, answer.take)
        finally:
            # An error that nobody foresaw is answered first and then raised, for the journal.
            await answer.pass_on(send)


class _Answer:
    def __init__(self, scope: Scope) -> None:
        self._bodiless = scope["method"] == "HEAD"
        self._known = Headers(scope=scope).get("if-none-match", "")
        self._start: Message | None = None
        self._body = bytearray()

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        else:
            self._body += message.get("body", b"")

    async def pass_on(self, send: Send) -> None:
        if self._start is None:
            return
        body = bytes(self._body)
        headers = MutableHeaders(scope=self._start)
        if self._start["status"] == 200 and headers.get("content-type", "").startswith("application/json"):
            headers["etag"] = tag = etag(body)
            headers["cache-control"] = ASK_AGAIN
            if _holds(tag, self._known):
                self._start["status"], body = 304, b""
                del headers["content-type"], headers["content-length"]
        await send(self._start)
        await send({"type": "http.response.body", "body": b"" if self._bodiless else body})


def etag(body: bytes) -> str:
    """Return the weak ETag of an answer."""
    return f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def _holds(tag: str, known: str) -> bool:
    given = [one.strip() for one in known.split(",")]
    return "*" in given or tag.removeprefix("W/") in (one.removeprefix("W/") for one in given)
