"""The processes as systemd runs them: a notify socket, signals, and Redis coming and going."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from mastodon_mock.db.models import Status as MockStatus
from redis import Redis

from mastowatch.jobs.context import load_rules
from mastowatch.jobs.workforce import read_workers, stop_worker
from mastowatch.reliable.serializer import JsonQueue
from tests import webhooks
from tests.engine import wait
from tests.mastodon_server import add_account, running_mock
from tests.redis_server import free_port, private_redis, running_redis

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.redis
# What systemd does before it starts a unit with a socket: the sockets are 3, 4, ... and meant for this process.
HAND_OVER = """
import os, sys
end = sys.argv.index("--")
for number, given in enumerate(sys.argv[1:end]):
    os.dup2(int(given), 100 + number)
for number in range(end - 1):
    os.dup2(100 + number, 3 + number)
    os.close(100 + number)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(end - 1), "LISTEN_FDNAMES": "a:b"}
os.execv(sys.argv[end + 1], sys.argv[end + 1:])
"""


class Unit:
    """A process under a service manager that only listens."""

    def __init__(
        self, directory: Path, redis_url: str, *arguments: str, handed: Sequence[socket.socket] = (), **environ: str
    ) -> None:
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
        # A worker of ours would refuse the jobs of these tests.
        program = "tests.any_function" if arguments[0] == "worker" else "mastowatch"
        command = [sys.executable, "-m", program, *arguments]
        if handed:
            command = [sys.executable, "-c", HAND_OVER, *(str(one.fileno()) for one in handed), "--", *command]
        with self.log.open("wb") as log:
            if chosen.get("JOURNAL_STREAM") == "stderr":
                found = os.fstat(log.fileno())
                chosen["JOURNAL_STREAM"] = f"{found.st_dev}:{found.st_ino}"
            self.process = subprocess.Popen(
                command,
                env={**os.environ, **chosen},
                stderr=log,
                cwd=ROOT,
                pass_fds=[one.fileno() for one in handed],
            )

    def _listen(self) -> None:
        """Take what is said as it is said, as systemd does: a full socket would hold the process."""
        with contextlib.suppress(OSError):
            while True:
                self.heard.extend(self.socket.recv(4096).decode().splitlines())

    def wait_for(self, text: str, seconds: float = 60.0) -> None:
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

    def hang_up(self) -> None:
        """Reload, and wait until systemd would go on."""
        before = self.heard.count("READY=1")
        self.process.send_signal(signal.SIGHUP)
        wait(lambda: self.heard.count("READY=1") > before)

    def event(self, name: str) -> dict:
        """Return the last event of this name."""
        return [one for one in self.events() if one["event"] == name][-1]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def events(self) -> list[dict]:
        lines = self.log.read_text().splitlines()
        assert all(line[0] == "<" and line[2] == ">" for line in lines), "the journal's level prefix"
        return [json.loads(line[3:]) for line in lines]


@pytest.fixture
def start(tmp_path: Path) -> Iterator:
    units: list[Unit] = []

    def start(redis_url: str, *arguments: str, **options: Any) -> Unit:
        units.append(Unit(tmp_path, redis_url, *arguments, **options))
        return units[-1]

    yield start
    for unit in units:
        if unit.process.poll() is None:
            unit.process.kill()
            unit.process.wait()
        unit.socket.shutdown(socket.SHUT_RDWR)
        unit.socket.close()


@pytest.mark.parametrize("command", ["worker", "scheduler", "stream", "api", "dashboard"])
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
        unit.wait_for("idle" if command == "worker" else "Leading")
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
    deadline = time.monotonic() + 60
    while redis.xlen("mastowatch:history:default") < 2:
        assert time.monotonic() < deadline, worker.log.read_text()
        time.sleep(0.1)
    assert worker.stop() == 0
    assert scheduler.stop() == 0


def test_sigterm_lets_the_job_at_hand_finish_and_leaves_the_next_on_its_queue(start, redis: Redis, redis_server):
    queue = JsonQueue("default", connection=redis)
    first, second = queue.enqueue("time.sleep", 1.5), queue.enqueue("time.sleep", 0)
    unit = start(redis_server, "worker")
    deadline = time.monotonic() + 60
    while first.get_status(refresh=True) != "started":
        assert time.monotonic() < deadline, unit.log.read_text()
        time.sleep(0.02)
    assert unit.stop() == 0
    assert first.get_status(refresh=True) == "finished"
    assert queue.job_ids == [second.id]
    assert redis.smembers("rq:workers") == redis.smembers("rq:takers") == set()


def test_a_worker_that_is_told_to_go_ends_with_the_status_that_its_unit_knows(start, redis: Redis, redis_server):
    unit = start(redis_server, "worker")
    unit.wait_for("READY=1")
    (worker,) = read_workers(redis)
    JsonQueue("default", connection=redis).enqueue("time.sleep", 1)
    wait(lambda: read_workers(redis)[0].state == "busy")
    wait(lambda: redis.pubsub_numsub(f"rq:pubsub:{worker.name}")[0][1])
    for _ in range(2):
        stop_worker(redis, worker.name)
    assert unit.process.wait(60) == 3
    unit.wait_for_line("STOPPING=1")
    assert unit.event("worker_stopped")["jobs"] == 1
    assert read_workers(redis) == []


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
    assert unit.process.wait(60) == 0
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
    assert unit.process.wait(60) == 2
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


def test_changed_rules_come_into_force_by_themselves_and_a_bad_file_is_told_of_once(
    start, redis: Redis, redis_server, tmp_path
):
    rules = tmp_path / "rules"
    rules.mkdir()
    good = (ROOT / "etc/rules.d/casino-words.toml").read_text()
    (rules / "one.toml").write_text(good)
    queue = JsonQueue("default", connection=redis)
    unit = start(redis_server, "worker", RULES_DIR=str(rules))
    first = queue.enqueue("os.getpid")
    wait(lambda: first.get_status(refresh=True) == "finished")
    (rules / "two.toml").write_text("id = ")
    wait(lambda: "rules_not_reloaded" in unit.log.read_text())
    (worker,) = read_workers(redis)
    old = worker.rules
    (rules / "two.toml").write_text(good.replace("casino-words", "casino-again") + "x = 1")
    wait(lambda: unit.log.read_text().count("rules_not_reloaded") == 2)
    assert read_workers(redis)[0].rules == old
    (rules / "two.toml").write_text(good.replace("casino-words", "casino-again"))
    unit.wait_for("2 rules")
    later = queue.enqueue("os.getpid")
    wait(lambda: later.get_status(refresh=True) == "finished")
    assert later.return_value() != first.return_value(), "a process that knows the new rules"
    wait(lambda: read_workers(redis)[0].rules == load_rules(rules).digest != old)
    failed = [one["error"] for one in unit.events() if one["event"] == "rules_not_reloaded"]
    assert ["two.toml: is not TOML" in failed[0], "two.toml: " in failed[1], len(failed)] == [True, True, 2]
    assert unit.stop() == 0


def test_a_redis_that_refuses_writes_is_told_of_and_waited_for(start, tmp_path):
    with private_redis() as url, Redis.from_url(url) as redis:
        unit = start(url, "worker")
        unit.wait_for("idle")
        redis.config_set("min-replicas-to-write", 1)
        unit.wait_for("Redis without its replicas since")
        redis.config_set("min-replicas-to-write", 0)
        unit.heard.clear()
        unit.wait_for("idle")
        assert unit.stop() == 0


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """A settings file that a test may change while a process has read it."""
    path = tmp_path / "mastowatch.env"
    path.write_text("")
    return path


def test_a_reload_of_the_worker_takes_settings_and_names_those_that_need_a_restart(
    start, redis, redis_server, settings
):
    unit = start(redis_server, "worker", "--config", str(settings), "--instance", "7")
    unit.wait_for("idle")
    (name,) = redis.smembers("rq:workers")
    assert redis.hget(name, "dry_run") == b"true"
    settings.write_text("DRY_RUN=false\nWORKER_QUEUES=low\n")
    settings.with_name("worker@7.env").write_text("PANIC_STOP=true\n")
    unit.hang_up()
    wait(lambda: redis.hget(name, "dry_run") == b"false")
    unit.wait_for("suspended")
    assert unit.event("settings_reloaded")["changed"] == ["DRY_RUN", "PANIC_STOP"]
    assert unit.event("restart_needed")["settings"] == ["WORKER_QUEUES"]
    settings.write_text("DRY_RUN=maybe\n")
    unit.hang_up()
    assert "DRY_RUN='maybe'" in unit.event("settings_not_reloaded")["error"]
    assert unit.stop() == 0


def test_a_reload_of_the_scheduler_takes_the_intervals(start, redis, redis_server, settings):
    settings.write_text("QUEUE_STATS_INTERVAL=3600\n")
    unit = start(redis_server, "scheduler", "--config", str(settings))
    unit.wait_for("; next poll_admin_accounts at ")
    wait(lambda: redis.zscore("rq:scheduler:scheduled_jobs", "record_queue_stats"))
    first = redis.hget("rq:scheduler:last_tick", "record_queue_stats")
    settings.write_text("QUEUE_STATS_INTERVAL=1\n")
    unit.hang_up()
    redis.delete("rq:queue:high", "rq:job:record_queue_stats")  # there is no worker to take it
    wait(lambda: redis.hget("rq:scheduler:last_tick", "record_queue_stats") not in (None, first))
    assert unit.stop() == 0


def test_a_reload_of_the_api_takes_the_new_key(start, redis, redis_server, settings, tmp_path):
    key = tmp_path / "key"
    key.write_text("one")
    address = f"127.0.0.1:{free_port()}"
    unit = start(redis_server, "api", "--config", str(settings), API_BIND=address, API_KEY_FILE=str(key))
    unit.wait_for("READY=1")

    def answer(shown: str) -> int:
        return requests.get(f"http://{address}/jobs/queues", headers={"X-API-Key": shown}, timeout=5).status_code

    assert [answer("one"), answer("two")] == [200, 401]
    key.write_text("two")
    unit.hang_up()
    assert [answer("one"), answer("two")] == [401, 200]
    key.write_text("")
    unit.hang_up()
    assert "api_key is empty" in unit.event("settings_not_reloaded")["error"]
    assert [answer("one"), answer("two")] == [401, 200]
    unit.wait_for("6 requests answered")
    assert unit.stop() == 0


def test_a_reload_of_the_dashboard_takes_settings(start, redis, redis_server, settings):
    address = f"127.0.0.1:{free_port()}"
    unit = start(redis_server, "dashboard", "--config", str(settings), DASHBOARD_BIND=address, INSTANCE_BASE="")
    unit.wait_for("READY=1")
    settings.write_text("LOG_LEVEL=error\n")
    unit.hang_up()
    settings.write_text("LOG_LEVEL=info\n")
    unit.hang_up()
    assert requests.get(f"http://{address}/", timeout=5).status_code == 200
    # The first one is told no more, as the level is in force by then.
    assert [one.get("changed") for one in unit.events() if one["event"] == "settings_reloaded"] == [["LOG_LEVEL"]]
    assert unit.stop() == 0


def test_the_worker_says_how_many_jobs_wait(start, redis, redis_server):
    JsonQueue("default", connection=redis).enqueue("time.sleep", 30)
    for _ in range(2):
        JsonQueue("low", connection=redis).enqueue("time.sleep", 0)
    unit = start(redis_server, "worker")
    unit.wait_for("busy with ")
    unit.wait_for("; 0 jobs done; waiting: high 0, default 0, low 2; ")
    unit.process.send_signal(signal.SIGTERM)
    unit.wait_for("EXTEND_TIMEOUT_USEC=330000000")
    unit.wait_for("STATUS=stopping; busy with ")
    unit.process.send_signal(signal.SIGTERM)
    assert unit.process.wait(60) == 0


@pytest.mark.parametrize("command", ["api", "dashboard"])
def test_pages_and_api_say_since_when_redis_is_away(start, command):
    port = free_port()
    binds = {"API_BIND": f"127.0.0.1:{free_port()}", "DASHBOARD_BIND": f"127.0.0.1:{free_port()}"}
    unit = start(f"redis://127.0.0.1:{port}/1", command, **binds)
    unit.wait_for("STATUS=Redis away since ")
    with private_redis(port=port):
        unit.heard.clear()
        unit.wait_for("STATUS=Listening on ")
        assert unit.stop() == 0
    events = [one["event"] for one in unit.events()]
    assert [events.count("redis_away"), events.count("redis_back")] == [1, 1]


@pytest.mark.parametrize("command", ["worker", "scheduler"])
def test_a_redis_that_does_not_answer_is_told_of_long_before_the_watchdog_would_end_it(start, tmp_path, command):
    with running_redis(tmp_path) as redis:
        unit = start(redis.url, command)
        unit.wait_for("idle" if command == "worker" else "Leading")
        os.kill(redis._process.pid, signal.SIGSTOP)
        try:
            # Of the 15 s of WatchdogSec= some are over when it begins to wait.
            unit.wait_for("Redis away since ")
        finally:
            os.kill(redis._process.pid, signal.SIGCONT)
        unit.heard.clear()
        unit.wait_for("idle" if command == "worker" else "Leading")
        assert unit.stop() == 0


def test_a_redis_that_does_not_answer_holds_neither_a_page_nor_a_stop(start, tmp_path):
    address = f"127.0.0.1:{free_port()}"
    with running_redis(tmp_path) as redis:
        unit = start(redis.url, "dashboard", DASHBOARD_BIND=address)
        unit.wait_for("READY=1")
        assert requests.get(f"http://{address}/", timeout=5).status_code == 200
        os.kill(redis._process.pid, signal.SIGSTOP)
        try:
            assert requests.get(f"http://{address}/", timeout=8).status_code == 503
            asking = threading.Thread(target=_ask_in_vain, args=(address,))
            asking.start()
            unit.process.send_signal(signal.SIGTERM)
            assert unit.process.wait(14) == 0  # TimeoutStopSec= is 15
            asking.join()
        finally:
            os.kill(redis._process.pid, signal.SIGCONT)


def _ask_in_vain(address: str) -> None:
    with contextlib.suppress(requests.RequestException):
        requests.get(f"http://{address}/", timeout=20)


@pytest.fixture
def addresses(tmp_path: Path) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A TCP and a unix socket that listen already, as systemd holds them."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "api.sock"))
        unix.listen(512)
        yield tcp, unix


def test_the_api_serves_on_the_sockets_that_systemd_hands_over(start, redis, redis_server, addresses):
    tcp, unix = addresses
    port = tcp.getsockname()[1]
    unit = start(redis_server, "api", handed=addresses, API_BIND=f"127.0.0.1:{free_port()}")
    unit.wait_for(f"Listening on 127.0.0.1:{port}, {unix.getsockname()}")
    assert requests.get(f"http://127.0.0.1:{port}/healthz", timeout=5).status_code == 200
    assert requests.get(f"http://127.0.0.1:{port}/jobs", timeout=5).status_code == 403  # TCP, so a key is needed
    assert _over(unix, b"GET /jobs/queues HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")
    assert unit.event("address_not_used")["settings"].keys() == {"API_BIND"}
    assert unit.stop() == 0
    assert Path(unix.getsockname()).exists()  # it is systemd's


def test_no_request_is_lost_while_the_api_restarts(start, redis, redis_server, addresses):
    _, unix = addresses
    answers: list[bytes] = []
    over = threading.Event()

    def ask_on() -> None:
        while not over.is_set():
            answers.append(_over(unix, b"GET /healthz HTTP/1.0\r\n\r\n")[:12])

    clients = [threading.Thread(target=ask_on) for _ in range(4)]
    unit = start(redis_server, "api", handed=addresses)
    for one in clients:
        one.start()
    try:
        for _ in range(3):
            before = len(answers)
            wait(lambda at_least=before + 20: len(answers) > at_least)
            assert unit.stop() == 0
            unit = start(redis_server, "api", handed=addresses)
    finally:
        over.set()
        for one in clients:
            one.join(20)
    assert set(answers) == {b"HTTP/1.1 200"}
    assert unit.stop() == 0


def test_a_connection_that_is_open_at_a_stop_may_still_send_its_request(start, redis, redis_server, addresses):
    _, unix = addresses
    unit = start(redis_server, "api", handed=addresses)
    unit.wait_for("READY=1")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(unix.getsockname())
        client.sendall(b"GET /healthz HTTP/1.0\r\n")
        assert _over(unix, b"GET /healthz HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")  # so it has both
        unit.process.send_signal(signal.SIGTERM)
        listening = Path(f"/proc/{unit.process.pid}/fd/4")
        wait(lambda: not listening.exists())  # it takes no more connections
        client.sendall(b"\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
    assert unit.process.wait(60) == 0


def _over(listening: socket.socket, request: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(listening.getsockname())
        client.sendall(request)
        answer = b""
        while part := client.recv(4096):
            answer += part
        return answer


def test_a_wrong_setting_is_one_line_of_json_in_the_journal(start, redis_server):
    unit = start(redis_server, "worker", JOURNAL_STREAM="stderr", INSTANCE_BASE="")
    assert unit.process.wait(60) == 2
    (line,) = unit.events()
    assert (line["event"], line["level"]) == ("not_usable", "ERROR")
    assert "INSTANCE_BASE is not set" in line["error"]
    assert unit.log.read_text().startswith("<3>")


def test_a_wrong_argument_is_one_line_of_json_in_the_journal(start, redis_server):
    unit = start(redis_server, "worker", "--instanze", "1", JOURNAL_STREAM="stderr")
    assert unit.process.wait(60) == 2
    (line,) = unit.events()
    assert (line["event"], line["error"]) == ("not_usable", "command line: unrecognized arguments: --instanze 1")


@pytest.mark.parametrize("broken", ["pydantic", "pythonjsonlogger", "uvicorn", "rq"])
def test_a_crash_is_one_line_of_json_in_the_journal_before_logging_is_set_up_and_after(
    start, redis_server, tmp_path, broken
):
    (tmp_path / f"{broken}.py").write_text("raise RuntimeError('a broken installation\\nsays so')")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    unit = start(redis_server, "api", JOURNAL_STREAM="stderr", PYTHONPATH=path, API_BIND=f"127.0.0.1:{free_port()}")
    assert unit.process.wait(60) == 1
    (line,) = unit.events()
    assert (line["event"], line["level"]) == ("crashed", "CRITICAL")
    assert line["error"] == "RuntimeError: a broken installation\nsays so"
    assert "Traceback" in line["traceback"]
    assert unit.log.read_text().startswith("<2>")


@pytest.mark.parametrize("command", ["worker", "scheduler", "api", "dashboard"])
def test_that_database_0_is_shared_is_told_once(start, redis_server, command):
    binds = {"API_BIND": f"127.0.0.1:{free_port()}", "DASHBOARD_BIND": f"127.0.0.1:{free_port()}"}
    unit = start(redis_server.rpartition("/")[0] + "/0", command, **binds)
    unit.wait_for("WATCHDOG=1")
    unit.hang_up()
    assert unit.stop() == 0
    assert [one["event"] for one in unit.events()].count("redis_database_shared") == 1


def test_at_rest_nothing_is_written(start, redis, redis_server):
    with running_mock(populate=lambda session: add_account(session, "bot", token="t", role="admin")) as mastodon:
        options = {"INSTANCE_BASE": mastodon.url, "POLL_ADMIN_ACCOUNTS_INTERVAL": "1", "QUEUE_STATS_INTERVAL": "1"}
        worker, scheduler = start(redis_server, "worker", **options), start(redis_server, "scheduler", **options)
        wait(lambda: redis.xlen("mastowatch:history:default") >= 4)
        assert len([one for one in mastodon.asked if one.path == "/api/v2/admin/accounts"]) >= 3
        assert [one["event"] for one in worker.events()] == ["worker_started"]
        assert [one["event"] for one in scheduler.events()] == ["scheduler_started", "schedules_asserted"]
        assert worker.stop() == scheduler.stop() == 0


def test_a_reload_of_the_api_takes_the_new_webhook_secret(start, redis, redis_server, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("one\n")
    address = f"127.0.0.1:{free_port()}"
    unit = start(redis_server, "api", API_BIND=address, WEBHOOK_SECRET_FILE=str(secret))
    unit.wait_for("READY=1")

    def answer(number: int, signed_with: str) -> int:
        body = webhooks.delivery("status.created", webhooks.status_entity(str(number)))
        given = webhooks.signature(body, signed_with)
        return requests.post(f"http://{address}/webhooks/mastodon", data=body, headers=given, timeout=20).status_code

    assert [answer(1, "one"), answer(2, "two")] == [202, 401]
    secret.write_text("two\n")
    unit.hang_up()
    assert [answer(1, "one"), answer(2, "two")] == [401, 202]
    assert redis.lrange("rq:queue:high", 0, -1) == [b"process_new_status-1", b"process_new_status-2"]
    assert unit.stop() == 0
    refused = [one for one in unit.events() if one["event"] == "webhook_refused"]
    # Once before the reload, once after it.
    assert [one["level"] for one in refused] == ["WARNING", "WARNING"]
    assert "does not fit" in refused[0]["reason"]


def test_the_unix_socket_takes_webhooks_as_well_and_asks_for_the_signature_there_too(
    start, redis, redis_server, tmp_path
):
    (tmp_path / "secret").write_text("one")
    path = tmp_path / "api.sock"
    unit = start(
        redis_server,
        "api",
        API_BIND=f"127.0.0.1:{free_port()}",
        API_SOCKET=str(path),
        WEBHOOK_SECRET_FILE=str(tmp_path / "secret"),
    )
    unit.wait_for("READY=1")
    body = webhooks.delivery("status.created", webhooks.status_entity("7"))

    def answer(headers: dict[str, str]) -> int:
        connection = http.client.HTTPConnection("localhost", timeout=20)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(path))
        connection.request("POST", "/webhooks/mastodon", body, headers)
        with contextlib.closing(connection):
            return connection.getresponse().status

    assert answer({}) == 401
    assert answer(webhooks.signature(body, "one")) == 202
    assert redis.llen("rq:queue:high") == 1
    assert unit.stop() == 0


def test_what_was_answered_has_its_job_though_the_api_is_killed_and_what_is_sent_again_has_one(
    start, redis: Redis, redis_server, tmp_path
):
    (tmp_path / "secret").write_text("one")
    address = f"127.0.0.1:{free_port()}"
    bodies = [webhooks.delivery("status.created", webhooks.status_entity(str(number))) for number in range(1, 1001)]
    taken: list[int] = []

    def send(numbers: Sequence[int]) -> None:
        with requests.Session() as session, contextlib.suppress(requests.RequestException):
            for number in numbers:
                body = bodies[number - 1]
                given = webhooks.signature(body, "one")
                url = f"http://{address}/webhooks/mastodon"
                if session.post(url, data=body, headers=given, timeout=20).status_code == 202:
                    taken.append(number)

    def send_all() -> list[threading.Thread]:
        threads = [threading.Thread(target=send, args=(range(first, 1001, 4),)) for first in range(1, 5)]
        for thread in threads:
            thread.start()
        return threads

    def queued() -> list[int]:
        return sorted(int(raw.decode().rpartition("-")[2]) for raw in redis.lrange("rq:queue:high", 0, -1))

    environ = {"API_BIND": address, "WEBHOOK_SECRET_FILE": str(tmp_path / "secret")}
    unit = start(redis_server, "api", **environ)
    unit.wait_for("READY=1")
    threads = send_all()
    wait(lambda: len(taken) > 100)
    unit.process.kill()
    for thread in threads:
        thread.join()
    assert 100 < len(taken) < 1000
    assert set(taken) <= set(queued())
    unit = start(redis_server, "api", **environ)
    unit.wait_for("READY=1")
    for thread in send_all():
        thread.join()
    assert queued() == list(range(1, 1001))
    assert unit.stop() == 0


def test_a_webhook_of_a_post_leads_to_a_case_of_its_author(start, redis, redis_server, tmp_path):
    (tmp_path / "secret").write_text("one")
    born = datetime.now(UTC) - timedelta(hours=2)

    def populate(session):
        add_account(session, "bot", id=1, token="t", role="admin")
        add_account(session, "spammer", id=5, created_at=born)
        # What the shipped rule test-string is there for.
        text = "<p>XJS-C4JDBQADN1-NSBN3-2IDNEN-GTUBE-MASTOWATCH</p>"
        session.add(MockStatus(id=71, account_id=5, content=text, created_at=datetime.now(UTC)))

    address = f"127.0.0.1:{free_port()}"
    with running_mock(populate=populate) as mastodon:
        worker = start(redis_server, "worker", INSTANCE_BASE=mastodon.url)
        api = start(redis_server, "api", API_BIND=address, WEBHOOK_SECRET_FILE=str(tmp_path / "secret"))
        worker.wait_for("idle")
        api.wait_for("READY=1")
        body = webhooks.delivery("status.created", webhooks.status_entity("71"))
        given = webhooks.signature(body, "one")
        url = f"http://{address}/webhooks/mastodon"
        assert requests.post(url, data=body, headers=given, timeout=20).status_code == 202
        wait(lambda: redis.exists("mastowatch:case:5"))
        assert json.loads(redis.get("mastowatch:case:5"))["reasons"]
        assert worker.stop() == api.stop() == 0
