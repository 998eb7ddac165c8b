"""Exactly one report, whatever dies when: workers killed at each named step, lost answers, and a Redis from yesterday.

Real processes, a real redis-server, and HTTP to a server that keeps the reports; how many it has is all that counts.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from mastodon_mock.config import MastodonMockConfig, SeedConfig
from mastodon_mock.db.models import Report
from mastodon_mock.db.models import Status as MockStatus
from redis import Redis
from sqlalchemy.orm import Session

from tests.filing_world import TIMEOUT_S, Place
from tests.mastodon_server import MockMastodon, add_account, running_mock
from tests.redis_server import RedisProcess, running_redis

pytestmark = [pytest.mark.redis, pytest.mark.mastodon]

NUMBERS = count(1000)


@dataclass
class Between:
    """Stands between the network and the server, and does one thing, once, to the next report that is filed."""

    deed: str = ""
    victim: Any = None
    done: list[str] = field(default_factory=list)
    let_in: threading.Event = field(default_factory=threading.Event)

    def __call__(self, app: Any) -> Callable[..., Any]:
        async def between(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
            if scope["type"] != "http" or (scope["method"], scope["path"]) != ("POST", "/api/v1/reports"):
                await app(scope, receive, send)
                return
            deed, self.deed = self.deed, ""
            if deed:
                self.done.append(deed)
            await self._file(deed, app, scope, receive, send)

        return between

    async def _file(self, deed: str, app: Any, scope: Any, receive: Any, send: Any) -> None:
        if deed == "kill before":
            # The client dies when its report has arrived and is not yet filed.
            body = await _read(receive)
            os.kill(self.victim.pid, signal.SIGKILL)
            await app(scope, _said(body), _nowhere)
        elif deed == "kill after":
            await app(scope, receive, _nowhere)
            os.kill(self.victim.pid, signal.SIGKILL)
        elif deed == "lose the answer":
            await app(scope, receive, _nowhere)
            await asyncio.sleep(TIMEOUT_S * 2)
        elif deed == "hold back":
            # Long after its client has given up.
            body = await _read(receive)
            await asyncio.to_thread(self.let_in.wait)
            await app(scope, _said(body), _nowhere)
            self.done.append("let in")
        elif deed == "fail after":
            await app(scope, receive, _nowhere)
            await send({"type": "http.response.start", "status": 500, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"{}"})
        elif deed == "fail before":
            await send({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"{}"})
        else:
            await app(scope, receive, send)


async def _read(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


def _said(body: bytes) -> Callable[..., Any]:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _nowhere(message: object) -> None:
    pass


@pytest.fixture(scope="module")
def between() -> Between:
    return Between()


@pytest.fixture(scope="module")
def server(between: Between) -> Iterator[MockMastodon]:
    def populate(session: Session) -> None:
        add_account(session, "bot", id=1, token="bot", role="admin")

    with running_mock(MastodonMockConfig(seed=SeedConfig()), populate, around=between) as mock:
        yield mock


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("credentials")
    (directory / "access_token").write_text("bot")
    return directory


@pytest.fixture
def place(redis: Redis, redis_server: str, server: MockMastodon, credentials: Path, between: Between) -> Place:
    between.deed, between.done = "", []
    between.let_in.clear()
    return Place(redis_server, server.url, credentials)


class Spammer:
    """An account at the server, with what it does and what was filed against it."""

    def __init__(self, server: MockMastodon, word: str = "airdrop") -> None:
        self.server, self.id = server, str(next(NUMBERS))
        with server.sessions() as session:
            born = datetime.now(UTC) - timedelta(days=1)
            add_account(session, f"a{self.id}", id=int(self.id), domain="far.example", created_at=born)
            session.commit()
        self.post(word, made=datetime.now(UTC) - timedelta(minutes=5))

    def post(self, word: str, *, made: datetime | None = None) -> None:
        with self.server.sessions() as session:
            at = made or datetime.now(UTC) + timedelta(seconds=5)
            session.add(MockStatus(account_id=int(self.id), content=f"<p>free {word}</p>", created_at=at))
            session.commit()

    def resolve(self) -> None:
        with self.server.sessions() as session:
            session.query(Report).filter_by(target_account_id=int(self.id)).update({"action_taken": True})
            session.commit()

    def reports(self) -> list[bool]:
        """Return, for each report on it, whether it is open."""
        with self.server.sessions() as session:
            return [not one.action_taken for one in session.query(Report).filter_by(target_account_id=int(self.id))]


def unlock(redis: Redis) -> None:
    for key in redis.scan_iter("mastowatch:lock:account:*"):
        redis.delete(key)


def looked_up(server: MockMastodon, spammer: Spammer) -> int:
    """Return how often the bot's reports on it were asked for, open and resolved."""
    asked = [one for one in server.asked if one.query.get("target_account_id") == [spammer.id]]
    return sum("resolved" in one.query for one in asked)


def claim(redis: Redis, spammer: Spammer) -> dict[str, str]:
    found = redis.hgetall(f"mastowatch:claim:{spammer.id}")
    return {name.decode(): value.decode() for name, value in found.items()}


STEPS = [
    "claims.plan",
    "claims.steady_since",
    "mastodon.own_reports",
    "claims.send",
    "mastodon.file_report",
    "claims.filed",
    "cases.put",
    "judged.remember",
]
POINTS = [f"{when} {step}" for step in STEPS for when in ("before", "after")]


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_killed_at_any_step_leads_to_one_report(redis, place, server, point):
    spammer = Spammer(server)
    assert place.run(spammer.id, point) == -signal.SIGKILL, "the point was reached"
    unlock(redis)
    assert place.run(spammer.id) == 0
    assert spammer.reports() == [True]
    assert claim(redis, spammer)["state"] == "filed"


@pytest.mark.parametrize("point", [*POINTS, "before mastodon.report", "after mastodon.report"])
def test_a_worker_killed_at_any_step_of_the_next_report_leads_to_one_more(redis, place, server, point):
    spammer = Spammer(server)
    assert place.run(spammer.id) == 0
    spammer.resolve()
    spammer.post("casino")
    assert place.run(spammer.id, point) == -signal.SIGKILL, "the point was reached"
    unlock(redis)
    assert place.run(spammer.id) == 0
    assert sorted(spammer.reports()) == [False, True]
    assert (claim(redis, spammer)["state"], claim(redis, spammer)["generation"]) == ("filed", "2")


@pytest.mark.parametrize("deed", ["kill before", "kill after"])
def test_a_worker_killed_while_its_report_is_on_the_wire_leads_to_one_report(redis, place, server, between, deed):
    spammer = Spammer(server)
    between.deed = deed
    between.victim = place.start(spammer.id)
    between.victim.join(60)
    assert between.victim.exitcode == -signal.SIGKILL
    unlock(redis)
    assert place.run(spammer.id) == 0
    assert spammer.reports() == [True]


@pytest.mark.parametrize("deed", ["lose the answer", "fail after", "fail before"])
def test_an_answer_that_is_lost_or_wrong_leads_to_one_report(place, server, between, deed):
    spammer = Spammer(server)
    between.deed = deed
    assert place.run(spammer.id) == 0
    assert between.done == [deed]
    assert spammer.reports() == [True]


def test_a_report_that_arrives_after_it_was_looked_for_is_not_filed_again(place, server, between):
    spammer = Spammer(server)
    between.deed = "hold back"
    worker = replace(place, settle_s=4.0).start(spammer.id)
    _wait(lambda: looked_up(server, spammer) == 2)
    between.let_in.set()
    worker.join(60)
    assert worker.exitcode == 0
    assert between.done == ["hold back", "let in"]
    assert spammer.reports() == [True]


def test_workers_at_the_same_account_without_a_lock_file_one_report(redis, place, server):
    open_place = replace(place, alone=False)
    for _ in range(4):
        spammer = Spammer(server)
        workers = [open_place.start(spammer.id) for _ in range(4)]
        for worker in workers:
            worker.join(60)
            assert worker.exitcode == 0
        assert spammer.reports() == [True]


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisProcess]:
    with running_redis(tmp_path, "--dbfilename", "dump.rdb") as process:
        yield process


def restore(process: RedisProcess) -> None:
    """Kill it and start it with what it saved last."""
    process.kill()
    process.start()


SNAPSHOTS = ["before claims.plan", "before claims.steady_since", "before mastodon.file_report", "after claims.filed"]


@pytest.mark.parametrize("point", SNAPSHOTS)
def test_a_redis_restored_from_an_older_copy_leads_to_no_second_report(place, server, own_redis, point):
    place = replace(place, redis_url=own_redis.url)
    spammer = Spammer(server)
    with Redis.from_url(own_redis.url) as redis:
        place.run(Spammer(server).id)  # Redis knows which run it is in
        place.run(spammer.id, point)
        unlock(redis)
        redis.save()
        assert place.run(spammer.id) == 0
        assert spammer.reports() == [True]
        restore(own_redis)
        assert place.run(spammer.id) == 0
        assert spammer.reports() == [True]
        assert claim(redis, spammer)["state"] == "filed"


def test_a_redis_restored_from_before_the_second_report_leads_to_no_third(place, server, own_redis):
    place = replace(place, redis_url=own_redis.url)
    spammer = Spammer(server)
    with Redis.from_url(own_redis.url) as redis:
        place.run(spammer.id)
        redis.save()
        spammer.resolve()
        spammer.post("casino")
        assert place.run(spammer.id) == 0
        restore(own_redis)
        assert place.run(spammer.id) == 0
        assert sorted(spammer.reports()) == [False, True]
        assert claim(redis, spammer)["generation"] == "2"


def test_a_redis_that_lost_everything_leads_to_no_second_report(redis, place, server):
    spammer = Spammer(server)
    assert place.run(spammer.id) == 0
    marker = claim(redis, spammer)["marker"]
    redis.flushdb()
    assert place.run(spammer.id) == 0
    assert spammer.reports() == [True]
    assert claim(redis, spammer)["marker"] == marker, "the same that was computed first"


def test_a_report_under_way_while_redis_is_restored_is_not_filed_again(place, server, own_redis, between):
    """Its claim is lost and it is not there yet: only waiting tells."""
    place = replace(place, redis_url=own_redis.url, settle_s=4.0)
    spammer = Spammer(server)
    with Redis.from_url(own_redis.url) as redis:
        place.run(Spammer(server).id)
        redis.save()
        between.deed, between.done = "hold back", []
        first = place.start(spammer.id)
        _wait(lambda: between.done == ["hold back"])
        first.kill()
        first.join(60)
        restore(own_redis)
        assert claim(redis, spammer) == {}
        second = place.start(spammer.id)
        _wait(lambda: looked_up(server, spammer) == 2)
        between.let_in.set()
        second.join(60)
        assert second.exitcode == 0
        assert between.done == ["hold back", "let in"]
        assert spammer.reports() == [True]


def _wait(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)
