"""What `mastowatch forget` and packaging/forget.sh delete: all of ours, and nothing of others."""

from __future__ import annotations

import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq import Queue, SimpleWorker
from rq.group import Group
from rq.job import Job
from rq.scheduler import RQScheduler
from rq_scheduler import Scheduler

from mastowatch import __version__
from mastowatch.adapters import redis_store
from mastowatch.adapters.budget import Budget
from mastowatch.adapters.redis_forget import Forgetting
from mastowatch.adapters.redis_posts import RedisRecentPosts
from mastowatch.adapters.redis_rule_stats import RedisRuleStats
from mastowatch.config import Settings
from mastowatch.config.settings import QUEUES
from mastowatch.jobs import remembered
from mastowatch.jobs.context import ensure_layout
from mastowatch.jobs.queues import TASKS, Jobs
from mastowatch.jobs.scheduler import get_scheduler
from mastowatch.ports.types import Account, Case, OpenReport, QueuePoint, Status
from mastowatch.reliable import pausing
from mastowatch.reliable.serializer import JsonJob, JsonQueue
from mastowatch.reliable.worker import ReliableWorker, fresh_name
from tests.covered import covered
from tests.engine import fail, pid
from tests.redis_server import RedisProcess, free_port, running_redis
from tests.snapshot import snapshot
from tests.typing_person import person_at

ROOT = Path(__file__).parents[2]
LUA, SCRIPT = ROOT / "mastowatch" / "adapters" / "forget.lua", ROOT / "packaging" / "forget.sh"
pytestmark = pytest.mark.redis
NOW = 1_767_268_800.0


# --- the two tools ---------------------------------------------------------------------------------------


def command(url: str, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "mastowatch", "forget", *options]
    env = {"PATH": os.environ["PATH"], "REDIS_URL": url, **covered(), **environ}
    return subprocess.run(
        words, capture_output=True, text=True, cwd=ROOT, env=env, timeout=60, stdin=subprocess.DEVNULL
    )


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """packaging/forget.sh where no file of the machine is found by accident, with the lines of a settings file."""

    def run(*options: str, settings: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "mastowatch.env").write_text(settings)
        words = ["sh", str(SCRIPT), "--env", str(tmp_path / "mastowatch.env")]
        if "--password-file" not in options:
            words += ["--password-file", str(tmp_path / "none")]
        env = {"PATH": os.environ["PATH"], "FORGET_PATIENCE": "0", **environ}
        return subprocess.run([*words, *options], capture_output=True, text=True, env=env, timeout=60)

    return run


@pytest.fixture(params=["command", "script"])
def forget(request, redis_server, script) -> Callable[..., subprocess.CompletedProcess[str]]:
    if request.param == "command":
        return partial(command, redis_server, "--yes")
    return partial(script, settings=f"REDIS_URL={redis_server}\n")


# --- who has keys in the database --------------------------------------------------------------------------


def fill_as_others_do(redis: Redis) -> None:
    """Another application with stock RQ and rq-scheduler, one of whose queues is called as ours; Mastodon's Sidekiq."""
    mail, default = Queue("mail", connection=redis), Queue("default", connection=redis)
    mail.enqueue(pid)
    mail.enqueue(fail)
    dependent = mail.enqueue(pid, depends_on=mail.enqueue(pid))
    worker = SimpleWorker([mail], connection=redis, name="mailer")
    worker.work(burst=True)
    for queue in (mail, default):
        queue.enqueue(pid)
        queue.enqueue(pid, job_id=f"mine-{queue.name}-{dependent.id}")
        queue.enqueue_in(timedelta(hours=1), pid)
        queue.enqueue(pid, depends_on=queue.enqueue(pid))
        Job.fetch(queue.enqueue(pid).id, connection=redis).cancel()
        queue.failed_job_registry.add(queue.enqueue(pid), ttl=1000)
        queue.started_job_registry  # noqa: B018 -- made by the worker above
    SimpleWorker([mail, default], connection=redis, name="living").register_birth()
    Scheduler("mail", connection=redis, name="cron").register_birth()
    Scheduler("mail", connection=redis).schedule(datetime.now(UTC), pid, interval=3600, id="hourly")
    redis.set("rq:scheduler_lock", "cron", ex=600)
    with redis.pipeline() as pipe:
        RQScheduler(["mail"], connection=redis).acquire_locks()
        pipe.execute()
    Group.create(redis, "batch").enqueue_many(mail, [Queue.prepare_data(pid)])
    redis.sadd("queues", "default", "mailers")  # Sidekiq's
    redis.lpush("queue:default", '{"class":"LinkCrawlWorker"}')
    redis.zadd("schedule", {'{"class":"Scheduler"}': NOW})
    redis.zadd("feed:home:1", {"109": 109})
    redis.mset(
        {"stat:processed": 1, "mastowatch": "x", "mastowatchdog:1": "x", "rq": "x", "rq:": "x", "masto:rq:job:1": 1}
    )
    redis.set("rq:job:no-hash", "x")
    for key in redis.scan_iter():
        if 0 < redis.ttl(key) < 3600:  # locks and births of a minute, which a slow test would see run out
            redis.expire(key, 3600)


def fill_as_we_do(redis: Redis, url: str) -> None:
    """Every kind of key that docs/reference/redis.md lists, and jobs in each state."""
    settings = Settings(instance_base="https://mastodon.example")
    jobs, scheduler = Jobs(redis, settings), get_scheduler(redis, settings)
    scheduler.step(NOW)
    scheduler.step(NOW + 60)
    scheduler.pause("record_queue_stats")
    scheduler.set_interval("send_alerts", 10, "me", NOW)
    pausing.pause(redis, "low", "me", NOW)
    pausing.resume(redis, "low")
    pausing.pause(redis, "high", "me", NOW)
    pausing.pause_all(redis, ["default"], "alice", NOW)
    scheduler.step(NOW + 120)
    low = JsonQueue("low", connection=redis)
    low.enqueue(pid)
    low.enqueue(fail)
    low.enqueue(pid, depends_on=low.enqueue(pid))
    low.enqueue(fail, retry=None, on_failure=None)
    worker = ReliableWorker(["low"], connection=redis, name=fresh_name(), labels={"dry_run": "true"})
    worker.work(burst=True)
    for number in range(7):
        jobs.analyze(str(number))
        low.enqueue_in(timedelta(hours=1), pid)
        jobs.submit("process_new_status", {"status_id": str(number)})
    jobs.submit("poll_admin_accounts")
    low.enqueue(pid).cancel()
    low.enqueue(pid, depends_on=low.enqueue(pid))
    fill_stores(redis)
    leave_as_the_dead_do(redis, low)


def fill_stores(redis: Redis) -> None:
    redis_store.RedisClaims(redis).plan("1", "mw", NOW)
    redis_store.RedisCursors(redis).set("accounts", "7")
    redis_store.RedisLocks(redis).acquire("account:1", "me", 100)
    redis_store.RedisJudged(redis).remember("1", "x")
    case = Case("1", "a@b", "https://b/@a", "report", 5.0, 0.0, "filed", "", NOW)
    redis_store.RedisCases(redis).put(case)
    redis_store.RedisSwitches(redis).set_panic_stop(on=True, by="me", now=NOW)
    redis_store.RedisSwitches(redis).set_dry_run(on=False, by="me", now=NOW)
    redis_store.RedisTally(redis).add("seen")
    redis_store.RedisHistory(redis).record([QueuePoint(NOW, "default", 0, 0.0, 0, 0, 0, 0)])
    budget = Budget(redis, per_5_min=300, paged_per_15_min=300, clock=lambda: NOW)
    budget.take("judge", paged=True)
    born = datetime.fromtimestamp(NOW, UTC)
    RedisRecentPosts(redis).remember(Account("1", "a", "a", None, "", "", "", born), [Status("5", "1", born)], NOW)
    RedisRuleStats(redis).hits("1", {"casino": False, "new": True}, NOW)
    RedisRuleStats(redis).filed(OpenReport("9", "1", ("casino",), NOW), NOW)
    remembered.begin(redis, "a key", "a request")
    with ensure_layout(redis):
        redis.hset("mastowatch:layout:past:2", "about", "x")
    redis.set("mastowatch:of-a-later-version", "x")


def leave_as_the_dead_do(redis: Redis, queue: JsonQueue) -> None:
    """What a worker and a scheduler leave that were killed with a job at hand."""
    name, job = fresh_name("1"), queue.enqueue(pid)
    worker = ReliableWorker(["low"], connection=redis, name=name)
    worker.register_birth()
    redis.lmove("rq:queue:low", f"rq:taken:{name}", "RIGHT", "LEFT")
    redis.sadd("rq:takers", name)
    redis.hset(f"rq:execution:{job.id}:e", "id", "e")
    redis.zadd(f"rq:executions:{job.id}", {"e": NOW})
    redis.zadd("rq:wip:low", {f"{job.id}:e": NOW})
    redis.sadd(f"rq:worker:{name}:executions", f"{job.id}:e")
    redis.rpush("rq:followups:low", job.id)
    redis.rpush("rq:unsettled", job.id)
    redis.set("rq:steady", 1)
    redis.hset("rq:scheduler:orphans", "poll_admin_accounts", NOW)
    redis.set("rq:maintenance", name)
    redis.hset(f"rq:scheduler_instance:{name}", "birth", NOW)
    worker.connection.connection_pool.disconnect()


def told(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """Return how many of each kind were deleted, by what was said."""
    text = done.stdout.rpartition("eleted:")[2]
    return {kind.strip(): int(number) for number, kind in re.findall(r"(\d+) +([a-z-]+(?: [a-z-]+)*)", text)}


# --- what is deleted ---------------------------------------------------------------------------------------


def test_ours_are_deleted_and_of_others_nothing_is_touched(redis: Redis, redis_server, forget):
    fill_as_others_do(redis)
    before = snapshot(redis)
    fill_as_we_do(redis, redis_server)
    between = redis.dbsize()
    done = forget()
    assert done.stderr == ""
    assert done.returncode == 0
    assert snapshot(redis) == before
    kinds = told(done)
    assert between - len(before) <= sum(kinds.values())
    assert {"job records", "results of jobs", "runs of jobs", "queued jobs", "reports claimed", "layout"} <= set(kinds)
    again = forget()
    assert snapshot(redis) == before
    assert again.returncode == 0
    assert "none" in again.stdout or "nothing" in again.stdout


def test_a_database_of_our_own_is_empty_afterwards(redis: Redis, redis_server, forget):
    fill_as_we_do(redis, redis_server)
    forget()
    assert redis.keys() == []


def test_what_is_counted_is_what_is_deleted_and_counting_changes_nothing(redis: Redis, redis_server, script):
    fill_as_others_do(redis)
    fill_as_we_do(redis, redis_server)
    before = snapshot(redis)
    keys = Forgetting(redis)
    counted = dict(keys.count())
    by_script = script("--count", settings=f"REDIS_URL={redis_server}")
    assert told(by_script) == counted
    assert "would be deleted" in by_script.stdout
    asked = command(redis_server)
    assert "Nothing was deleted" in asked.stdout
    assert asked.returncode == 1
    assert snapshot(redis) == before
    assert dict(keys.delete()) == counted
    keys.close()


def test_it_may_end_after_any_step_and_the_next_one_goes_on(redis: Redis, redis_server):
    fill_as_others_do(redis)
    before = snapshot(redis)
    fill_as_we_do(redis, redis_server)
    run = redis.register_script(LUA.read_text())
    steps = 0
    while True:
        # As one who always dies after so many steps.
        place: Any = "begin"
        for _ in range(steps):
            place = run(args=["delete", place, "3"])[0]
            if place == b"end":
                assert snapshot(redis) == before
                assert steps > 10
                return
        steps += 1
        assert redis.exists("mastowatch:layout"), "the last to go"


def test_no_step_looks_at_more_than_so_many(redis: Redis, redis_server):
    jobs = Jobs(redis, Settings())
    for number in range(600):
        jobs.analyze(str(number))
        redis.set(f"mastowatch:judged:{number}", "x")
    foreign = Queue("default", connection=redis)
    for _ in range(100):
        foreign.enqueue(pid)
    ids = foreign.job_ids[-100:]
    keys = Forgetting(redis, step=100)
    redis.config_resetstat()
    found = keys.delete()
    keys.close()
    assert (found["queued jobs"], found["job records"], found["accounts judged"]) == (600, 600, 600)
    assert foreign.job_ids == ids
    stats = redis.info("commandstats")
    calls = stats["cmdstat_evalsha"]["calls"]
    assert 18 <= calls < 60
    assert stats["cmdstat_scan"]["calls"] <= calls
    assert "cmdstat_keys" not in stats


def test_a_job_of_others_in_a_hand_of_ours_stays_where_it_can_be_found(redis: Redis, redis_server, forget):
    job, _ = (Queue("default", connection=redis).enqueue(pid) for _ in range(2))
    name = fresh_name()
    redis.lmove("rq:queue:default", f"rq:taken:{name}", "LEFT", "LEFT")
    redis.sadd("rq:takers", name)
    before = snapshot(redis)
    redis.rpush(f"rq:taken:{name}", "poll_admin_accounts")
    forget()
    assert snapshot(redis) == before
    assert redis.lrange(f"rq:taken:{name}", 0, -1) == [job.id.encode()]


def test_the_lua_knows_every_queue_and_task_and_the_mark_of_our_records(redis: Redis):
    text = LUA.read_text()
    assert {name for name in TASKS if f"  {name} = true," in text} == set(TASKS)
    assert f"local QUEUES = {{{', '.join(map(repr, QUEUES))}}}" in text
    job = JsonJob.create("os.getpid", connection=redis, origin="low")
    job.save()
    assert redis.hget(job.key, "serializer") == b"json"
    assert "local MARK_FIELD, MARK = 'serializer', 'json'" in text


def test_the_script_is_packed_with_the_very_lua_of_the_command():
    assert (ROOT / "packaging" / "forget.lua").read_bytes() == LUA.read_bytes()


# --- who must not be disturbed -------------------------------------------------------------------------------


def test_it_waits_for_nobody_and_refuses_while_a_process_lives(redis: Redis, redis_server, forget):
    with ensure_layout(redis, "worker"):
        before = snapshot(redis)
        done = forget()
        assert snapshot(redis).keys() == before.keys()
        assert re.search(r"still run|processes of MastoWatch run", done.stderr)
        assert re.search(rf"worker .*{os.getpid()}", done.stderr)
        forget("--force")
        assert redis.keys() == []


def test_the_script_waits_for_what_a_killed_process_has_left_to_run_out(redis: Redis, redis_server, script):
    member = f"1 {__version__} worker host 1 abcdef"
    redis.zadd("mastowatch:processes", {member: redis.time()[0] + 2})
    done = script(settings=f"REDIS_URL={redis_server}", FORGET_PATIENCE="20")
    assert done.stderr == ""
    assert redis.keys() == []


@pytest.mark.parametrize("layout", ["2", "x"])
def test_what_a_newer_version_has_changed_is_left_to_it(redis: Redis, redis_server, forget, layout):
    redis.set("mastowatch:layout", layout)
    redis.set("mastowatch:judged:1", "x")
    done = forget()
    assert redis.dbsize() == 2
    assert layout in done.stderr
    forget("--force")
    assert redis.dbsize() == 0


# --- the command -----------------------------------------------------------------------------------------


def answer(url: str, words: str) -> tuple[str, int]:
    """Run the command on a terminal and give it an answer."""
    ours, theirs = pty.openpty()
    line = [sys.executable, "-m", "mastowatch", "forget"]
    env = {"PATH": os.environ["PATH"], "REDIS_URL": url}
    process = subprocess.Popen(line, stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, env=env)
    os.close(theirs)
    os.write(ours, words.encode())
    heard = b""
    try:
        while part := os.read(ours, 4096):
            heard += part
    except OSError:  # all ends of the terminal are closed
        pass
    os.close(ours)
    return heard.decode(), process.wait(20)


@pytest.mark.parametrize(("words", "left", "status"), [("y\n", 0, 0), ("\n", 1, 1)])
def test_a_person_is_asked_and_only_a_yes_deletes(redis: Redis, redis_server, words, left, status):
    redis.set("mastowatch:judged:1", "x")
    heard, ended = answer(redis_server, words)
    assert "1  accounts judged" in heard
    assert "Delete them?" in heard
    assert (redis.dbsize(), ended) == (left, status)


@pytest.mark.parametrize("key", [b"\x03", b"\x04"], ids=["Ctrl-C", "Ctrl-D"])
def test_a_key_that_ends_the_question_deletes_nothing(redis: Redis, redis_server, key):
    redis.set("mastowatch:judged:1", "x")
    with person_at("forget", environ={"REDIS_URL": redis_server}) as person:
        person.waits_for("[y/N] ")
        person.presses(key)
        person.waits_for("Nothing was deleted.")
        assert person.ends() == 1
    assert "Traceback" not in person.read
    assert redis.dbsize() == 1


def test_the_password_is_not_shown_and_redis_away_is_said_in_one_line():
    done = command(f"redis://me:hunter2@127.0.0.1:{free_port()}/1", "--yes")
    assert done.returncode == 1
    assert "hunter2" not in done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1


# --- the script: sh, redis-cli, and nothing else ---------------------------------------------------------------


def test_shellcheck_has_nothing_to_say():
    done = subprocess.run(["shellcheck", str(SCRIPT)], capture_output=True, text=True)
    assert done.stdout == ""


def directory_of(*names: str, into: Path) -> str:
    into.mkdir()
    for name in names:
        (into / name).symlink_to(str(shutil.which(name)))
    return str(into)


def test_nothing_but_debians_essential_tools_and_redis_cli_is_needed(redis: Redis, redis_server, script, tmp_path):
    redis.set("mastowatch:judged:1", "x")
    essential = ("sh", "awk", "sed", "tr", "head", "cat", "dirname", "timeout", "sleep")
    path = directory_of(*essential, "redis-cli", into=tmp_path / "bin")
    assert script(settings=f"REDIS_URL={redis_server}", PATH=path).stderr == ""
    assert redis.dbsize() == 0
    path = directory_of(*essential, into=tmp_path / "without")
    done = script(settings=f"REDIS_URL={redis_server}", PATH=path)
    assert "install redis-tools" in done.stderr
    assert done.returncode == 0


@contextmanager
def locked(redis: RedisProcess, password: str, *, user: str = "default") -> Iterator[None]:
    with Redis.from_url(redis.url) as client:
        client.execute_command("ACL", "SETUSER", user, "on", f">{password}", "~*", "+@all", "&*")
        client.set("mastowatch:judged:1", "x")
        if user != "default":
            client.execute_command("ACL", "SETUSER", "default", "off")
        yield
        client.connection_pool.disconnect()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisProcess]:
    (tmp_path / "redis").mkdir()
    with running_redis(tmp_path / "redis", "--unixsocket", str(tmp_path / "s")) as redis:
        yield redis


def left(redis: RedisProcess, user: str, password: str, database: int = 1) -> int:
    with Redis(port=redis.port, db=database, username=user, password=password) as client:
        return int(client.dbsize())


PASSWORD = "p w'\"$`\\x%41@/:é"
QUOTED = "p%20w%27%22%24%60%5Cx%2541%40%2F%3A%C3%A9"


@pytest.mark.parametrize(
    "where",
    [
        "REDIS_PASSWORD_FILE",
        "--password-file",
        "REDIS_URL",
        "REDIS_URL of a user",
        "unix socket",
        "unix socket of a user",
    ],
)
def test_a_password_is_found_where_the_settings_have_it(own_redis, script, tmp_path, where):
    user = "moderator" if "user" in where else "default"
    secret = tmp_path / "a secret"
    secret.write_text(f"{PASSWORD}\n")
    url, options, more = own_redis.url, [], ""
    name = user if user != "default" else ""
    if where.startswith("REDIS_URL"):
        url = url.replace("//", f"//{name}:{QUOTED}@")
    elif where.startswith("unix"):
        url = f"unix://{name}:{QUOTED}@{tmp_path}/s?db=1"
    elif where == "--password-file":
        options = ["--password-file", str(secret)]
    else:
        more = f'REDIS_PASSWORD_FILE="{secret}"\n'
    with locked(own_redis, PASSWORD, user=user):
        done = script(*options, settings=f"REDIS_URL={url}\n{more}")
        assert (done.stderr, done.returncode) == ("", 0)
        assert left(own_redis, user, PASSWORD) == 0


def test_no_argument_of_a_program_holds_the_password(own_redis, script, tmp_path):
    """A redis-cli that notes what it is called with stands before the real one."""
    (tmp_path / "bin").mkdir()
    spy = tmp_path / "bin" / "redis-cli"
    real = shlex.quote(str(shutil.which("redis-cli")))
    spy.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>{tmp_path}/seen\nexec {real} "$@"\n')
    spy.chmod(0o755)
    with locked(own_redis, "hunter2"):
        url = own_redis.url.replace("//", "//default:hunter2@")
        done = script(settings=f"REDIS_URL={url}", PATH=f"{tmp_path}/bin:{os.environ['PATH']}")
        assert done.stderr == ""
        assert left(own_redis, "default", "hunter2") == 0
    assert "--eval" in (tmp_path / "seen").read_text()
    assert "hunter2" not in (tmp_path / "seen").read_text()


@pytest.mark.parametrize(
    ("line", "database"),
    [
        ("REDIS_URL=redis://127.0.0.1:{port}/3", 3),
        ("  REDIS_URL = 'redis://127.0.0.1:{port}/3'  ", 3),
        ('# REDIS_URL=redis://nowhere/1\n; x\nREDIS_URL=redis://nowhere/1\nREDIS_URL="redis://127.0.0.1:{port}/3"', 3),
        ("REDIS_URL=redis://127.0.0.1:\\\n{port}/3", 3),
        ("REDIS_URL=redis://127.0.0.1:{port}", 0),
        ("REDIS_URL=redis://127.0.0.1:{port}/3?db=4", 4),
        ("REDIS_URL=redis://localhost:{port}/3\nDRY_RUN=true", 3),
        ("REDIS_URL=unix://{directory}/s?db=5", 5),
        ("REDIS_URL=unix://{directory}/s", 0),
    ],
)
def test_the_url_is_read_as_the_settings_have_it(own_redis, script, tmp_path, line, database):
    for number in range(6):
        with Redis(port=own_redis.port, db=number) as client:
            client.set("mastowatch:judged:1", "x")
    done = script(settings=line.format(port=own_redis.port, directory=tmp_path))
    assert done.stderr == ""
    assert [number for number in range(6) if not left(own_redis, "default", "", number)] == [database]


def test_tls_is_spoken_with_the_authority_that_the_url_names(script, tmp_path):
    subject, files = "/CN=localhost", ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert")]
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", subject, *files]
    subprocess.run(new, check=True, capture_output=True)
    port = free_port()
    tls = ["--tls-port", str(port), "--tls-cert-file", str(tmp_path / "cert"), "--tls-key-file", str(tmp_path / "key")]
    with running_redis(tmp_path, *tls, "--tls-auth-clients", "no") as redis, Redis.from_url(redis.url) as client:
        client.set("mastowatch:judged:1", "x")
        url = f"rediss://localhost:{port}/1"
        assert "certificate verify failed" in script(settings=f"REDIS_URL={url}").stderr
        assert client.dbsize() == 1
        assert script(settings=f"REDIS_URL={url}?ssl_ca_certs={tmp_path}/cert").stderr == ""
        assert client.dbsize() == 0
        client.set("mastowatch:judged:1", "x")
        assert script(settings=f"REDIS_URL={url}?ssl_cert_reqs=none").stderr == ""
        assert client.dbsize() == 0


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("away", "Connection refused"),
        ("wrong password", "WRONGPASS|NOAUTH"),
        ("not allowed", "NOPERM|no permissions"),
        ("read-only", "READONLY"),
        ("no lua", "can't be read"),
        ("wrong option", "no option"),
    ],
)
def test_whatever_happens_it_says_so_and_does_not_fail_the_purge(own_redis, script, tmp_path, trouble, said):
    url, options, environ = own_redis.url, [], {}
    with Redis.from_url(own_redis.url) as client:
        client.set("mastowatch:judged:1", "x")
        if trouble == "away":
            own_redis.kill()
        elif trouble == "wrong password":
            client.config_set("requirepass", "right")
            url = url.replace("//", "//:wrong@")
        elif trouble == "not allowed":
            client.execute_command("ACL", "SETUSER", "guest", "on", "nopass", "+ping")
            url = url.replace("//", "//guest:x@")
        elif trouble == "read-only":
            client.execute_command("REPLICAOF", "127.0.0.1", str(free_port()))
        elif trouble == "no lua":
            environ["FORGET_LUA"] = str(tmp_path / "none.lua")
        else:
            options = ["--all"]
    done = script(*options, settings=f"REDIS_URL={url}", **environ)
    assert done.returncode == 0
    assert re.search(said, done.stderr), done.stderr
    assert re.match("mastowatch: the keys in Redis were left as they are: ", done.stderr)
