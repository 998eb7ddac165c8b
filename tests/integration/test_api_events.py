"""GET /jobs/events over HTTP: who listens is told of each change, and the server's stop does not wait for them."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from mastowatch.jobs.context import View
from tests.api_server import KEY, served
from tests.api_world import view_of
from tests.integration.test_processes import start
from tests.redis_server import free_port, running_redis

__all__ = ["start"]
pytestmark = pytest.mark.redis
PATH = "/jobs/events"


def listening(base: str) -> httpx.Client:
    return httpx.Client(base_url=base, headers={"X-API-Key": KEY}, timeout=60)


def pulses(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    for line in answer.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def first(found: Iterator[dict[str, Any]], **wanted: object) -> dict[str, Any]:
    """Return the next pulse that says all that is wanted."""
    return next(one for one in found if wanted.items() <= one.items())


def test_tells_at_once_how_things_stand_and_then_what_has_changed(redis: Redis):
    view = view_of(redis)
    with served(view) as base, listening(base) as client, client.stream("GET", PATH) as answer:
        found = pulses(answer)
        assert first(found, redis=True)["waiting"] == 0
        view.jobs.analyze("1")
        first(found, waiting=1)
        view.jobs.analyze("2")
        first(found, waiting=2)


def test_ends_after_as_many_as_were_asked_for(redis: Redis):
    with served(view_of(redis)) as base, listening(base) as client:
        assert client.get(f"{PATH}?limit=1").text.count("event: pulse") == 1
        assert client.get(f"{PATH}?limit=0").status_code == 422


def test_strangers_hear_nothing(redis: Redis):
    with served(view_of(redis)) as base:
        assert httpx.get(f"{base}{PATH}", timeout=60).status_code == 401


def test_tells_that_redis_has_gone_and_come_back(tmp_path: Path):
    with (
        running_redis(tmp_path) as server,
        quick(server.url) as view,
        served(view) as base,
        listening(base) as client,
        client.stream("GET", PATH) as answer,
    ):
        found = pulses(answer)
        first(found, redis=True)
        server.kill()
        assert first(found, redis=False)["level"] == "bad"
        server.start()
        first(found, redis=True)


class quick:  # noqa: N801 -- used as a function
    """The View of a Redis that is given up at once."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1)

    def __enter__(self) -> View:
        return view_of(self._redis)

    def __exit__(self, *_: object) -> None:
        self._redis.close()


@pytest.fixture
def api(start, redis: Redis, redis_server: str, tmp_path: Path):
    """Yield the process as systemd runs it, its address, and the file with its key."""
    key, settings = tmp_path / "key", tmp_path / "settings"
    key.write_text(KEY)
    settings.write_text("")
    address = f"127.0.0.1:{free_port()}"
    unit = start(redis_server, "api", "--config", str(settings), API_BIND=address, API_KEY_FILE=str(key))
    unit.wait_for("READY=1")
    return unit, f"http://{address}", key


def test_a_stop_ends_the_streams_properly_and_does_not_wait_for_them(api):
    unit, base, _ = api
    with listening(base) as client, client.stream("GET", PATH) as answer:
        found = pulses(answer)
        first(found, redis=True)
        unit.process.send_signal(signal.SIGTERM)
        # Were it cut after the time that requests have at a stop, httpx would raise.
        assert not list(found)
    assert unit.process.wait(60) == 0
    assert [one["event"] for one in unit.events()][-1] == "stopped_listening"
    assert "timeout graceful shutdown exceeded" not in unit.log.read_text()


def test_a_reload_ends_the_streams_and_who_comes_again_needs_the_new_key(api):
    unit, base, key = api
    with listening(base) as client:
        with client.stream("GET", PATH) as answer:
            found = pulses(answer)
            first(found, redis=True)
            key.write_text("another")
            unit.hang_up()
            assert not list(found)
        assert client.get(f"{PATH}?limit=1").status_code == 401
        again = client.get(f"{PATH}?limit=1", headers={"X-API-Key": "another"})
        assert again.text.count("event: pulse") == 1
    assert unit.stop() == 0
