from __future__ import annotations

import asyncio

import pytest
from starlette.responses import PlainTextResponse

from mastowatch.web.auth import KeyGuard, over_unix_socket

INSIDE = PlainTextResponse("inside")


def status(headers=(), key: str | None = "secret", path: str = "/jobs/queues", **scope) -> int:
    sent: list[dict] = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request"}

    whole = {"type": "http", "method": "GET", "path": path, "headers": list(headers), "server": ("127.0.0.1", 8080)}
    asyncio.run(KeyGuard(INSIDE, key, ("/healthz",))({**whole, **scope}, receive, send))
    return sent[0]["status"]


@pytest.mark.parametrize("shown", [(b"authorization", b"Bearer secret"), (b"x-api-key", b"secret")])
def test_lets_the_key_in(shown):
    assert status([shown]) == 200


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"authorization", b"Bearer secre")],
        [(b"authorization", b"Basic secret")],
        [(b"authorization", b"secret")],
        [(b"x-api-key", b"")],
        [(b"x-api-key", "sécret".encode("latin-1"))],
    ],
)
def test_refuses_all_else(headers):
    assert status(headers) == 401


def test_without_a_key_set_up_tcp_is_closed_even_to_an_empty_key():
    assert status([(b"x-api-key", b"")], key=None) == 403
    assert status([(b"x-api-key", b"")], key="") == 403


def test_health_is_open_and_nothing_that_only_looks_like_it():
    assert status(path="/healthz") == 200
    assert status(path="/healthz/../jobs/queues") == 401
    assert status(path="//healthz") == 401


def test_a_unix_socket_is_told_by_the_servers_own_end():
    assert status(server=("/run/mastowatch/api.sock", None)) == 200


def test_a_tcp_client_that_hung_up_before_it_was_looked_at_is_still_a_stranger():
    assert not over_unix_socket({"server": ("127.0.0.1", 8080), "client": None})
    assert status(client=None) == 401
    assert status(server=None) == 401
