"""Refuses a body larger than any of ours before it is read, and one that does not say that it is JSON.

Arguments are a few ids. A form of another site can send text or fields, but no JSON.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mastowatch.web.problems import problem

LIMIT = 64 * 1024


class BodyLimit:
    """Hands at most LIMIT bytes of JSON on to ``app``, once they are all there; answers 413 to more, 415 to other."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        first = await whole(receive, LIMIT)
        if first is None:
            told = f"the body is larger than {LIMIT} bytes"
            await problem(scope["path"], 413, "Content Too Large", told)(scope, receive, send)
            return
        if first.get("body") and not _is_json(scope):
            told = "the body is not said to be JSON; send `Content-Type: application/json`"
            await problem(scope["path"], 415, "Unsupported Media Type", told)(scope, receive, send)
            return
        waiting = [first]

        async def replayed() -> Message:
            return waiting.pop() if waiting else await receive()

        await self._app(scope, replayed, send)


async def whole(receive: Receive, limit: int) -> Message | None:
    """Return the whole body in one message, or None as soon as it is too large; a client that leaves, as it is."""
    body = b""
    while len(body) <= limit:
        message = await receive()
        if message["type"] != "http.request":
            return message
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return {"type": "http.request", "body": body, "more_body": False} if len(body) <= limit else None
    return None


def _is_json(scope: Scope) -> bool:
    kind = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
