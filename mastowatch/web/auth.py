"""Keeps strangers out: a key on TCP, and the file rights of the unix socket there.

It stands before everything else, so that no path, body or parameter of a stranger is even looked at.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from mastowatch.web.problems import Problem, problem

_NO_KEY = (
    "no API key is set up, so TCP is closed; write one into a file that API_KEY_FILE names"
    " (or the credential api_key), or use API_SOCKET"
)
_ASK = "give the API key as `Authorization: Bearer KEY` or `X-API-Key: KEY`"


class KeyGuard:
    """Lets a request pass to ``app`` if it comes over a unix socket, shows the key, or asks for an ``open_path``."""

    def __init__(self, app: ASGIApp, api_key: str | None, open_paths: Collection[str] = ()) -> None:
        self._app, self._open = app, frozenset(open_paths)
        self._key = api_key.encode() if api_key else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan" or scope["path"] in self._open or over_unix_socket(scope):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Problem | None:
        if self._key is None:
            return problem(scope["path"], 403, "Closed", _NO_KEY)
        # Every key shown is compared in full, so that the time taken tells nothing of where it differs.
        matches = [hmac.compare_digest(shown, self._key) for shown in _shown_keys(scope)]
        # Of two keys both must be right: whoever shows a wrong one means something else than we do.
        if matches and all(matches):
            return None
        detail = "the API key is wrong" if matches else _ASK
        return problem(scope["path"], 401, "Unauthorized", detail, {"WWW-Authenticate": 'Bearer realm="mastowatch"'})


def over_unix_socket(scope: Scope) -> bool:
    """Return whether the request came over a unix socket.

    Told by the server's own end, which uvicorn gives as (path, None). The client's end is None for a unix socket,
    but also for a TCP client that has hung up already: whoever is quick could pass for local.
    """
    server = scope.get("server")
    return server is not None and server[1] is None and server[0].startswith("/")


def _shown_keys(scope: Scope) -> list[bytes]:
    shown = []
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            shown.append(value.strip())
        if name == b"authorization":
            # Of any other scheme it is a wrong key.
            shown.append(value[7:].strip() if value[:7].lower() == b"bearer " else b"")
    return shown
