"""Processes of several versions at one Redis: the older leave, after the job at hand, and no key is written twice."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from mastowatch.reliable.serializer import JsonQueue
from tests import engine
from tests.engine import attempts, expire_registration
from tests.redis_server import RedisProcess, free_port, running_redis
from tests.snapshot import snapshot

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.redis
ALL = ["worker", "scheduler", "api", "dashboard"]
FAR = 4_000_000_000
PATIENCE_S = 60.0  # up to four processes start at a time, on a machine that may have other work
wait = partial(engine.wait, seconds=PATIENCE_S)


class Version:
    """A process of some version."""

    def __init__(self, log: Path, layout: int, words: tuple[str, ...], environ: dict[str, str]) -> None:
        self.log = log
        line = [sys.executable, "-m", "tests.other_version", str(layout), *words]
        with log.open("wb") as out:
            self.process = subprocess.Popen(line, stdout=out, stderr=out, cwd=ROOT, env=environ)

    @property
    def said(self) -> str:
        return self.log.read_text()

    @property
    def works(self) -> bool:
        """Whether it is past its start, from where on it ends at a SIGTERM as it should."""
        return bool(self.events("listening") or self.events("worker_started") or self.events("scheduler_started"))

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the events of this name; a last line may not be whole yet."""
        lines = [line for line in self.said.split("\n")[:-1] if line.startswith("<")]
        return [one for one in map(json.loads, (line[3:] for line in lines)) if one["event"] == name]

    def end(self) -> int:
        """Return the exit status; it ends by itself."""
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def start(tmp_path: Path, redis_server: str) -> Iterator[Callable[..., Version]]:
    (tmp_path / "token").write_text("t")
    made: list[Version] = []

    def start(layout: int, *words: str, **more: str) -> Version:
        environ = {
            "PATH": os.environ["PATH"],
            "JOURNAL_STREAM": "",
            "REDIS_URL": redis_server,
            "INSTANCE_BASE": "http://127.0.0.1:9",
            "ACCESS_TOKEN_FILE": str(tmp_path / "token"),
            "RULES_DIR": str(ROOT / "etc" / "rules.d"),
            "API_BIND": f"127.0.0.1:{free_port()}",
            "DASHBOARD_BIND": f"127.0.0.1:{free_port()}",
            **more,
        }
        made.append(Version(tmp_path / f"{len(made)}.log", layout, words, environ))
        return made[-1]

    yield start
    for one in made:
        print(f"{one.process.args}: {one.process.poll()}\n{one.said}")  # shown where the test failed
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def alive(redis: Redis) -> set[str]:
    """Return which kinds of process live, with their layouts."""
    members = (raw.decode().split() for raw in redis.zrange("mastowatch:processes", 0, -1))
    return {f"{kind} {layout}" for layout, _, kind, *_ in members}


def test_a_process_shows_that_it_lives_and_stamps_the_keys_and_a_stop_takes_it_out(start, redis: Redis):
    all_four = [start(1, command) for command in ALL]
    wait(lambda: alive(redis) == {f"{command} 1" for command in ALL} and all(one.works for one in all_four))
    assert redis.get("mastowatch:layout") == b"1"
    for one in all_four:
        one.process.terminate()
    assert [one.end() for one in all_four] == [0, 0, 0, 0], [one.said for one in all_four]
    assert alive(redis) == set()


def test_at_its_start_an_older_version_refuses_newer_keys_and_touches_nothing(start, redis: Redis):
    redis.mset({"mastowatch:layout": 2, "mastowatch:judged:1": "x"})
    JsonQueue("default", connection=redis).enqueue("os.getpid")
    before = snapshot(redis)
    for one in [start(1, command) for command in ALL]:
        assert one.end() == 2, one.said
        assert "the keys in Redis have layout 2: a newer version was here" in one.said
        assert "Traceback" not in one.said
    assert snapshot(redis) == before


def test_a_running_process_that_meets_newer_keys_ends_to_be_started_again(start, redis: Redis):
    all_four = [start(1, command) for command in ALL]
    wait(lambda: alive(redis) == {f"{command} 1" for command in ALL} and all(one.works for one in all_four))
    redis.set("mastowatch:layout", 2)
    for one in all_four:
        assert one.end() == 1, one.said
        (event,) = one.events("outdated")
        assert "layout 2" in event["reason"]
        assert "Traceback" not in one.said


def test_a_worker_that_meets_newer_keys_leaves_its_job_to_them(start, redis: Redis):
    job = JsonQueue("default", connection=redis).enqueue("time.sleep", 60)
    one = start(1, "worker")
    wait(lambda: job.get_status(refresh=True) == "started")
    redis.set("mastowatch:layout", 2)
    assert one.end() == 1
    (hand,) = redis.keys("rq:taken:*")
    assert redis.lrange(hand, 0, -1) == [job.id.encode()]
    expire_registration(redis)
    second = start(2, "worker")  # which finds it, and the worker dead
    wait(lambda: redis.hget(job.key, "worker_name") and not redis.exists(hand))
    assert second.process.poll() is None
    assert job.get_status(refresh=True) == "failed"
    assert "Its worker" in attempts(redis, job.id)[0][1]


def test_an_upgrade_waits_for_the_job_at_hand_and_then_migrates_once(start, redis: Redis, tmp_path):
    until_told = ["sh", "-c", f"until [ -e {tmp_path}/end ]; do sleep 0.1; done"]
    job = JsonQueue("default", connection=redis).enqueue("subprocess.check_call", until_told)
    older = [start(1, command) for command in ALL]
    wait(lambda: job.get_status(refresh=True) == "started" and len(alive(redis)) == 4)
    newer = [start(2, command) for command in ALL]
    # The worker ends its job first, and until then no key is of the new layout.
    wait(lambda: {"worker 1"} == {one for one in alive(redis) if one.endswith(" 1")})
    assert redis.get("mastowatch:layout") == b"1"
    assert job.get_status(refresh=True) == "started"
    (tmp_path / "end").touch()
    assert [one.end() for one in older] == [1, 1, 1, 1], [one.said for one in older]
    assert job.get_status(refresh=True) == "finished"
    wait(lambda: alive(redis) == {f"{command} 2" for command in ALL})
    wait(lambda: redis.get("mastowatch:layout") == b"2" and not redis.exists("mastowatch:layout:unfinished"))
    assert redis.lrange("migrated", 0, -1) == [b"half", b"whole"]
    second = JsonQueue("default", connection=redis).enqueue("os.getpid")
    wait(lambda: second.get_status(refresh=True) == "finished")
    assert all(one.process.poll() is None for one in newer)
    assert any("worker on" in event["reason"] for one in newer for event in one.events("layout_waits"))


def test_what_died_in_its_migration_keeps_older_versions_out_and_the_next_goes_on(start, redis: Redis):
    assert start(2, "worker", MIGRATION="dies").end() == 9
    older = start(1, "worker")
    assert older.end() == 2
    assert "layout 2" in older.said
    redis.delete("mastowatch:layout:next")  # its life of half a minute is over
    start(2, "scheduler")
    wait(lambda: redis.exists("mastowatch:layout:past:2"))
    assert redis.lrange("migrated", 0, -1) == [b"half", b"half", b"whole"]
    wait(lambda: redis.exists("rq:scheduler_lock"))


def test_redis_may_be_away_at_the_start_and_is_asked_before_anything_is_written(start, tmp_path):
    redis = RedisProcess(tmp_path)
    older = start(1, "worker", REDIS_URL=redis.url)
    answering = start(1, "api", REDIS_URL=redis.url)
    wait(lambda: older.events("redis_away") and answering.events("redis_away"))
    with_newer_keys(redis, tmp_path)
    assert older.end() == 2
    assert answering.end() == 1
    with Redis.from_url(redis.url) as client:
        assert client.keys() == [b"mastowatch:layout"]
    redis.stop()


def with_newer_keys(redis: RedisProcess, directory: Path) -> None:
    """Start ``redis`` with layout 2 in it from its first moment on."""
    other = RedisProcess(directory)
    other.start()
    with Redis.from_url(other.url) as client:
        client.set("mastowatch:layout", 2)
        client.save()
    other.kill()
    redis.start()


def test_redis_may_come_back_with_newer_keys_and_nothing_is_written_to_them(start, tmp_path):
    with running_redis(tmp_path) as redis:
        older = [start(1, command, REDIS_URL=redis.url) for command in ALL]
        with Redis.from_url(redis.url) as client:
            wait(lambda: len(alive(client)) == 4 and all(one.works for one in older))
        redis.kill()
        wait(lambda: all(one.events("redis_away") for one in older))
        with_newer_keys(redis, tmp_path)
        assert [one.end() for one in older] == [1, 1, 1, 1], [one.said for one in older]
        with Redis.from_url(redis.url) as client:
            assert client.keys() == [b"mastowatch:layout"]


def test_the_api_says_503_until_the_keys_are_migrated(start, redis: Redis, tmp_path):
    redis.zadd("mastowatch:processes", {"1 0.1.0 worker another-host 1 abcdef": FAR})
    port = free_port()
    newer = start(2, "api", API_BIND=f"127.0.0.1:{port}", API_KEY_FILE=str(tmp_path / "token"))
    wait(lambda: newer.works)
    assert jobs(port) == 503
    assert redis.get("mastowatch:layout") == b"1"
    redis.delete("mastowatch:processes")
    wait(lambda: jobs(port) == 200)
    assert redis.lrange("migrated", 0, -1) == [b"half", b"whole"]


def jobs(port: int) -> int:
    """Ask the API for the queues; return the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/jobs/queues", headers={"X-API-Key": "t"})
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_panic_stop_is_switched_on_keys_of_this_layout_only(start, redis: Redis):
    assert start(1, "panic", "on").end() == 0
    assert alive(redis) == set()
    assert redis.exists("mastowatch:switch:panic_stop")
    redis.set("mastowatch:layout", 2)
    off = start(1, "panic", "off")
    assert off.end() == 2
    assert "a newer version was here" in off.said
    assert redis.exists("mastowatch:switch:panic_stop")
    redis.set("mastowatch:layout", 1)
    redis.zadd("mastowatch:processes", {"1 0.1.0 worker another-host 1 abcdef": FAR})
    waits = start(2, "panic", "off")
    assert waits.end() == 1
    assert "as soon as these have ended: worker on another-host" in waits.said
    assert redis.exists("mastowatch:switch:panic_stop")
