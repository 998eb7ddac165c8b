"""A Mastodon of any size in a process of its own: ``python -m benchmarks.load.server PORT``.

As much of Mastodon as MastoWatch asks for. Accounts and posts are made when they are asked for; what is kept are the
reports. ``POST /_load/grow`` with a number of accounts lets so many be there, and ``GET /_load/state`` tells what was
asked and filed so far. Whoever connects to the stream gets each post once, as fast as it reads.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from benchmarks.load.people import Resident, is_local, resident

BOT = "1"
PER_5_MIN = PAGED_PER_15_MIN = 100_000
PAGE, STATUSES, AT_ONCE = 200, 40, 20
# Ids carry the time. An account has room for so many posts.
POSTS_MAX = 128
_DAY_S = 86_400
# A post on the stream takes so much; as many go in one write.
_POSTS_A_WRITE = 50
_PAGING = frozenset({"page", "max_id", "min_id", "since_id"})
Query = Mapping[str, list[str]]


@dataclass(eq=False)
class Town:
    """All that is there: ``steps`` are the numbers of accounts up to which it has grown, and when (epoch seconds)."""

    first_account: int
    first_status: int
    steps: list[tuple[int, float]] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    by_target: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    streamed: int = 0  # accounts whose posts have all gone out
    grown: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def size(self) -> int:
        """How many accounts there are."""
        return self.steps[-1][0] if self.steps else 0

    def since(self, number: int) -> float:
        """Return when the account came in: its ages are counted from there."""
        return next(at for size, at in self.steps if number < size)

    def number(self, account_id: str) -> int | None:
        """Return the number of an account; None where nobody has that id."""
        number = int(account_id) - self.first_account if account_id.isdecimal() else -1
        return number if 0 <= number < self.size else None

    # --- entities ---

    def profile(self, one: Resident) -> dict[str, Any]:
        """Return an Account entity."""
        person, at = one.person, self.since(one.number)
        url = f"https://{one.domain or 'this.example'}/@{one.username}"
        return {
            "id": str(self.first_account + one.number),
            "username": one.username,
            "acct": one.acct,
            "display_name": person.name or one.username,
            "locked": False,
            "bot": person.bot,
            "discoverable": True,
            "indexable": False,
            "group": False,
            "created_at": _iso(at, person.age),
            "note": one.note,
            "url": url,
            "uri": url,
            "avatar": f"https://files.example/accounts/avatars/{one.number}/original/8f3a91c2d7b04e65.png",
            "avatar_static": f"https://files.example/accounts/avatars/{one.number}/original/8f3a91c2d7b04e65.png",
            "header": "https://this.example/headers/original/missing.png",
            "header_static": "https://this.example/headers/original/missing.png",
            "followers_count": person.followers,
            "following_count": 30,
            "statuses_count": len(one.toots),
            "last_status_at": _iso(at, one.toots[0].post.ago)[:10] if one.toots else None,
            "hide_collections": None,
            "emojis": [],
            "fields": [],
        }

    def admin_account(self, number: int) -> dict[str, Any]:
        """Return an Admin::Account entity."""
        one = resident(number)
        profile = self.profile(one)
        return {
            "id": profile["id"],
            "username": one.username,
            "domain": one.domain,
            "created_at": profile["created_at"],
            "email": "somebody@mail.example" if one.domain is None else "",
            "ip": None,
            "role": None,
            "confirmed": True,
            "suspended": False,
            "silenced": False,
            "sensitized": False,
            "disabled": False,
            "approved": True,
            "locale": None,
            "invite_request": None,
            "ips": [],
            "account": profile,
        }

    def status(self, one: Resident, place: int, profile: Mapping[str, Any]) -> dict[str, Any]:
        """Return a Status entity; ``place`` 0 is the account's newest."""
        toot = one.toots[place]
        status_id = self.first_status + one.number * POSTS_MAX + len(one.toots) - place
        url = f"https://{one.domain or 'this.example'}/@{one.username}/{status_id}"
        return {
            "id": str(status_id),
            "created_at": _iso(self.since(one.number), toot.post.ago),
            "in_reply_to_id": str(self.first_status) if toot.post.reply else None,
            "in_reply_to_account_id": str(self.first_account) if toot.post.reply else None,
            "sensitive": False,
            "spoiler_text": "",
            "visibility": "public",
            "language": one.person.language,
            "uri": url,
            "url": url,
            "replies_count": 0,
            "reblogs_count": 0,
            "favourites_count": 0,
            "edited_at": None,
            "content": toot.html,
            "reblog": None,
            "account": profile,
            "media_attachments": [_media(one.number, blurhash) for blurhash in toot.post.media],
            "mentions": [_mentioned(acct) for acct in toot.mentions],
            "tags": [{"name": tag, "url": f"https://this.example/tags/{tag}"} for tag in toot.tags],
            "emojis": [],
            "card": None,
            "poll": None,
        }

    def posts(self, number: int) -> list[dict[str, Any]]:
        """Return an account's newest posts."""
        one = resident(number)
        profile = self.profile(one)
        return [self.status(one, place, profile) for place in range(min(len(one.toots), STATUSES))]

    def post(self, status_id: str) -> dict[str, Any] | None:
        """Return a post by its id."""
        number, above = divmod(int(status_id) - self.first_status, POSTS_MAX)
        if not 0 <= number < self.size:
            return None
        one = resident(number)
        place = len(one.toots) - above
        return self.status(one, place, self.profile(one)) if 0 <= place < len(one.toots) else None

    # --- answers; None is 404 ---

    def page(self, query: Query) -> bytes:
        """Return a page of Admin::Account as Mastodon cuts it."""
        limit = min(int(query.get("limit", ["100"])[0]), PAGE)
        local = query.get("origin", ["remote"])[0] == "local"
        if "min_id" in query:
            above = max(0, int(query["min_id"][0]) - self.first_account + 1)
            numbers = list(_first(limit, (one for one in range(above, self.size) if is_local(one) is local)))[::-1]
        else:
            below = int(query["max_id"][0]) - self.first_account if "max_id" in query else self.size
            downwards = range(min(below, self.size) - 1, -1, -1)
            numbers = list(_first(limit, (one for one in downwards if is_local(one) is local)))
        return b"[" + b",".join(_packed(self, one) for one in numbers) + b"]"

    def reported(self, query: Query) -> list[dict[str, Any]]:
        """Return the open reports on an account; none is ever resolved."""
        if "resolved" in query:
            return []
        return self.by_target.get(query.get("target_account_id", [""])[0], [])

    def report(self, form: Query) -> dict[str, Any] | None:
        """Take a report."""
        target = form["account_id"][0]
        if self.number(target) is None:
            return None
        filed = {
            "id": str(len(self.reports) + 1),
            "account": {"id": BOT},
            "target_account": {"id": target},
            "comment": form.get("comment", [""])[0],
            "created_at": _iso(time.time(), timedelta()),
            "action_taken": False,
            "statuses": [{"id": one} for one in form.get("status_ids[]", [])],
        }
        self.reports.append(filed)
        self.by_target.setdefault(target, []).append(filed)
        return filed

    def one_report(self, number: str) -> dict[str, Any] | None:
        """Return a report by its id."""
        return self.reports[int(number) - 1] if 0 < int(number) <= len(self.reports) else None

    def state(self) -> dict[str, Any]:
        """Return what was asked and filed so far; ``reported`` by the number of an account."""
        times = Counter(int(target) - self.first_account for target in self.by_target for _ in self.by_target[target])
        return {"asked": dict(self.asked), "reported": dict(times), "streamed": self.streamed, "size": self.size}

    def grow(self, form: Query) -> dict[str, Any]:
        """Let so many accounts be there from now on."""
        self.steps.append((int(form["accounts"][0]), time.time()))
        self.grown.set()
        return {"highest_remote": str(self._highest(local=False)), "highest_local": str(self._highest(local=True))}

    def _highest(self, *, local: bool) -> int:
        return self.first_account + next(one for one in range(self.size - 1, -1, -1) if is_local(one) is local)


@lru_cache(maxsize=4096)
def _packed(town: Town, number: int) -> bytes:
    found: bytes = json.dumps(town.admin_account(number), ensure_ascii=False).encode()
    return found


def _first(limit: int, numbers: Iterator[int]) -> Iterator[int]:
    for _, number in zip(range(limit), numbers, strict=False):
        yield number


def _iso(at: float, ago: timedelta) -> str:
    return (datetime.fromtimestamp(at, UTC) - ago).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _media(number: int, blurhash: str) -> dict[str, Any]:
    url = f"https://files.example/media/{number}/original/4c1b.png"
    return {"id": str(number), "type": "image", "url": url, "preview_url": url, "description": "", "blurhash": blurhash}


def _mentioned(acct: str) -> dict[str, Any]:
    name = acct.partition("@")[0]
    return {"id": "9", "username": name, "acct": acct, "url": f"https://other.example/@{name}"}


# --- HTTP ---

Route = Callable[[Town, "re.Match[str]", Query], object]
_ME = {"id": BOT, "username": "bot", "acct": "bot", "created_at": "2020-01-01T00:00:00.000Z"}
# A function of the town, the match and the query or form.
_ROUTES: list[tuple[str, str, Route]] = [
    ("page", r"GET /api/v2/admin/accounts", lambda town, _, query: town.page(query)),
    ("account", r"GET /api/v1/admin/accounts/(\d+)", lambda town, match, _: _account(town, match[1])),
    ("posts", r"GET /api/v1/accounts/(\d+)/statuses", lambda town, match, _: _posts(town, match[1])),
    ("followers", r"GET /api/v1/accounts/(\d+)/followers", lambda *_: []),
    ("posts by id", r"GET /api/v1/statuses", lambda town, _, query: _some(town, query["id[]"])),
    ("post", r"GET /api/v1/statuses/(\d+)", lambda town, match, _: town.post(match[1])),
    ("timeline", r"GET /api/v1/timelines/public", lambda *_: []),
    ("reports", r"GET /api/v1/admin/reports", lambda town, _, query: town.reported(query)),
    ("report", r"GET /api/v1/admin/reports/(\d+)", lambda town, match, _: town.one_report(match[1])),
    ("file", r"POST /api/v1/reports", lambda town, _, form: town.report(form)),
    ("me", r"GET /api/v1/accounts/verify_credentials", lambda *_: _ME),
    ("instance", r"GET /api/v2/instance", lambda *_: {"domain": "this.example", "version": "4.5.0"}),
    ("", r"POST /_load/grow", lambda town, _, form: town.grow(form)),
    ("", r"GET /_load/state", lambda town, *_: town.state()),
]
_COMPILED = [(name, re.compile(pattern), route) for name, pattern, route in _ROUTES]


def _account(town: Town, account_id: str) -> bytes | None:
    number = town.number(account_id)
    return None if number is None else _packed(town, number)


def _posts(town: Town, account_id: str) -> object:
    number = town.number(account_id)
    return None if number is None else town.posts(number)


def _some(town: Town, ids: list[str]) -> object:
    return [one for one in map(town.post, ids[:AT_ONCE]) if one is not None]


class Limits:
    """Counts requests in Mastodon's windows, and tells in its headers how many are left."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, int]] = Counter()

    def headers(self, query: Query) -> str:
        """Count a request and return the headers on whichever limit has the fewest left."""
        now = time.time()
        families = [("token", PER_5_MIN, 300), *([("paging", PAGED_PER_15_MIN, 900)] if _PAGING & query.keys() else [])]
        left = []
        for name, limit, window_s in families:
            window = int(now // window_s)
            self._counts[name, window] += 1
            left.append((limit - self._counts[name, window], limit, (window + 1) * window_s))
        fewest, limit, ends = min(left)
        reset = datetime.fromtimestamp(ends + now % 1, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return (
            f"X-RateLimit-Limit: {limit}\r\nX-RateLimit-Remaining: {max(0, fewest)}\r\nX-RateLimit-Reset: {reset}\r\n"
        )


class Server:
    """Answers connections, each kept as long as its client wants."""

    def __init__(self, town: Town) -> None:
        self._town, self._limits = town, Limits()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it ends."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                method, target, _ = head.split("\r\n", 1)[0].split(" ", 2)
                length = re.search(r"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
                body = await reader.readexactly(int(length[1])) if length else b""
                url = urlsplit(target)
                if url.path.startswith("/api/v1/streaming/public"):
                    await self._stream(writer)
                    break
                query = parse_qs(body.decode() if method == "POST" else url.query)
                writer.write(self._answer(f"{method} {url.path}", query))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, asked: str, query: Query) -> bytes:
        code, found, limits = "404 Not Found", b'{"error": "Record not found"}', ""
        for name, pattern, route in _COMPILED:
            if match := pattern.fullmatch(asked):
                if name:
                    self._town.asked[name] += 1
                    limits = self._limits.headers(query)
                answer = route(self._town, match, query)
                if answer is not None:
                    code = "200 OK"
                    found = answer if isinstance(answer, bytes) else json.dumps(answer, ensure_ascii=False).encode()
                break
        head = f"HTTP/1.1 {code}\r\nContent-Type: application/json\r\n{limits}Content-Length: {len(found)}\r\n\r\n"
        return head.encode() + found

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        _chunk(writer, b":)\n")
        await writer.drain()
        town = self._town
        while True:
            while town.streamed < town.size:
                waiting: list[bytes] = []
                while town.streamed < town.size and len(waiting) < _POSTS_A_WRITE:
                    waiting += self._events(town.streamed)
                    town.streamed += 1
                _chunk(writer, b"".join(waiting))
                await writer.drain()
            town.grown.clear()
            try:
                await asyncio.wait_for(town.grown.wait(), 10)
            except TimeoutError:
                _chunk(writer, b":thump\n")
                await writer.drain()

    def _events(self, number: int) -> Iterator[bytes]:
        one = resident(number)
        profile = self._town.profile(one)
        for place in range(len(one.toots)):
            # Mastodon leaves replies to others out; here they are shown, so that each post comes in.
            status = json.dumps(self._town.status(one, place, profile), ensure_ascii=False)
            yield f"event: update\ndata: {status}\n\n".encode()


def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    if data:
        writer.write(b"%x\r\n%b\r\n" % (len(data), data))


async def main(port: int) -> None:
    """Serve until the process is ended."""
    day_ago = int((time.time() - _DAY_S) * 1000) << 16
    town = Town(day_ago, day_ago)
    server = await asyncio.start_server(Server(town).serve, "127.0.0.1", port, limit=1 << 20)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
