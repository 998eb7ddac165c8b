"""Takes the path of DASHBOARD_URL off each request, so that the pages need not know of it.

A proxy passes the path on as it is. What asks this process itself, without the path, gets its health; a person who
comes through a tunnel is led to where the pages are.
"""

from __future__ import annotations

from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mastowatch.web.dashboard.access.address import Address

_BESIDE = ("/healthz",)


class Prefix:
    """Serves ``app`` below the base of ``address``, and nothing else."""

    def __init__(self, app: ASGIApp, address: Address) -> None:
        self._app, self._base = app, address.base

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope.get("path", "")
        if scope["type"] != "http" or not self._base or path in _BESIDE:
            await self._app(scope, receive, send)
        elif path.startswith(f"{self._base}/"):
            inner = path[len(self._base) :]
            # In place: what stands around this one shows the page of an error by it.
            scope.update(path=inner, raw_path=inner.encode())
            await self._app(scope, receive, send)
        elif path in ("/", self._base):
            await RedirectResponse(f"{self._base}/", 303)(scope, receive, send)
        else:
            told = f"The dashboard is at {self._base}/, as DASHBOARD_URL says.\n"
            await PlainTextResponse(told, status_code=404)(scope, receive, send)
