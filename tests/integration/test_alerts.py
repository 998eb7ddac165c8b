"""Alerts to an address outside, over real HTTP; and re-arming over the command line, the API and the dashboard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler

import pytest

from mastowatch.adapters.alert_webhook import AlertWebhook, is_usable
from mastowatch.config import Loaded, Settings
from mastowatch.errors import AlertNotSent, ConfigError
from mastowatch.jobs import context as contexts
from mastowatch.jobs import tasks
from mastowatch.ports.types import EVERY_RULE
from mastowatch.web.app import create_api
from mastowatch.web.dashboard import create_dashboard
from tests.asgi import client_of
from tests.integration.test_command_line import shell
from tests.integration.test_tasks import START, Server, World
from tests.local_http import serving
from tests.redis_server import free_port

pytestmark = pytest.mark.redis


@dataclass
class Address:
    """An address that alerts go to. ``codes`` are its next answers, 204 after them."""

    url: str = ""
    codes: list[int] = field(default_factory=list)
    got: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def listening() -> Iterator[Address]:
    address = Address()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            address.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(address.codes.pop(0) if address.codes else 204)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with serving(Handler) as url:
        address.url = f"{url}/secret-path"
        yield address


@pytest.fixture
def address() -> Iterator[Address]:
    with listening() as found:
        yield found


def alerting(redis, url: str) -> World:
    world = World(redis, Server())
    world.context = replace(world.context, alerts=AlertWebhook(url, user_agent="tests", timeout_s=5))
    return world


def test_each_drop_is_told_of_once_with_all_that_one_needs(redis, address):
    world = alerting(redis, address.url)
    assert world.run(tasks.send_alerts) == {"sent": 0}
    world.context.rule_switches.drop("casino", "20 reports within an hour", "breaker", START)
    assert world.run(tasks.send_alerts) == {"sent": 1}
    assert world.run(tasks.send_alerts) == {"sent": 0}
    [told] = address.got
    assert told == {
        "event": "rule_dropped",
        "rule_id": "casino",
        "by": "breaker",
        "why": "20 reports within an hour",
        "at": "2026-01-01T12:00:00+00:00",
        "instance": "https://m.example",
        "text": told["content"],
        "content": "MastoWatch (https://m.example): The rule casino was dropped to shadow: 20 reports within an hour."
        " To go on, once you have looked: mastowatch rules arm casino",
    }
    world.context.rule_switches.drop(EVERY_RULE, "60 reports", "breaker", START)
    world.run(tasks.send_alerts)
    assert (address.got[1]["event"], "arm all" in address.got[1]["text"]) == ("reporting_paused", True)
    assert world.context.tally.read()["alerts_sent"] == 2


@pytest.mark.parametrize("code", [500, 404, 302])
def test_what_was_not_received_is_told_of_again(redis, address, code):
    world = alerting(redis, address.url)
    world.context.rule_switches.drop("casino", "why", "breaker", START)
    address.codes = [code]
    with pytest.raises(AlertNotSent, match=str(code)):
        world.run(tasks.send_alerts)
    assert world.run(tasks.send_alerts) == {"sent": 1}
    assert len(address.got) == 2


def test_an_address_that_is_away_is_told_of_without_the_address(redis):
    world = alerting(redis, f"http://127.0.0.1:{free_port()}/secret-path")
    world.context.rule_switches.drop("casino", "why", "breaker", START)
    with pytest.raises(AlertNotSent) as caught:
        world.run(tasks.send_alerts)
    assert "secret-path" not in str(caught.value)
    assert caught.value.__context__ is None


def test_two_at_once_tell_once(redis, address):
    world = alerting(redis, address.url)
    world.context.rule_switches.drop("casino", "why", "breaker", START)
    world.context.locks.acquire("alerts", "another worker", 60)
    assert world.run(tasks.send_alerts) == {"sent": 0}
    assert address.got == []


def test_without_an_address_nothing_is_told(redis):
    world = World(redis, Server())
    world.context.rule_switches.drop("casino", "why", "breaker", START)
    assert world.run(tasks.send_alerts) == {"sent": 0}


@pytest.mark.parametrize(
    ("url", "usable"),
    [
        ("https://chat.example/hook", True),
        ("http://localhost:9/hook", True),
        ("http://[::1]:9/hook", True),
        ("http://chat.example/hook", False),
        ("ftp://chat.example", False),
        ("https://", False),
        ("https://[", False),
        ("chat.example/hook", False),
    ],
)
def test_an_address_must_be_encrypted_or_on_this_host(url, usable):
    assert is_usable(url) is usable


def test_a_wrong_address_is_refused_without_being_repeated(tmp_path):
    file = tmp_path / "alert"
    file.write_text("http://chat.example/secret-path\n")
    with pytest.raises(ConfigError, match="ALERT_WEBHOOK_FILE") as caught:
        contexts.alerts(Loaded(Settings(alert_webhook_file=file), {}))
    assert "secret-path" not in str(caught.value)
    told = shell("mastowatch config check", ALERT_WEBHOOK_FILE=str(file))
    assert told.returncode == 2
    assert "ALERT_WEBHOOK_FILE" in told.stderr
    assert "secret-path" not in told.stderr + told.stdout


def test_the_command_line_rearms(redis, redis_server):
    world = World(redis, Server())
    switches, held = world.context.rule_switches, world.context.held
    for scope in ("casino", "rate", EVERY_RULE):
        switches.drop(scope, "why", "breaker", START)
        held.hold(scope, "7", START)
    held.hold("rate", "8", START)
    done = shell("mastowatch rules arm casino", REDIS_URL=redis_server)
    armed, paused = done.stdout.splitlines()
    assert (done.returncode, armed) == (0, "re-armed: casino; held back and judged again now: 1 account")
    assert paused == "all reporting is paused, so nothing is filed; `mastowatch rules arm all` ends that"
    assert done.stderr == ""
    assert set(switches.shadowed()) == {"rate"}
    done = shell("mastowatch rules arm casino", REDIS_URL=redis_server)
    assert (done.returncode, done.stdout.splitlines()[0]) == (1, "casino is not dropped; dropped are: rate")
    done = shell("mastowatch rules arm all", REDIS_URL=redis_server)
    assert done.stdout == "re-armed: rate, all reporting; held back and judged again now: 3 accounts\n"
    assert world.queued() == {"7", "8"}
    assert shell("mastowatch rules arm all", REDIS_URL=redis_server).stdout == "nothing is dropped\n"
    assert shell("mastowatch rules arm rate", REDIS_URL=redis_server).stdout == "rate is not dropped; no rule is\n"
    assert "command line" in world.context.audit.recent(1)[0].why
    away = shell("mastowatch rules arm all", REDIS_URL="redis://127.0.0.1:1/1")
    assert (away.returncode, "try again" in away.stderr) == (1, True)


def test_the_api_shows_and_rearms(redis):
    world = World(redis, Server())
    world.context.rule_switches.drop("casino", "20 reports", "breaker", START)
    world.context.held.hold("casino", "7", START)
    with client_of(create_api(contexts.view(Loaded(Settings(), {}), redis), "key")) as client:
        assert client.get("/rules/dropped").status_code == 401
        assert client.post("/rules/casino/arm").status_code == 401
        client.headers["X-API-Key"] = "key"
        row = {"rule_id": "casino", "why": "20 reports", "by": "breaker", "at": "2026-01-01T12:00:00Z", "held": 1}
        assert client.get("/rules/dropped").json() == {"paused": None, "rules": [row]}
        assert client.post("/rules/casino/arm").json() == {"ids": ["casino"], "queued": 1}
        again = client.post("/rules/casino/arm")
        assert (again.status_code, "is not dropped" in again.json()["detail"]) == (404, True)
        assert client.post("/rules/Casino%20!/arm").status_code == 422
        world.context.rule_switches.drop(EVERY_RULE, "60 reports", "breaker", START)
        assert client.get("/rules/dropped").json()["paused"]["why"] == "60 reports"
        assert client.post("/rules/all/arm").json() == {"ids": ["*"], "queued": 0}
        assert client.get("/rules/dropped").json() == {"paused": None, "rules": []}


def test_the_dashboard_says_what_is_dropped_and_how_to_go_on(redis):
    world = World(redis, Server())
    world.context.rule_switches.drop("casino", "20 <b>reports</b>", "breaker", START)
    world.context.rule_switches.drop(EVERY_RULE, "60 reports", "breaker", START)
    with client_of(create_dashboard(contexts.view(Loaded(Settings(), {}), redis)), "http://127.0.0.1:9181") as client:
        page = client.get("/").text
    assert "All reporting is paused: 60 reports." in page
    assert "The rule casino was dropped to shadow: 20 &lt;b&gt;reports&lt;/b&gt;." in page
    assert "<code>mastowatch rules arm casino</code>" in page
