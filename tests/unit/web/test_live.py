"""The stream of events, spoken to as a server would."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

from mastowatch.web import live as lives
from mastowatch.web.live import ENDING, Event, Live


class Client:
    """One that listens: what it hears stands in ``heard``. After ``takes`` parts of the body it takes no more."""

    def __init__(self, live: Live[int], takes: int | None = None) -> None:
        self._takes, self.stuck = takes, asyncio.Event()
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.heard = b""
        self.ending = asyncio.Event()
        self._left, self._news = asyncio.Event(), asyncio.Event()
        scope = {"type": "http", "path": "/events", "method": "GET", "headers": [], ENDING: self.ending}
        self.task = asyncio.create_task(live.response()(scope, self._receive, self._send))

    async def _receive(self):
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message):
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        elif self._takes is not None:
            self._takes -= 1
            if self._takes < 0:
                self.stuck.set()
                await asyncio.Event().wait()
        self.heard += message.get("body", b"")
        self._news.set()

    async def hears(self, text: bytes) -> None:
        async with asyncio.timeout(20):
            while text not in self.heard:
                self._news.clear()
                await self._news.wait()

    def hangs_up(self) -> None:
        self._left.set()

    async def leaves(self) -> None:
        self.hangs_up()
        async with asyncio.timeout(20):
            await self.task


@contextlib.asynccontextmanager
async def clients(live: Live[int], count: int = 1) -> AsyncIterator[list[Client]]:
    found = [Client(live) for _ in range(count)]
    try:
        for one in found:
            await one.hears(b"retry:")
        yield found
    finally:
        for one in found:
            await one.leaves()


class Looks:
    """Counts how often it was looked."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> int:
        self.count += 1
        return self.count


def told(before: int | None, now: int) -> Iterator[Event]:
    yield Event("hello" if before is None else "count", f"{now}")


def quick(looks: Looks, **options: object) -> Live[int]:
    return Live(looks, told, every_s=0.001, **options)


def test_one_look_serves_all_who_listen():
    async def run() -> None:
        looks = Looks()
        live = quick(looks)
        async with clients(live, 3) as found:
            for one in found:
                await one.hears(b"event: count\ndata: 20\n\n")
            assert found[0].headers[b"content-type"].startswith(b"text/event-stream")
            assert b"content-length" not in found[0].headers
        told_of = looks.count
        assert not live.looking
        await asyncio.sleep(0)
        assert looks.count <= told_of + 1, "nobody looks while nobody listens"

    asyncio.run(run())


def test_who_comes_later_is_told_at_once_how_things_stand():
    async def run() -> None:
        live: Live[int] = Live(Looks(), told, every_s=3600)
        async with clients(live) as (first,):
            await first.hears(b"event: hello\ndata: 1\n\n")
            async with clients(live) as (second,):
                await second.hears(b"event: hello\ndata: 1\n\n")

    asyncio.run(run())


def test_streams_end_when_the_server_says_so():
    async def run() -> None:
        live: Live[int] = Live(Looks(), told, every_s=3600)
        async with clients(live) as (one,):
            one.ending.set()
            async with asyncio.timeout(20):
                await one.task
        assert not live.looking

    asyncio.run(run())


def test_a_stream_does_not_last_for_ever():
    async def run() -> None:
        async with clients(quick(Looks(), lives_s=0.01)) as (one,):
            async with asyncio.timeout(20):
                await one.task

    asyncio.run(run())


def test_one_too_many_is_told_to_come_later():
    async def run() -> None:
        live = quick(Looks(), at_most=2)
        async with clients(live, 2):
            third = Client(live)
            await third.task
            assert (third.status, third.headers[b"retry-after"]) == (503, b"5")
        async with clients(live) as (again,):
            assert again.status == 200

    asyncio.run(run())


def test_who_cannot_keep_up_is_let_go(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lives, "BEHIND_MAX", 3)

    async def run() -> None:
        live = quick(Looks())
        async with clients(live) as (keeps_up,):
            with live.listening() as slow:
                await keeps_up.hears(b"data: 20\n")
                assert await slow.next() is None

    asyncio.run(run())


@pytest.mark.parametrize("why", ["behind", "server stops", "life is over", "client has left"])
def test_who_takes_nothing_any_more_gives_its_place_up(monkeypatch: pytest.MonkeyPatch, why: str):
    monkeypatch.setattr(lives, "BEHIND_MAX", 3 if why == "behind" else 10**9)

    async def run() -> None:
        live = quick(Looks(), at_most=1, lives_s=0.01 if why == "life is over" else 3600)
        stuck = Client(live, takes=1)
        async with asyncio.timeout(20):
            await stuck.stuck.wait()
            if why == "server stops":
                stuck.ending.set()
            if why == "client has left":
                stuck.hangs_up()
            await stuck.task
        assert not live.full
        assert not live.looking

    asyncio.run(run())


def test_a_silent_stream_shows_that_it_lives(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lives, "HEARTBEAT_S", 0.01)

    async def run() -> None:
        live: Live[int] = Live(Looks(), lambda _before, _now: (), every_s=3600)
        async with clients(live) as (one,):
            await one.hears(b"\n\n:\n\n")

    asyncio.run(run())


def test_a_look_that_fails_ends_the_streams_and_the_next_begins_anew(caplog: pytest.LogCaptureFixture):
    failing = [True]

    def look() -> int:
        if failing[0]:
            raise ValueError
        return 1

    async def run() -> None:
        live = Live(look, told, every_s=0.001)
        one = Client(live)
        async with asyncio.timeout(20):
            await one.task
        failing.clear()
        failing.append(False)
        async with clients(live) as (again,):
            await again.hears(b"event: hello\ndata: 1\n\n")

    asyncio.run(run())
    assert "live_failed" in caplog.text


def test_text_cannot_break_out_of_its_event():
    assert (
        Event("a", "1\n\nevent: b\rdata: 2").encoded()
        == b"event: a\ndata: 1\ndata: \ndata: event: b\ndata: data: 2\n\n"
    )
