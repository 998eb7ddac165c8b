"""`mastowatch stream` as systemd runs it: ready, alive, reloading, stopping, and close-lipped."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import wait
from tests.integration.test_processes import Unit, start
from tests.redis_server import running_redis
from tests.small_mastodon import SmallMastodon, small_mastodon

__all__ = ["start"]
pytestmark = pytest.mark.redis
RULE = """
id = "{0}"
name = "{0}"
description = "For the tests."
mode = "shadow"
weight = 5
[status]
words = ["{0}"]
"""
TOKEN = "token-canary"


@pytest.fixture
def server() -> Iterator[SmallMastodon]:
    with small_mastodon() as small:
        yield small


@pytest.fixture
def launch(start, server, tmp_path) -> Iterator:
    def launch(redis_url: str, **settings: str) -> Unit:
        (tmp_path / "rules").mkdir(exist_ok=True)
        add_rule(tmp_path, "airdrop")
        (tmp_path / "secret").write_text(TOKEN)
        chosen = {
            "INSTANCE_BASE": server.strict.url,
            "RULES_DIR": str(tmp_path / "rules"),
            "ACCESS_TOKEN_FILE": str(tmp_path / "secret"),
            "LOG_LEVEL": "debug",
            **settings,
        }
        return start(redis_url, "stream", **chosen)

    return launch


def add_rule(directory: Path, word: str) -> None:
    (directory / "rules" / f"{word}.toml").write_text(RULE.format(word))


def queued(redis) -> int:
    return sum(one.startswith(b"process_new_statuses") for one in redis.lrange("rq:queue:default", 0, -1))


def test_it_is_ready_when_it_reads_and_hands_on_what_it_holds_at_the_end(launch, server, redis, redis_server):
    unit = launch(redis_server)
    unit.wait_for("READY=1")
    assert len(server.connections) == 1
    author = server.add_account()
    server.post(author, "airdrop")
    wait(lambda: queued(redis) == 1)
    server.post(author, "airdrop")
    unit.wait_for("2 posts seen, 1 handed on")
    unit.wait_for("WATCHDOG=1")
    assert unit.stop() == 0
    unit.wait_for_line("STOPPING=1")
    assert queued(redis) == 2
    assert [one["event"] for one in unit.events() if one["event"].startswith("stream_")] == [
        "stream_started", "stream_connected", "stream_stopped",
    ]  # fmt: skip
    assert redis.keys("mastowatch:lock:*") == [], "another may begin at once"


def test_changed_rules_are_taken_by_itself_and_at_a_reload(launch, server, redis, redis_server, tmp_path):
    unit = launch(redis_server)
    unit.wait_for("; 1 rules")
    add_rule(tmp_path, "casino")
    unit.wait_for("; 2 rules")
    add_rule(tmp_path, "lottery")
    unit.hang_up()
    unit.wait_for("; 3 rules")
    server.post(server.add_account(), "lottery")
    wait(lambda: queued(redis) == 1)
    assert server.attempts == 1, "the connection stays"
    unit.stop()


def test_a_refusal_is_no_reason_to_fail(launch, server, redis_server):
    server.refuse = 401
    unit = launch(redis_server)
    unit.wait_for("READY=1")
    unit.wait_for("Refused: the access token was refused (401)")
    unit.wait_for("WATCHDOG=1")
    assert unit.event("stream_refused")["level"] == "ERROR"
    assert unit.stop() == 0


def test_redis_away_is_waited_for_and_what_came_in_meanwhile_is_handed_on(launch, server, tmp_path):
    with running_redis(tmp_path) as redis:
        unit = launch(redis.url)
        unit.wait_for("Reading")
        redis.kill()
        unit.wait_for("Redis away")
        server.post(server.add_account(), "airdrop")
        redis.start()
        unit.wait_for("1 posts seen, 1 handed on")
        assert server.attempts == 1, "the connection stays"
        assert unit.stop() == 0


def test_a_break_is_mended_within_seconds_and_told(launch, server, redis_server):
    unit = launch(redis_server)
    unit.wait_for("Reading")
    server.hang_up()
    wait(lambda: server.attempts == 2)
    wait(lambda: [one["event"] for one in unit.events()].count("stream_connected") == 2)
    assert unit.event("stream_broken")["level"] == "WARNING"
    unit.stop()


def test_no_secret_or_text_is_in_the_journal_the_environment_or_redis(launch, server, redis, redis_server):
    unit = launch(redis_server)
    unit.wait_for("Reading")
    author = server.add_account(note="<p>canary-bio</p>")
    server.post(author, "airdrop canary-text", visibility="direct")
    server.post(author, "airdrop canary-text")
    wait(lambda: queued(redis) == 1)
    server.hang_up()
    wait(lambda: server.attempts == 2)
    process = Path(f"/proc/{unit.process.pid}")
    told = process.joinpath("cmdline").read_bytes() + process.joinpath("environ").read_bytes()
    unit.process.send_signal(signal.SIGTERM)
    unit.process.wait(60)
    told += unit.log.read_bytes() + "\n".join(unit.heard).encode()
    told += b"".join(key + (redis.dump(key) or b"") for key in redis.keys("*"))
    for canary in (b"canary", b"secret.example", b"203.0.113.7"):
        assert canary not in told
