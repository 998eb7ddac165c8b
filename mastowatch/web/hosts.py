"""Refuses a Host that is not ours: a page elsewhere could point its own name at 127.0.0.1 and read ours.

That attack (DNS rebinding) needs a name, so addresses are always let in, names only where they are known.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_REFUSAL = "This name is not served here. Use the dashboard's address, or have your proxy send `Host: localhost`.\n"


class HostGuard:
    """Lets a request pass to ``app`` if its Host is an address, localhost, or one of ``names``."""

    def __init__(self, app: ASGIApp, names: Collection[str] = ()) -> None:
        self._app, self._names = app, frozenset({"localhost", *(name.lower() for name in names)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        host = "" if scope["type"] == "lifespan" else Headers(scope=scope).get("host", "")
        if scope["type"] == "lifespan" or self._ours(host):
            await self._app(scope, receive, send)
            return
        await PlainTextResponse(_REFUSAL, status_code=421)(scope, receive, send)

    def _ours(self, host: str) -> bool:
        name = host_name(host)
        return name in self._names or is_address(name)


def host_name(host: str) -> str:
    """Return a Host header's name or address in lower case, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def is_address(name: str) -> bool:
    """Return whether a name is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
