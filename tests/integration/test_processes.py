"""The processes as systemd runs them: a notify socket, signals, and Redis coming and going."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from mastowatch.reliable.serializer import JsonQueue
from tests.engine import wait
from tests.redis_server import free_port, private_redis

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.redis


class Unit:
    """A process under a service manager that only listens."""

    def __init__(self, directory: Path, redis_url: str, *arguments: str, **environ: str) -> None:
        self.heard: list[str] = []
        self.address = directory / f"notify-{arguments[0]}-{time.monotonic_ns()}"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.address))
        threading.Thread(target=self._listen, daemon=True).start()
        (directory / "token").write_text("t")
        self.log = directory / f"{self.address.name}.log"
        chosen = {
            "NOTIFY_SOCKET": str(self.address),
            "WATCHDOG_USEC": "2000000",
            "REDIS_URL": redis_url,
            "INSTANCE_BASE": "http://127.0.0.1:9",
            "ACCESS_TOKEN_FILE": str(directory / "token"),
            "RULES_DIR": str(ROOT / "etc" / "rules.d"),
            **environ,
        }
        command = [sys.executable, "-m", "mastowatch", *arguments]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env={**os.environ, **chosen}, stderr=log, cwd=ROOT)

    def _listen(self) -> None:
        """Take what is said as it is said, as systemd does: a full socket would hold the process."""
        with contextlib.suppress(OSError):
            while True:
                self.heard.extend(self.socket.recv(4096).decode().splitlines())

    def wait_for(self, text: str, seconds: float = 15.0) -> None:
        deadline = time.monotonic() + seconds
        while not any(text in line for line in list(self.heard)):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, (text, self.heard, self.log.read_text())
            time.sleep(0.05)

    def wait_for_line(self, text: str) -> None:
        """Wait for what was said at the end; the process may be gone by then."""
        for _ in range(100):
            if text in self.heard:
                return
            time.sleep(0.05)
        raise AssertionError((text, self.heard))

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def events(self) -> list[dict]:
        lines = self.log.read_text().splitlines()
        assert all(line[0] == "<" and line[2] == ">" for line in lines), "the journal's level prefix"
        return [json.loads(line[3:]) for line in lines]


@pytest.fixture
def start(tmp_path: Path) -> Iterator:
    units: list[Unit] = []

    def start(redis_url: str, *arguments: str, **environ: str) -> Unit:
        units.append(Unit(tmp_path, redis_url, *arguments, **environ))
        return units[-1]

    yield start
    for unit in units:
        if unit.process.poll() is None:
            unit.process.kill()
            unit.process.wait()
        unit.socket.shutdown(socket.SHUT_RDWR)
        unit.socket.close()


@pytest.mark.parametrize("command", ["worker", "scheduler", "api", "dashboard"])
def test_each_process_is_ready_feeds_the_watchdog_and_stops_cleanly(start, redis, redis_server, command):
    binds = {"API_BIND": f"127.0.0.1:{free_port()}", "DASHBOARD_BIND": f"127.0.0.1:{free_port()}"}
    unit = start(redis_server, command, **binds)
    unit.wait_for("READY=1")
    unit.wait_for("WATCHDOG=1")
    assert any(line.startswith("STATUS=") for line in unit.heard)
    assert unit.stop() == 0
    unit.wait_for_line("STOPPING=1")
    assert unit.events()
    assert redis.smembers("rq:workers") == set()


@pytest.mark.parametrize("command", ["worker", "scheduler"])
def test_redis_may_be_away_at_the_start_and_come_later(start, command):
    port = free_port()
    unit = start(f"redis://127.0.0.1:{port}/1", command)
    unit.wait_for("Redis away since")
    unit.heard.clear()
    unit.wait_for("WATCHDOG=1")
    with private_redis(port=port):
        unit.wait_for("idle" if command == "worker" else "Leading", seconds=8)
        assert unit.stop() == 0
    events = [one["event"] for one in unit.events()]
    assert events.count("redis_away") == 1
    assert "redis_back" in events


def test_a_worker_says_where_it_works_and_whether_it_rehearses(start, redis, redis_server):
    unit = start(redis_server, "worker", DRY_RUN="false")
    unit.wait_for("idle")
    (name,) = redis.smembers("rq:workers")
    assert redis.hget(name, "dry_run") == b"false"
    redis.hset("mastowatch:switch:panic_stop", mapping={"by": "me", "at": "1"})
    unit.wait_for("suspended")
    redis.delete("mastowatch:switch:panic_stop")
    unit.heard.clear()
    unit.wait_for("idle")
    assert unit.stop() == 0
    first, *rest = unit.events()
    assert (first["event"], first["dry_run"], first["instance_base"]) == ("worker_started", False, "http://127.0.0.1:9")
    assert [one["event"] for one in rest] == ["work_halted", "work_goes_on", "worker_stopped"]


def test_the_scheduler_queues_the_recurring_jobs_and_the_worker_runs_them(start, redis: Redis, redis_server):
    worker, scheduler = start(redis_server, "worker"), start(redis_server, "scheduler", QUEUE_STATS_INTERVAL="1")
    worker.wait_for("READY=1")
    scheduler.wait_for("Leading")
    deadline = time.monotonic() + 15
    while redis.xlen("mastowatch:history:default") < 2:
        assert time.monotonic() < deadline, worker.log.read_text()
        time.sleep(0.1)
    assert worker.stop() == 0
    assert scheduler.stop() == 0


def test_sigterm_lets_the_job_at_hand_finish_and_leaves_the_next_on_its_queue(start, redis: Redis, redis_server):
    queue = JsonQueue("default", connection=redis)
    first, second = queue.enqueue("time.sleep", 1.5), queue.enqueue("time.sleep", 0)
    unit = start(redis_server, "worker")
    deadline = time.monotonic() + 15
    while first.get_status(refresh=True) != "started":
        assert time.monotonic() < deadline, unit.log.read_text()
        time.sleep(0.02)
    assert unit.stop() == 0
    assert first.get_status(refresh=True) == "finished"
    assert queue.job_ids == [second.id]
    assert redis.smembers("rq:workers") == redis.smembers("rq:takers") == set()


@pytest.mark.parametrize("how", ["second SIGTERM", "WORKER_STOP_TIMEOUT"])
def test_a_worker_that_must_stop_at_once_puts_its_job_back(start, redis: Redis, redis_server, how):
    queue = JsonQueue("default", connection=redis)
    job = queue.enqueue("time.sleep", 60)
    unit = start(redis_server, "worker", WORKER_STOP_TIMEOUT="1" if how == "WORKER_STOP_TIMEOUT" else "300")
    unit.wait_for(f"busy with {job.id}")
    unit.process.send_signal(signal.SIGTERM)
    if how == "second SIGTERM":
        unit.wait_for("STATUS=stopping; busy with")
        unit.process.send_signal(signal.SIGTERM)
    assert unit.process.wait(10) == 0
    assert queue.job_ids == [job.id]
    assert [one["event"] for one in unit.events()] == [
        "worker_started",
        "horse_killed",
        "job_recovered",
        "worker_stopped",
    ]


def test_after_a_reload_jobs_run_in_a_process_that_knows_the_new_rules(start, redis: Redis, redis_server):
    queue = JsonQueue("default", connection=redis)
    unit = start(redis_server, "worker")
    first = queue.enqueue("os.getpid")
    wait(lambda: first.get_status(refresh=True) == "finished")
    unit.process.send_signal(signal.SIGHUP)
    unit.wait_for("RELOADING=1")

    def in_another_process() -> bool:
        later = queue.enqueue("os.getpid")
        wait(lambda: later.get_status(refresh=True) == "finished")
        return later.return_value() != first.return_value()

    wait(in_another_process)
    assert unit.stop() == 0


@pytest.mark.parametrize(
    ("environ", "complaint"),
    [
        (
            {"REPORT_THRESHOLD": "lots"},
            "environment: REPORT_THRESHOLD='lots' is not allowed; allowed: a number",
        ),
        ({"INSTANCE_BASE": ""}, "INSTANCE_BASE is not set"),
        ({"ACCESS_TOKEN_FILE": ""}, "ACCESS_TOKEN_FILE is not set"),
        ({"RULES_DIR": "/nowhere"}, "/nowhere: can't be read: No such file or directory"),
    ],
)
def test_a_wrong_setting_stops_the_process_with_one_line(start, redis_server, environ, complaint):
    unit = start(redis_server, "worker", **environ)
    assert unit.process.wait(15) == 2
    assert unit.log.read_text().startswith("mastowatch: ")
    assert complaint in unit.log.read_text()
    assert unit.log.read_text().count("\n") == 1


def test_a_hang_up_reloads_the_rules_and_a_bad_file_leaves_the_old_ones(start, redis, redis_server, tmp_path):
    rules = tmp_path / "rules"
    rules.mkdir()
    good = (ROOT / "etc/rules.d/casino-words.toml").read_text()
    (rules / "one.toml").write_text(good)
    unit = start(redis_server, "worker", RULES_DIR=str(rules))
    unit.wait_for("1 rules")
    (rules / "two.toml").write_text("id = ")
    unit.process.send_signal(signal.SIGHUP)
    wait(lambda: "rules_not_reloaded" in unit.log.read_text())
    (rules / "two.toml").write_text(good.replace("casino-words", "casino-again"))
    unit.process.send_signal(signal.SIGHUP)
    unit.wait_for("2 rules")
    failed = [one for one in unit.events() if one["event"] == "rules_not_reloaded"]
    assert "two.toml" in failed[0]["error"]
    assert unit.stop() == 0


def test_a_redis_that_refuses_writes_is_told_of_and_waited_for(start, tmp_path):
    with private_redis() as url, Redis.from_url(url) as redis:
        unit = start(url, "worker")
        unit.wait_for("idle")
        redis.config_set("min-replicas-to-write", 1)
        unit.wait_for("Redis refuses")
        redis.config_set("min-replicas-to-write", 0)
        unit.heard.clear()
        unit.wait_for("idle")
        assert unit.stop() == 0
