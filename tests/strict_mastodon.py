"""A tiny Mastodon that really enforces the three throttles, as config/initializers/rack_attack.rb does.

Windows are aligned to the epoch, the headers describe whichever throttle has the fewest requests left, and Reset
is ISO 8601 with the present fraction of a second. mastodon-mock does none of this.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from tests.local_http import serving

Query = Mapping[str, list[str]]
Route = Callable[[re.Match[str], Query], object]
PAGING = {"page", "max_id", "min_id", "since_id"}


@dataclass
class Throttle:
    """At most ``limit`` requests in each window of ``window_s`` seconds."""

    name: str
    limit: int
    window_s: int
    paged_only: bool = False
    counts: dict[int, int] = field(default_factory=dict)

    def count(self, now: float) -> int:
        """Count a request and return how many are left, less than 0 if it was one too many."""
        window = int(now // self.window_s)
        self.counts[window] = self.counts.get(window, 0) + 1
        return self.limit - self.counts[window]

    def headers(self, left: int, now: float) -> dict[str, str]:
        reset = datetime.fromtimestamp(now + self.window_s - int(now) % self.window_s, UTC)
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, left)),
            "X-RateLimit-Reset": reset.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }


@dataclass
class StrictMastodon:
    """A running server. ``codes`` are the statuses it answered with; ``answers`` give a path's JSON,
    ``bodies`` its bytes, however broken.

    ``routes`` are (pattern of "METHOD path", function of the match and the query or form) to an answer's JSON, or None
    for 404; bytes are JSON already. ``streams`` take over a connection, which the throttles don't count. ``latency_s``
    goes before each answer.
    """

    throttles: tuple[Throttle, ...]
    routes: list[tuple[re.Pattern[str], Route]] = field(default_factory=list)
    streams: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    latency_s: float = 0.0
    answers: dict[str, Callable[[Mapping[str, list[str]]], object]] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    codes: list[int] = field(default_factory=list)
    url: str = ""
    clock: Callable[[], float] = time.time
    lock: threading.Lock = field(default_factory=threading.Lock)

    def admit(self, query: Mapping[str, list[str]]) -> tuple[bool, dict[str, str]]:
        """Count a request; returns whether it may pass, and the headers of its answer."""
        now = self.clock()
        with self.lock:
            concerned = [one for one in self.throttles if not one.paged_only or PAGING & query.keys()]
            left = [(one.count(now), number) for number, one in enumerate(concerned)]
        fewest, number = min(left)
        return fewest >= 0, concerned[number].headers(fewest, now)

    def answer(self, method: str, path: str, query: Query) -> tuple[int, bytes]:
        """Return the code and the body of a request that may pass."""
        if path in self.bodies:
            return 200, self.bodies[path]
        for pattern, route in self.routes:
            if match := pattern.fullmatch(f"{method} {path}"):
                found = route(match, query)
                if found is None:
                    return 404, b'{"error": "Record not found"}'
                return 200, found if isinstance(found, bytes) else json.dumps(found).encode()
        return 200, json.dumps(self.answers.get(path, lambda _: [])(query)).encode()


@contextmanager
def strict_mastodon(
    *,
    per_5_min: int = 300,
    per_user: int = 1500,
    paged: int = 300,
    short_s: int = 300,
    long_s: int = 900,
    clock: Callable[[], float] = time.time,
) -> Iterator[StrictMastodon]:
    """Run one on a free port; ``short_s`` and ``long_s`` are the lengths of its windows."""
    throttles = (
        Throttle("token", per_5_min, short_s),
        Throttle("user", per_user, short_s),
        Throttle("paging", paged, long_s, paged_only=True),
    )
    strict = StrictMastodon(throttles, clock=clock)
    with serving(_handler(strict)) as strict.url:
        yield strict


def _handler(strict: StrictMastodon) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path in strict.streams:
                strict.streams[url.path](self)
                self.close_connection = True
                return
            self._answer(parse_qs(url.query), url.path)

        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            self._answer(parse_qs(form), urlsplit(self.path).path)

        def _answer(self, query: Query, path: str) -> None:
            passed, headers = strict.admit(query)
            if strict.latency_s:
                time.sleep(strict.latency_s)
            code, body = 429, b'{"error": "Too many requests"}'
            if passed:
                code, body = strict.answer(self.command, path, query)
            self._send(code, headers, body)

        def _send(self, code: int, headers: Mapping[str, str], body: bytes) -> None:
            strict.codes.append(code)
            self.send_response(code)
            for name, value in {**headers, "Content-Type": "application/json", "Content-Length": len(body)}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    return Handler
