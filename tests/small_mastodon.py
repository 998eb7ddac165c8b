"""A whole small Mastodon on the server that enforces the limits: accounts, posts, timelines, streaming, reports.

Ids carry the time, as Mastodon's do. Pages are 200 accounts and 40 posts.
"""

from __future__ import annotations

import itertools
import json
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.strict_mastodon import Query, StrictMastodon, strict_mastodon

BOT = "1"
STREAMS = {"": None, "/local": True, "/remote": False}


class Connection:
    """A client on the stream, as the server sees it."""

    def __init__(self, path: str, token: str) -> None:
        self.path, self.token = path, token
        self._queue: queue.Queue[bytes | None] = queue.Queue()
        self.gone = threading.Event()

    def send(self, data: bytes) -> None:
        """Send bytes as they are, in a chunk of their own."""
        self._queue.put(data)

    def heartbeat(self) -> None:
        self.send(b":thump\n")

    def event(self, name: str, payload: object) -> None:
        self.send(f"event: {name}\ndata: {json.dumps(payload, ensure_ascii=False)}\n\n".encode())

    def close(self) -> None:
        self._queue.put(None)

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        try:
            while (data := self._queue.get()) is not None:
                handler.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
                handler.wfile.flush()
        except OSError:
            pass
        self.gone.set()


@dataclass
class SmallMastodon:
    """What the server knows. ``refuse`` is the code that streaming answers with, 0 for none."""

    strict: StrictMastodon
    accounts: dict[int, bytes] = field(default_factory=dict)
    profiles: dict[int, dict[str, Any]] = field(default_factory=dict)
    statuses: dict[int, dict[str, Any]] = field(default_factory=dict)
    reports: list[dict[str, Any]] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    clock: Callable[[], float] = time.time
    refuse: int = 0
    attempts: int = 0
    lock: threading.Lock = field(default_factory=threading.RLock)
    _number: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        me = {"id": BOT, "username": "bot", "acct": "bot", "created_at": "2020-01-01T00:00:00.000Z"}
        routes = {
            r"GET /api/v1/accounts/verify_credentials": lambda match, query: me,
            r"GET /api/v2/admin/accounts": lambda match, query: self._account_page(query),
            r"GET /api/v1/admin/accounts/(\d+)": lambda match, query: self.accounts.get(int(match[1])),
            r"GET /api/v1/accounts/(\d+)/statuses": lambda match, query: self._statuses_of(match[1]),
            r"GET /api/v1/statuses": lambda match, query: self._some(query["id[]"]),
            r"GET /api/v1/statuses/(\d+)": lambda match, query: self.statuses.get(int(match[1])),
            r"GET /api/v1/timelines/public": lambda match, query: self._timeline(query),
            r"GET /api/v1/accounts/(\d+)/followers": lambda match, query: [],
            r"GET /api/v1/admin/reports": lambda match, query: self._reports_on(query),
            r"GET /api/v1/admin/reports/(\d+)": lambda match, query: self._one_report(int(match[1])),
            r"POST /api/v1/reports": lambda match, form: self._report(form),
        }
        self.strict.routes += [(re.compile(pattern), route) for pattern, route in routes.items()]
        for path in STREAMS:
            self.strict.streams[f"/api/v1/streaming/public{path}"] = self._stream

    # --- what happens there ---

    def new_id(self, at: float | None = None) -> int:
        return (int((at or self.clock()) * 1000) << 16) + next(self._number) % 65536

    def add_account(self, *, domain: str | None = "far.example", at: float | None = None, **changes: Any) -> str:
        number = self.new_id(at)
        name = f"a{number}"
        born = datetime.fromtimestamp(at or self.clock(), UTC).isoformat()
        profile = {
            "id": str(number), "username": name, "acct": f"{name}@{domain}" if domain else name, "display_name": name,
            "note": "<p>Hello</p>", "url": f"https://{domain or 'm.example'}/@{name}", "created_at": born,
            "followers_count": 20, "following_count": 30, "statuses_count": 5, "bot": False, "fields": [], **changes,
        }  # fmt: skip
        admin = {
            "id": str(number), "username": name, "domain": domain, "created_at": born, "account": profile,
            "email": "someone@secret.example", "ip": "203.0.113.7", "role": None,
        }  # fmt: skip
        with self.lock:
            self.profiles[number], self.accounts[number] = profile, json.dumps(admin).encode()
        return str(number)

    def post(
        self, account_id: str, text: str = "Hello", *, at: float | None = None, tell: bool = True, **changes: Any
    ) -> str:
        """Let an account post; ``tell`` those who listen on the stream."""
        number = self.new_id(at)
        created = datetime.fromtimestamp(at or self.clock(), UTC).isoformat()
        status = {
            "id": str(number), "created_at": created, "account": self.profiles[int(account_id)], "visibility": "public",
            "content": f"<p>{text}</p>", "spoiler_text": "", "language": "en", "mentions": [], "tags": [],
            "media_attachments": [], "in_reply_to_account_id": None, "reblog": None, "edited_at": None, **changes,
        }  # fmt: skip
        with self.lock:
            self.statuses[number] = status
        if tell:
            self.tell("update", status)
        return str(number)

    def tell(self, name: str, payload: object) -> None:
        for connection in list(self.connections):
            if not connection.gone.is_set():
                connection.event(name, payload)

    # --- what it answers ---

    def _account_page(self, query: Query) -> bytes:
        limit = min(int(query.get("limit", ["100"])[0]), 200)
        remote = query.get("origin", ["remote"])[0] == "remote"
        with self.lock:
            ids = [one for one, profile in self.profiles.items() if ("@" in profile["acct"]) == remote]
        return b"[" + b",".join(self.accounts[one] for one in _page(ids, query, limit)) + b"]"

    def _statuses_of(self, account_id: str) -> object:
        if int(account_id) not in self.accounts:
            return None
        with self.lock:
            theirs = [one for one, status in self.statuses.items() if status["account"]["id"] == account_id]
        return [self.statuses[one] for one in sorted(theirs, reverse=True)[:40]]

    def _some(self, ids: list[str]) -> object:
        return [self.statuses[int(one)] for one in ids[:20] if int(one) in self.statuses]

    def _timeline(self, query: Query) -> object:
        with self.lock:
            public = [
                one
                for one, status in self.statuses.items()
                if status["visibility"] == "public"
                and not ("local" in query and "@" in status["account"]["acct"])
                and not ("remote" in query and "@" not in status["account"]["acct"])
            ]
        return [self.statuses[one] for one in _page(public, query, 40)]

    def _report(self, form: Query) -> object:
        with self.lock:
            self.reports.append(
                {
                    "id": str(len(self.reports) + 1),
                    "account": {"id": BOT},
                    "target_account": {"id": form["account_id"][0]},
                    "comment": form.get("comment", [""])[0],
                    "created_at": datetime.fromtimestamp(self.clock(), UTC).isoformat(),
                    "action_taken": False,
                    "statuses": [{"id": one} for one in form.get("status_ids[]", [])],
                }
            )
            return self.reports[-1]

    def _reports_on(self, query: Query) -> object:
        """None of them is ever resolved."""
        target = query.get("target_account_id", [""])[0]
        found = [one for one in self.reports if target in ("", one["target_account"]["id"])]
        return [] if "resolved" in query else found

    def _one_report(self, number: int) -> object:
        return self.reports[number - 1] if 0 < number <= len(self.reports) else None

    def _stream(self, handler: BaseHTTPRequestHandler) -> None:
        self.attempts += 1
        if self.refuse:
            handler.send_error(self.refuse)
            return
        connection = Connection(handler.path, handler.headers.get("Authorization", ""))
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.flush()
        self.connections.append(connection)
        connection.serve(handler)
        self.connections.remove(connection)

    def hang_up(self) -> None:
        """Close all streams."""
        for connection in list(self.connections):
            connection.close()


@contextmanager
def small_mastodon() -> Iterator[SmallMastodon]:
    """Run one on a free port, with Mastodon's own limits; all streams are closed at the end."""
    with strict_mastodon() as strict:
        small = SmallMastodon(strict)
        yield small
        small.hang_up()


def _page(ids: list[int], query: Query, limit: int) -> list[int]:
    """Return a page as Mastodon cuts it: right above min_id, or right below max_id, newest first."""
    ordered = sorted(ids, reverse=True)
    if "min_id" in query:
        return [one for one in ordered if one > int(query["min_id"][0])][-limit:]
    if "max_id" in query:
        ordered = [one for one in ordered if one < int(query["max_id"][0])]
    return ordered[:limit]
