"""`mastowatch jobs ...`, `dry-run` and `panic` as people and scripts type them, over a real Redis."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path

import pytest
from redis import Redis

from mastowatch.config import Loaded, Settings
from mastowatch.jobs import context as contexts
from mastowatch.jobs.context import View
from mastowatch.jobs.queues import Jobs
from mastowatch.jobs.scheduler import get_scheduler
from mastowatch.reliable.serializer import JsonQueue
from mastowatch.web.app import create_api
from tests.asgi import client_of
from tests.covered import covered
from tests.engine import fail, made, note, pid, start, wait
from tests.redis_server import private_redis
from tests.snapshot import snapshot

pytestmark = pytest.mark.redis

ROOT = Path(__file__).parents[2]
KEY = "a key of the tests"
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def mastowatch(redis: Redis, redis_server: str) -> Command:
    """Run the command with these words."""

    def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        env = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "REDIS_URL": redis_server,
            "USER": "alice",
            **covered(),
            **environ,
        }
        command = [sys.executable, "-m", "mastowatch", *words]
        return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, stdin=subprocess.DEVNULL)

    return run


@pytest.fixture
def view(redis: Redis) -> View:
    return contexts.view(Loaded(Settings(), {}), redis)


def seed(redis: Redis, *, failed: int = 2, queued: int = 2) -> None:
    """Leave jobs that have failed, one that has finished, and some that wait."""
    queue = JsonQueue("default", connection=redis)
    for number in range(failed):
        queue.enqueue(fail, job_id=f"bad-{number}")
    queue.enqueue(pid, job_id="good")
    with made(redis) as worker:
        worker.work(burst=True)
    for number in range(queued):
        Jobs(redis, Settings()).analyze(str(1000 + number))


def told(view: View) -> list[tuple[str, str, str]]:
    """Return what the audit says of people, oldest first."""
    return [(one.outcome, one.why, one.by) for one in reversed(view.audit.recent(50)) if one.event == "action"]


def columns(text: str, *heads: str) -> list[tuple[str, ...]]:
    """Return some columns of a table."""
    head, *lines = text.splitlines()
    starts = [head.index(name) for name in head.split("  ") if name.strip()]
    names = [name.strip() for name in head.split("  ") if name.strip()]
    assert starts
    rows = [[part.strip() for part in line.split("  ") if part.strip()] for line in lines]
    return [tuple(row[names.index(one)] for one in heads) for row in rows]


def test_jobs_are_listed_for_people_and_for_programs(redis, view, mastowatch):
    seed(redis)
    before = snapshot(redis)
    shown = mastowatch("jobs", "list", "--status", "failed")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert columns(shown.stdout, "ID", "STATUS", "QUEUE", "ERROR") == [
        ("bad-1", "failed", "default", "RuntimeError: no"),
        ("bad-0", "failed", "default", "RuntimeError: no"),
    ]
    as_json = json.loads(mastowatch("jobs", "list", "--status", "failed", "--json").stdout)
    with client_of(create_api(view, KEY)) as client:
        api = client.get("/jobs/jobs?status=failed", headers={"X-API-Key": KEY}).json()
    assert as_json == api
    after = snapshot(redis)
    assert {key: after[key] for key in after if before.get(key) != after[key]} == {}


def test_pages_follow_one_another_and_all_of_them_at_once(redis, mastowatch):
    seed(redis, failed=0, queued=5)
    first = mastowatch("jobs", "list", "--status", "queued", "--limit", "2").stdout
    cursor = first.split("--cursor ")[1].strip()
    second = json.loads(
        mastowatch("jobs", "list", "--status=queued", "--limit=2", f"--cursor={cursor}", "--json").stdout
    )
    assert [one["id"][-4:] for one in second["jobs"]] == ["1002", "1003"]
    every = mastowatch("jobs", "list", "--status", "queued", "--all", "--json").stdout.splitlines()
    assert [json.loads(line)["id"][-4:] for line in every] == ["1000", "1001", "1002", "1003", "1004"]
    assert len(mastowatch("jobs", "list", "--status", "queued", "--all").stdout.splitlines()) == 6


def test_each_filter_narrows_the_list(redis, mastowatch):
    seed(redis)

    def ids(*words: str) -> list[str]:
        found = json.loads(mastowatch("jobs", "list", "--json", *words).stdout)
        return sorted(one["id"] for one in found["jobs"])

    assert ids("--error", "RUNTIME") == ["bad-0", "bad-1"]
    assert ids("--text", "bad-1") == ["bad-1"]
    group = json.loads(mastowatch("jobs", "failures", "--json").stdout)["groups"][0]
    assert len(ids("--failure", f"{group['error']}: {group['message']}")) == group["count"]
    assert ids("--failure", "KeyError: N") == []
    assert ids("--function", "analyze_and_maybe_report") == [f"analyze_and_maybe_report-{one}" for one in (1000, 1001)]
    assert ids("--status", "failed", "--until", "1h") == []
    assert ids("--status", "failed", "--since", "1h") == ["bad-0", "bad-1"]
    assert ids("--queue", "low") == []
    assert mastowatch("jobs", "list", "--queue", "low").stdout == "No job found.\n"


def test_a_job_is_shown_in_full(redis, mastowatch):
    seed(redis)
    shown = mastowatch("jobs", "show", "bad-0").stdout
    assert "function  tests.engine.fail\n" in shown
    assert "attempt 1: failed " in shown
    assert "\n  RuntimeError: no\n" in shown
    waiting = mastowatch("jobs", "show", "analyze_and_maybe_report-1001").stdout
    assert re.search(r"^queue +default, 1 before it$", waiting, re.MULTILINE)
    detail = json.loads(mastowatch("jobs", "show", "analyze_and_maybe_report-1001", "--json").stdout)
    assert (detail["kwargs"], detail["place"]) == ({"account_id": "1001"}, 1)
    missing = mastowatch("jobs", "show", "nope")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr.startswith("mastowatch: there is no job nope;")


def test_jobs_are_changed_one_by_one_and_the_audit_says_by_whom(redis, view, mastowatch):
    seed(redis, failed=2, queued=3)
    jobs = [f"analyze_and_maybe_report-{one}" for one in (1000, 1001, 1002)]
    assert mastowatch("jobs", "cancel", jobs[0], LOGNAME="alice").stdout == f"{jobs[0]}: canceled\n"
    assert mastowatch("jobs", "run", jobs[2], SUDO_USER="bob").stdout == f"{jobs[2]}: runs next\n"
    assert redis.lindex("rq:queue:default", 0).decode() == jobs[2]
    both = mastowatch("jobs", "requeue", "bad-0", "nope", "bad-1", LOGNAME="alice")
    assert (both.returncode, both.stdout) == (1, "bad-0: queued again\nbad-1: queued again\n")
    assert both.stderr.startswith("mastowatch: there is no job nope;")
    assert mastowatch("jobs", "delete", "good", LOGNAME="alice").stdout == "good: deleted\n"
    assert not redis.exists("rq:job:good")
    assert told(view) == [
        ("canceled", f"job {jobs[0]}", "alice on the command line"),
        ("run now", f"job {jobs[2]}", "bob on the command line"),
        ("queued again", "job bad-0", "alice on the command line"),
        ("queued again", "job bad-1", "alice on the command line"),
        ("deleted", "job good", "alice on the command line"),
    ]


def test_a_job_that_runs_is_stopped(redis, redis_server, mastowatch):
    JsonQueue("default", connection=redis).enqueue(note, redis_server, "long", 600.0, job_id="long")
    start(redis_server, ["default"])
    wait(lambda: redis.lrange("notes", 0, -1))
    assert "told to stop it" in mastowatch("jobs", "cancel", "long").stdout
    wait(lambda: redis.hget("rq:job:long", "status") == b"stopped")
    assert redis.lrange("notes", 0, -1) == [b"begin long"]


def test_many_are_changed_after_a_look_at_how_many(redis, view, mastowatch):
    seed(redis, failed=3)
    asked = mastowatch("jobs", "bulk", "requeue", "--status", "failed")
    assert asked.returncode == 1
    assert asked.stdout == "Queue again: 3 jobs; none was changed.\n"
    assert "say --yes" in asked.stderr
    assert redis.zcard("rq:failed:default") == 3
    done = json.loads(mastowatch("jobs", "bulk", "requeue", "--status", "failed", "--yes", "--json").stdout)
    assert (done["matched"], done["done"], done["skipped"], done["left"]) == (3, 3, 0, False)
    assert redis.zcard("rq:failed:default") == 0
    assert told(view)[-1][1].startswith("3 jobs")
    assert mastowatch("jobs", "bulk", "requeue", "--status", "failed", "--yes").stdout == "No job matches.\n"


@pytest.mark.parametrize("words", [("bulk", "delete", "--status", "failed"), ("empty-failed", "default")])
def test_a_dry_run_counts_and_changes_nothing(redis, view, mastowatch, words):
    seed(redis, failed=3)
    shown = mastowatch("jobs", *words, "--dry-run")
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, "Delete: 3 jobs; none was changed.\n", "")
    counted = json.loads(mastowatch("jobs", *words, "--dry-run", "--json").stdout)
    assert (counted["matched"], counted["done"]) == (3, 0)
    assert redis.zcard("rq:failed:default") == 3
    assert told(view) == []
    assert mastowatch("jobs", *words, "--dry-run", "--yes").returncode == 2


def test_all_jobs_at_once_must_be_meant(redis, mastowatch):
    seed(redis)
    for words in (("--yes",), ("--dry-run",), ("--text", "", "--yes")):
        refused = mastowatch("jobs", "bulk", "delete", *words)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "or say --all" in refused.stderr
    assert redis.llen("rq:queue:default") == 2
    assert mastowatch("jobs", "bulk", "delete", "--all", "--yes").stdout == "Deleted: 5 jobs.\n"


def test_what_was_done_is_told_as_the_api_tells_it(redis, redis_server, view, mastowatch):
    seed(redis, failed=3, queued=5)
    get_scheduler(redis, Settings()).assert_schedules(time.time())
    start(redis_server, ["high"])
    wait(lambda: redis.smembers("rq:workers"))
    name = next(iter(redis.smembers("rq:workers"))).decode().removeprefix("rq:worker:")
    wait(lambda: dict(redis.pubsub_numsub(f"rq:pubsub:{name}")).get(f"rq:pubsub:{name}".encode()))
    job = "analyze_and_maybe_report"
    pairs = [
        (("cancel", f"{job}-1000"), ("POST", f"jobs/{job}-1001/cancel")),
        (("requeue", "bad-0"), ("POST", "jobs/bad-1/requeue")),
        (("run", f"{job}-1002"), ("POST", f"jobs/{job}-1003/run")),
        (("trigger", "judge_again", "account_id=1"), ("POST", "trigger/judge_again")),
        (("pause", "low"), ("POST", "queues/high/pause")),
        (("resume", "low"), ("POST", "queues/high/resume")),
        (("recurring", "run", "send_alerts"), ("POST", "recurring/record_queue_stats/run")),
        (("recurring", "pause", "send_alerts"), ("POST", "recurring/record_queue_stats/pause")),
        (("recurring", "resume", "send_alerts"), ("POST", "recurring/record_queue_stats/resume")),
        (("recurring", "interval", "send_alerts", "45"), ("PUT", "recurring/record_queue_stats/interval")),
        (("recurring", "reschedule"), ("POST", "scheduled/reschedule")),
        (("worker", "stop", name), ("POST", f"workers/{name}/stop")),
    ]
    bodies = {"trigger/judge_again": {"account_id": "2"}, "recurring/record_queue_stats/interval": {"interval_s": 45}}
    with client_of(create_api(view, KEY)) as client:
        for words, (method, path) in pairs:
            # Of the worker first: it is gone once it was told.
            asked = client.request(method, f"/jobs/{path}", json=bodies.get(path), headers={"X-API-Key": KEY})
            done = mastowatch("jobs", *words, "--json")
            if words[0] == "worker" and done.returncode:
                continue
            ours, api = json.loads(done.stdout), asked.json()
            assert (list(ours), asked.status_code // 100) == (list(api), 2), words
            assert ours.get("status") == api.get("status")
    assert json.loads(mastowatch("jobs", "delete", "good", "--json").stdout) == {"id": "good", "status": "deleted"}


def test_failures_of_one_kind_are_found_by_their_name(redis, mastowatch):
    seed(redis)
    (group,) = json.loads(mastowatch("jobs", "failures", "--json").stdout)["groups"]
    name = f"{group['error']}: {group['message']}"
    assert json.loads(mastowatch("jobs", "list", "--failure", name, "--json").stdout)["count"] == 2
    assert json.loads(mastowatch("jobs", "list", "--failure", "E: other", "--json").stdout)["count"] == 0


def test_more_jobs_than_one_step_does_are_all_changed(redis, mastowatch, monkeypatch):
    queue = JsonQueue("default", connection=redis)
    for number in range(450):
        queue.enqueue(pid, job_id=f"job-{number}")
    done = mastowatch("jobs", "bulk", "delete", "--text", "job-", "--yes")
    assert done.stdout == "Deleted: 450 jobs.\n"
    assert redis.llen("rq:queue:default") == 0


def test_failed_jobs_are_emptied_and_grouped(redis, mastowatch):
    seed(redis, failed=3)
    assert columns(mastowatch("jobs", "failures").stdout, "COUNT", "EXAMPLE", "ERROR") == [
        ("3", "bad-2", "RuntimeError: no")
    ]
    assert json.loads(mastowatch("jobs", "failures", "--json").stdout)["groups"][0]["count"] == 3
    assert mastowatch("jobs", "empty-failed", "low", "--yes").stdout == "No job matches.\n"
    assert mastowatch("jobs", "empty-failed", "default").returncode == 1
    assert mastowatch("jobs", "empty-failed", "--yes").stdout == "Deleted: 3 jobs.\n"
    assert mastowatch("jobs", "failures").stdout == "No failed jobs.\n"
    assert mastowatch("jobs", "empty-failed", "nope", "--yes").returncode == 1


def test_queues_are_shown_paused_and_resumed(redis, view, mastowatch):
    seed(redis)
    for _ in range(2):
        assert mastowatch("jobs", "pause", "low", LOGNAME="alice").stdout == "low: paused\n"
    rows = columns(mastowatch("jobs", "queues").stdout, "QUEUE", "WAITING", "FAILED", "PAUSED BY")
    assert rows == [("high", "0", "0", "-"), ("default", "2", "2", "-"), ("low", "0", "0", "alice on the command line")]
    with client_of(create_api(view, KEY)) as client:
        api = client.get("/jobs/queues", headers={"X-API-Key": KEY}).json()
    ours = json.loads(mastowatch("jobs", "queues", "--json").stdout)
    for one in (*api["queues"], *ours["queues"]):
        one.pop("oldest_s")
    assert ours == api
    for _ in range(2):
        assert mastowatch("jobs", "resume", "low").stdout == "low: not paused\n"
    assert len(told(view)) == 2
    assert mastowatch("jobs", "pause", "nope").returncode == 1


def test_recurring_jobs_are_shown_and_changed(redis, view, mastowatch):
    get_scheduler(redis, Settings()).assert_schedules(time.time())
    assert mastowatch("jobs", "recurring", "interval", "poll_admin_accounts", "5m").returncode == 0
    for _ in range(2):
        assert mastowatch("jobs", "recurring", "pause", "send_alerts").stdout == "send_alerts: paused\n"
    table, _, below = mastowatch("jobs", "recurring").stdout.partition("No scheduler leads")
    assert "start one: systemctl start mastowatch-scheduler" in below
    rows = {row[0]: row[1:] for row in columns(table, "TASK", "EVERY", "NEXT")}
    assert rows["poll_admin_accounts"][0] == "5 min"
    assert rows["send_alerts"] == ("30 s", "paused")
    with client_of(create_api(view, KEY)) as client:
        api = client.get("/jobs/scheduled", headers={"X-API-Key": KEY}).json()
    assert json.loads(mastowatch("jobs", "recurring", "--json").stdout) == api
    assert mastowatch("jobs", "recurring", "resume", "send_alerts").stdout == "send_alerts: not paused\n"
    assert mastowatch("jobs", "recurring", "interval", "poll_admin_accounts", "settings").returncode == 0
    assert mastowatch("jobs", "recurring", "run", "send_alerts").stdout == "send_alerts: queued\n"
    again = mastowatch("jobs", "recurring", "run", "send_alerts")
    assert (again.returncode, again.stderr) == (1, "mastowatch: the last run of send_alerts still waits or runs\n")
    assert "send_alerts: planned for now\n" in mastowatch("jobs", "recurring", "reschedule").stdout
    refused = mastowatch("jobs", "recurring", "interval", "poll_admin_accounts", "0s")
    assert (refused.returncode, refused.stdout) == (2, "")


def test_workers_are_shown_and_told_to_go(redis, redis_server, mastowatch):
    assert mastowatch("jobs", "workers").stdout.startswith("No worker is registered;")
    process = start(redis_server, ["high", "default"])
    wait(lambda: redis.smembers("rq:workers"))
    ((name, queues),) = columns(mastowatch("jobs", "workers").stdout, "WORKER", "QUEUES")
    assert queues == "high,default"
    assert json.loads(mastowatch("jobs", "workers", "--json").stdout)["workers"][0]["name"] == name
    wait(lambda: dict(redis.pubsub_numsub(f"rq:pubsub:{name}")).get(f"rq:pubsub:{name}".encode()))
    assert mastowatch("jobs", "worker", "stop", name).stdout.startswith(f"{name}: finishes the job at hand")
    process.join(60)
    assert not process.is_alive()
    assert mastowatch("jobs", "worker", "stop", "nope").returncode == 1


def test_a_task_is_triggered_with_checked_arguments(redis, mastowatch):
    done = mastowatch("jobs", "trigger", "analyze_and_maybe_report", "account_id=77")
    assert done.stdout == "analyze_and_maybe_report-77\n"
    again = mastowatch("jobs", "trigger", "analyze_and_maybe_report", "account_id=77")
    assert (again.returncode, again.stdout) == (1, "")
    listed = mastowatch("jobs", "trigger", "process_new_statuses", "status_ids=1,2")
    assert redis.exists(f"rq:job:{listed.stdout.strip()}")
    for words in (["account_id=x"], ["account_id"], ["nope=1"], []):
        wrong = mastowatch("jobs", "trigger", "analyze_and_maybe_report", *words)
        assert (wrong.returncode, wrong.stdout) == (2, "")
        assert len(wrong.stderr.splitlines()) == 1


def test_the_counters_are_watched(redis, mastowatch):
    seed(redis)
    lines = mastowatch("jobs", "watch", "--count", "2", "--interval", "0.1").stdout.splitlines()
    assert lines[0].split()[0] == "time"
    assert [line.split()[1] for line in lines[1:]] == ["2", "2"]
    (pulse,) = mastowatch("jobs", "watch", "--count", "1", "--json").stdout.splitlines()
    assert (json.loads(pulse)["waiting"], json.loads(pulse)["failed"]) == (2, 2)


def test_watching_ends_with_ctrl_c(redis, redis_server):
    command = [sys.executable, "-m", "mastowatch", "jobs", "watch"]
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "REDIS_URL": redis_server, **covered()}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert "Traceback" not in process.stderr.read()


def on_a_terminal(*words: str, answer: bytes = b"", width: int = 60, **environ: str) -> tuple[int, str]:
    """Run the command on a terminal so wide, type ``answer`` when it asks; return its status and what it showed."""
    process, terminal = pty.fork()
    if process == 0:
        os.execve(sys.executable, [sys.executable, "-m", "mastowatch", *words], environ)
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    shown = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], 1)
        try:
            part = os.read(terminal, 4096) if ready else None
        except OSError:
            break
        if part == b"":
            break
        shown += part or b""
        if answer and b"[y/N]" in shown:
            os.write(terminal, answer)
            answer = b""
    _, status = os.waitpid(process, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), shown.decode()


@pytest.mark.parametrize(("answer", "status", "left"), [(b"y\n", 0, 0), (b"n\n", 1, 2), (b"\n", 1, 2)])
def test_a_person_is_asked(redis, redis_server, answer, status, left):
    seed(redis)
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "REDIS_URL": redis_server, **covered()}
    code, shown = on_a_terminal("jobs", "bulk", "delete", "--status", "failed", answer=answer, **env)
    assert code == status, shown
    assert "Delete: 2 jobs. Go on? [y/N]" in shown
    assert redis.zcard("rq:failed:default") == left


def test_a_table_fits_the_terminal_and_can_not_steer_it(redis, redis_server):
    seed(redis)
    redis.xtrim("rq:results:bad-0", 0)
    redis.xadd("rq:results:bad-0", {"type": "2", "exc_string": "Evil: \x1b[31m\x1b]0;title\x07" + "x" * 300})
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "REDIS_URL": redis_server, **covered()}
    code, shown = on_a_terminal("jobs", "list", "--status", "failed", width=70, **env)
    assert code == 0, shown
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert max(len(line) for line in shown.splitlines()) <= 70
    assert "Evil: \ufffd[31m" in shown


def test_the_switches_are_turned_and_told(redis, view, mastowatch):
    on = mastowatch("dry-run", "on", DRY_RUN="false", LOGNAME="alice")
    assert on.stdout.startswith("dry run: on since ")
    assert on.stdout.endswith(" by alice on the command line\n")
    assert view.switches.dry_run()
    assert mastowatch("dry-run", "off", DRY_RUN="false").stdout == "dry run: off\n"
    assert mastowatch("dry-run", "status").stdout.startswith("dry run: on, as DRY_RUN is true in the settings")
    assert mastowatch("panic", "on", SUDO_USER="bob").stdout.endswith(" by bob on the command line\n")
    assert mastowatch("panic", "off").stdout == "panic stop: off\n"
    assert [one[:2] for one in told(view)] == [
        ("turned on", "dry run"),
        ("turned off", "dry run"),
        ("turned on", "panic stop"),
        ("turned off", "panic stop"),
    ]


@pytest.mark.parametrize("words", [("jobs", "list"), ("jobs", "pause", "low"), ("dry-run", "on"), ("jobs", "queues")])
def test_a_redis_that_is_away_is_told_in_a_line(mastowatch, words):
    done = mastowatch(*words, REDIS_URL="redis://127.0.0.1:1/1")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("mastowatch: Redis: ConnectionError: ")


def test_a_redis_that_asks_for_a_password_gets_it_from_its_file_and_else_that_is_told(mastowatch, tmp_path):
    file = tmp_path / "password"
    file.write_text("hunter2\n")
    with private_redis() as url:
        with Redis.from_url(url) as client:
            client.config_set("requirepass", "hunter2")
        for words in (("jobs", "queues"), ("panic", "on"), ("forget", "--yes")):
            without = mastowatch(*words, REDIS_URL=url)
            assert without.returncode == 1, words
            assert "Traceback" not in without.stderr
            done = mastowatch(*words, REDIS_URL=url, REDIS_PASSWORD_FILE=str(file))
            assert done.returncode == 0, done.stderr
        assert "run this command with sudo" in mastowatch("jobs", "queues", REDIS_URL=url).stderr


@pytest.mark.parametrize(
    "words",
    [
        ("jobs",),
        ("jobs", "list", "--status", "nope"),
        ("jobs", "list", "--since", "yesterday"),
        ("jobs", "list", "--cursor", "x"),
        ("jobs", "list", "--limit", "201"),
        ("jobs", "list", "--limit", "0"),
        ("jobs", "trigger", "nope"),
        ("jobs", "recurring", "pause", "nope"),
        ("jobs", "watch", "--interval", "0"),
    ],
)
def test_a_wrong_argument_is_2_and_names_what_is_allowed(mastowatch, words):
    done = mastowatch(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "mastowatch" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_start_imports_neither_the_web_server_nor_mastodon(mastowatch):
    done = mastowatch("jobs", "queues", PYTHONPROFILEIMPORTTIME="1")
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "redis" in imported
    assert imported & {"fastapi", "uvicorn", "mastodon", "requests", "prometheus_client", "jinja2"} == set()
