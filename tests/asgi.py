"""A client of an ASGI app without a server: httpx' own transport, made synchronous."""

from __future__ import annotations

import asyncio

import httpx
from starlette.types import ASGIApp


class _Transport(httpx.BaseTransport):
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run(self._handle(request))

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=False, client=("127.0.0.1", 50000))
        passed_on = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        response = await transport.handle_async_request(passed_on)
        return httpx.Response(response.status_code, headers=response.headers, content=await response.aread())


def client_of(app: ASGIApp, base_url: str = "http://127.0.0.1:8080") -> httpx.Client:
    """Return a client that speaks to ``app`` as if over TCP."""
    return httpx.Client(transport=_Transport(app), base_url=base_url)
