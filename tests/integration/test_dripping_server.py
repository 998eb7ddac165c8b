"""A server that sends a byte now and then, for ever, holds nobody who asks it: each answer is bounded as a whole."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from mastowatch.adapters.mastodon_oauth import Http
from mastowatch.adapters.mastodon_probe import MastodonProbe
from mastowatch.errors import MastodonUnreachable
from tests.local_http import serving

PATIENCE_S = 0.5
GIVEN_UP = 60
BEGINNINGS = {
    "status line": b"HTTP/1.",
    "head": b"HTTP/1.1 200 OK\r\nX-Head: ",
    "body": b"HTTP/1.1 200 OK\r\nContent-Length: 8000\r\n\r\n",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "until it hangs up": b"HTTP/1.1 200 OK\r\n\r\n{",
}


class Dripping(BaseHTTPRequestHandler):
    """Sends its beginning, then a byte every 50 ms until the other side has gone; ``sent`` counts these."""

    beginning = b""
    sent = 0
    left = threading.Event()

    def do_GET(self) -> None:
        kind = type(self)
        try:
            self.wfile.write(self.beginning)
            while kind.sent < GIVEN_UP / 0.05 and not kind.left.wait(0.05):
                self.wfile.write(b"1")
                kind.sent += 1
        except OSError:
            kind.left.set()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(params=BEGINNINGS)
def dripping(request: pytest.FixtureRequest) -> Iterator[str]:
    class This(Dripping):
        beginning, left = BEGINNINGS[request.param], threading.Event()

    with serving(This) as url:
        yield url
        hung_up = This.left.wait(10)
        This.left.set()
        assert hung_up, "the connection was left open"
    assert This.sent < GIVEN_UP / 0.05


def test_a_probe_is_told_that_it_is_too_slow(dripping: str):
    reply = MastodonProbe(dripping, user_agent="x", timeout_s=PATIENCE_S).ask("GET", "/x")
    assert (reply.status, reply.problem) == (0, "its answer was too long, or too slow")


def test_what_is_done_with_secrets_ends_as_well(dripping: str):
    with pytest.raises(MastodonUnreachable, match="was too long, or too slow"):
        Http(dripping, "x", PATIENCE_S, hint="").ask("GET", "/x")
