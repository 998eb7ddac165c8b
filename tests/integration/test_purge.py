"""`mastowatch jobs purge`: what ended long ago goes, and nothing else, whatever people do meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis
from rq.job import Job

from mastowatch.config import Loaded, Settings
from mastowatch.jobs import context as contexts
from mastowatch.jobs import control, purging
from mastowatch.jobs.actions import Actions
from mastowatch.jobs.purging import Purge, Purged
from mastowatch.reliable.serializer import JsonQueue
from tests.covered import covered
from tests.engine import fail, made, pid
from tests.snapshot import snapshot

pytestmark = pytest.mark.redis

ROOT = Path(__file__).parents[2]
DAY = 86_400.0


@pytest.fixture
def actions(redis: Redis) -> Actions:
    return Actions(contexts.view(Loaded(Settings(), {}), redis), "alice")


def command(url: str, *words: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "REDIS_URL": url, "USER": "alice", **covered()}
    words = (sys.executable, "-m", "mastowatch", "jobs", "purge", *words)
    return subprocess.run(words, capture_output=True, text=True, env=env, timeout=60, stdin=subprocess.DEVNULL)


def work(redis: Redis) -> None:
    with made(redis) as worker:
        worker.work(burst=True)


def age(redis: Redis, job_id: str, days: float) -> None:
    """Let the job have ended so long ago."""
    then = datetime.now(UTC) - timedelta(days=days)
    redis.hset(f"rq:job:{job_id}", "ended_at", then.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    if redis.zscore("rq:canceled:default", job_id) is not None:
        redis.zadd("rq:canceled:default", {job_id: then.timestamp()})


def seed(redis: Redis) -> None:
    """Leave three of each that ended (8, 6 and 0 days ago), and one of each that has not."""
    queue = JsonQueue("default", connection=redis)
    for number in range(3):
        queue.enqueue(fail, job_id=f"failed-{number}")
        queue.enqueue(pid, job_id=f"finished-{number}")
    work(redis)
    for number in range(3):
        queue.enqueue(pid, job_id=f"canceled-{number}")
        control.cancel(redis, f"canceled-{number}", datetime.now(UTC).timestamp(), keep_s=1000)
    queue.enqueue(pid, job_id="waits")
    queue.enqueue_in(timedelta(days=1), pid, job_id="delayed")
    queue.enqueue(pid, job_id="deferred", depends_on=Job.fetch("waits", connection=redis, serializer=queue.serializer))
    for kind in ("failed", "finished", "canceled"):
        age(redis, f"{kind}-0", 8)
        age(redis, f"{kind}-1", 6)


def jobs(redis: Redis) -> set[str]:
    keys = (key.decode().removeprefix("rq:job:") for key in redis.scan_iter("rq:job:*"))
    return {one for one in keys if ":" not in one}


def test_what_ended_before_goes_with_all_it_left_and_nothing_else_is_touched(redis: Redis, redis_server: str):
    seed(redis)
    before = jobs(redis)
    counted = command(redis_server, "--older-than", "7d", "--dry-run", "--json")
    told = json.loads(counted.stdout)
    assert told == {"would_delete": {"failed": 1, "finished": 1, "canceled": 1}, "kept": {}, "younger": 6}
    assert jobs(redis) == before
    done = command(redis_server, "--older-than", "7d", "--yes")
    assert (done.returncode, done.stdout) == (0, "Deleted: 3 jobs (1 failed, 1 finished, 1 canceled).\n")
    gone = {"failed-0", "finished-0", "canceled-0"}
    assert jobs(redis) == before - gone
    assert not [key for key in snapshot(redis) if any(one in str(key) for one in gone)]
    assert not any(redis.zscore(f"rq:{kind}:default", f"{kind}-0") for kind in ("failed", "finished", "canceled"))


def test_one_status_alone(redis: Redis, redis_server: str):
    seed(redis)
    done = command(redis_server, "--older-than", "1d", "--status", "failed", "--yes", "--json")
    assert json.loads(done.stdout)["deleted"] == {"failed": 2, "finished": 0, "canceled": 0}
    assert {"finished-0", "canceled-0", "failed-2"} <= jobs(redis)


def test_nothing_goes_without_a_yes_and_a_wrong_time_is_told(redis: Redis, redis_server: str):
    seed(redis)
    before = jobs(redis)
    asked = command(redis_server, "--older-than", "7d")
    assert (asked.returncode, "say --yes" in asked.stderr) == (1, True)
    wrong = command(redis_server, "--older-than", "soon", "--yes")
    assert (wrong.returncode, "--older-than: 'soon' is no length of time" in wrong.stderr) == (2, True)
    assert jobs(redis) == before


def test_a_job_that_others_wait_for_stays(redis: Redis, actions: Actions):
    queue = JsonQueue("default", connection=redis)
    parent = queue.enqueue(fail, job_id="parent")
    queue.enqueue(pid, job_id="child", depends_on=parent)
    work(redis)
    age(redis, "parent", 8)
    assert Job.fetch("child", connection=redis, serializer=queue.serializer).get_status() == "deferred"
    done = actions.purge(Purge(datetime.now(UTC).timestamp() - DAY))
    assert (done.total, done.kept) == (0, {"awaited": 1})
    assert done.why_kept == "1 kept, as other jobs wait for their end"
    assert jobs(redis) == {"parent", "child"}
    redis.hset("rq:job:child", "status", "canceled")
    assert actions.purge(Purge(datetime.now(UTC).timestamp() - DAY)).total == 1


def test_a_rehearsal_tells_what_would_really_go_and_leaves_no_line_in_the_audit(redis: Redis, redis_server: str):
    seed(redis)
    redis.zadd("rq:scheduler:scheduled_jobs", {"failed-0": datetime.now(UTC).timestamp() + 60})
    redis.hset("rq:job:finished-0", "followup", "{}")
    told = json.loads(command(redis_server, "--older-than", "7d", "--dry-run", "--json").stdout)
    assert told["would_delete"] == {"failed": 0, "finished": 0, "canceled": 1}
    assert told["kept"] == {"recurs": 1, "followed": 1}
    assert not redis.exists("mastowatch:audit")
    done = command(redis_server, "--older-than", "7d", "--yes")
    assert done.stdout.startswith("Deleted: 1 job (1 canceled); 1 kept, as ")
    assert redis.xlen("mastowatch:audit") == 1
    again = command(redis_server, "--older-than", "7d", "--yes")
    assert "more than 7d ago; none was deleted; 1 kept, as " in again.stdout


def test_a_job_that_ran_again_stays_whatever_the_registry_says(redis: Redis, actions: Actions):
    seed(redis)
    redis.hset("rq:job:failed-0", "status", "queued")  # its entry is older than its record
    redis.hset("rq:job:finished-0", "ended_at", "")
    done = actions.purge(Purge(datetime.now(UTC).timestamp() - 7 * DAY))
    assert (done.deleted, done.kept) == ({"canceled": 1}, {"moved": 1, "undated": 1})


def test_entries_whose_records_have_run_out_go_uncounted(redis: Redis, actions: Actions):
    redis.zadd("rq:failed:default", {"nothing": 5})
    assert actions.purge(Purge(datetime.now(UTC).timestamp(), dry_run=True)).total == 0
    assert redis.zcard("rq:failed:default") == 1
    assert actions.purge(Purge(datetime.now(UTC).timestamp())).total == 0
    assert redis.zcard("rq:failed:default") == 0


def test_the_audit_says_who_and_how_many_also_if_it_is_stopped(redis: Redis, actions: Actions, monkeypatch):
    monkeypatch.setattr(purging, "PART", 1)
    seed(redis)

    def stop(done: Purged) -> None:
        if done.total == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        actions.purge(Purge(datetime.now(UTC).timestamp() - DAY, told="that ended long ago"), stop)
    (entry,) = actions._view.audit.recent(5)
    assert (entry.outcome, entry.why, entry.by) == ("purged", "2 jobs that ended long ago", "alice")


def test_jobs_queued_again_while_it_goes_on_are_all_there(
    redis: Redis, redis_server: str, actions: Actions, monkeypatch
):
    """Each is either deleted or waits; none is lost in between, and none waits without a record."""
    monkeypatch.setattr(purging, "PART", 5)
    then = (datetime.now(UTC) - timedelta(days=9)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    ids = [f"bad-{number}" for number in range(600)]
    with redis.pipeline() as pipe:
        for job_id in ids:
            pipe.hset(f"rq:job:{job_id}", mapping={"status": "failed", "origin": "default", "ended_at": then})
            pipe.zadd("rq:failed:default", {job_id: 9e9})
        pipe.execute()
    queued: list[str] = []

    def queue_again() -> None:
        with Redis.from_url(redis_server) as own:
            for job_id in ids[::-1]:
                try:
                    control.requeue(own, job_id, datetime.now(UTC).timestamp())
                except control.Unknown:
                    continue
                queued.append(job_id)

    other = threading.Thread(target=queue_again)
    other.start()
    done = actions.purge(Purge(datetime.now(UTC).timestamp() - DAY))
    other.join()
    assert queued
    assert done.total + len(queued) == len(ids)
    assert {one.decode() for one in redis.lrange("rq:queue:default", 0, -1)} == set(queued) == jobs(redis)


@pytest.mark.parametrize("age", ["9999999h", "730000d", "999999999w"])
def test_nothing_is_as_old_as_a_time_before_all_calendars(redis: Redis, redis_server: str, age: str):
    """The year 885 is written with three digits by some, and then comes after 2026 in the alphabet."""
    seed(redis)
    before = jobs(redis)
    done = command(redis_server, "--older-than", age, "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert "none was deleted" in done.stdout
    assert jobs(redis) == before
