"""`mastowatch pause` and `resume`: no worker takes a job, all else goes on, and what was paused before stays so."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from redis import Redis

from mastowatch.config import Loaded, Settings
from mastowatch.jobs import context as contexts
from mastowatch.jobs import maintenance
from mastowatch.jobs.actions import Actions
from mastowatch.jobs.refusals import BadParameter
from mastowatch.jobs.scheduler import get_scheduler
from mastowatch.jobs.switches import read_switches
from mastowatch.reliable import pausing
from mastowatch.reliable.serializer import JsonQueue
from tests.covered import covered
from tests.engine import end_all, hold, note, start, wait

pytestmark = pytest.mark.redis

ROOT = Path(__file__).parents[2]
NOW = 1_767_268_800.0


@pytest.fixture(autouse=True)
def no_worker_stays():
    yield
    end_all()


@pytest.fixture
def actions(redis: Redis) -> Actions:
    return Actions(contexts.view(Loaded(Settings(), {}), redis), "alice")


def process(url: str, *words: str) -> subprocess.Popen[str]:
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "REDIS_URL": url, "USER": "alice", **covered()}
    command = [sys.executable, "-m", "mastowatch", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


def command(url: str, *words: str) -> tuple[int, str, str]:
    ran = process(url, *words)
    out, err = ran.communicate(timeout=60)
    return ran.returncode, out, err


def test_no_queue_is_served_until_it_is_resumed_and_waiting_says_what_for(
    redis: Redis, redis_server: str, tmp_path: Path
):
    queues = {name: JsonQueue(name, connection=redis) for name in ("high", "default", "low")}
    running = queues["low"].enqueue(hold, str(tmp_path), job_id="long")
    worker = start(redis_server, ["high", "default", "low"])
    wait((tmp_path / "begun").exists)
    waiting = process(redis_server, "pause", "--wait", "--reason", "Mastodon's upgrade")
    assert waiting.stderr is not None
    assert "waiting for job long of worker" in waiting.stderr.readline()
    assert maintenance.all_paused(redis) is not None
    later = [queue.enqueue(note, redis_server, name) for name, queue in queues.items()]
    (tmp_path / "go").touch()
    out, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 0
    assert "by alice on the command line: Mastodon's upgrade\nnothing runs" in out
    assert running.get_status(refresh=True) == "finished"
    assert [one.get_status(refresh=True) for one in later] == ["queued"] * 3
    assert command(redis_server, "resume")[:2] == (0, "work goes on: default, high, low resumed\n")
    wait(lambda: all(one.get_status(refresh=True) == "finished" for one in later))
    worker.terminate()


def test_what_somebody_had_paused_before_stays_paused(redis: Redis, redis_server: str):
    assert pausing.pause(redis, "low", "bob", NOW)
    status, out, _ = command(redis_server, "pause")
    assert status == 0
    assert "queue low: paused by bob" in out
    status, out, _ = command(redis_server, "resume")
    assert (status, list(pausing.paused_queues(redis))) == (0, ["low"])
    assert (
        out == "work goes on: default, high resumed; still paused, by themselves: low (mastowatch jobs resume QUEUE)\n"
    )
    assert pausing.paused_queues(redis)["low"] == pausing.Paused("bob", NOW)


def test_a_second_pause_and_a_second_resume_change_nothing(redis: Redis, actions: Actions):
    assert actions.pause_all("first") == 3
    before = redis.hgetall("rq:paused"), redis.hgetall("rq:paused_all")
    assert actions.pause_all("second") == 0
    assert (redis.hgetall("rq:paused"), redis.hgetall("rq:paused_all")) == before
    assert actions.resume_all() == ("default", "high", "low")
    assert actions.resume_all() == ()
    assert redis.exists("rq:paused", "rq:paused_all") == 0
    told = [(one.outcome, one.why, one.by) for one in actions._view.audit.recent(9)]
    assert told == [
        ("resumed", "the queues paused for maintenance: default, high, low", "alice"),
        ("paused", "all queues, for maintenance: first", "alice"),
    ]


def test_a_queue_resumed_by_hand_meanwhile_is_paused_again_by_the_next_pause(redis: Redis, actions: Actions):
    actions.pause_all("upgrade")
    actions.resume_queue("high")
    found = maintenance.all_paused(redis)
    assert found is not None
    assert found.queues == ("default", "low")
    assert actions.pause_all("again") == 1
    assert maintenance.all_paused(redis) == pausing.AllPaused("alice", found.at, "upgrade", ("default", "high", "low"))


def test_one_that_was_resumed_queue_by_queue_is_over(redis: Redis, actions: Actions):
    actions.pause_all("upgrade")
    for queue in ("high", "default", "low"):
        actions.resume_queue(queue)
    assert maintenance.all_paused(redis) is None
    actions.pause_queue("low")
    assert actions.resume_all() == ()
    assert list(pausing.paused_queues(redis)) == ["low"]


def test_recurring_jobs_wait_once_each_while_it_is_paused(redis: Redis, actions: Actions):
    actions.pause_all()
    scheduler = get_scheduler(redis, Settings())
    scheduler.assert_schedules(NOW)
    for tick in range(20):
        scheduler.step(NOW + 3600 * tick)
    ids = [one.decode() for queue in ("high", "default", "low") for one in redis.lrange(f"rq:queue:{queue}", 0, -1)]
    assert ids
    assert len(ids) == len(set(ids))


def test_the_job_of_a_dead_worker_is_told_of_and_not_waited_for(redis: Redis, redis_server: str):
    redis.sadd("rq:takers", "gone-1-abcdef")
    redis.rpush("rq:taken:gone-1-abcdef", "lost")
    status, out, _ = command(redis_server, "pause", "--wait")
    assert status == 0
    assert "nothing runs\njob lost was with worker gone-1-abcdef, which is gone" in out


def test_status_changes_nothing_and_speaks_json(redis: Redis, redis_server: str, actions: Actions):
    assert command(redis_server, "pause", "--status")[1] == "not paused for maintenance\n"
    assert redis.exists("rq:paused", "rq:paused_all") == 0
    actions.pause_all("disk")
    told = json.loads(command(redis_server, "pause", "--status", "--json")[1])
    assert told["maintenance"]["reason"] == "disk"
    assert (told["maintenance"]["queues"], told["running"]) == (["default", "high", "low"], [])


def test_the_switches_show_it(redis: Redis, actions: Actions):
    assert read_switches(actions._view).maintenance is None
    actions.pause_all("disk")
    shown = read_switches(actions._view).maintenance
    assert shown is not None
    assert (shown.by, shown.reason, abs(shown.at.timestamp() - time.time()) < 60) == ("alice", "disk", True)


@pytest.mark.parametrize("reason", ["x" * 201, "a\x1b[2Jb"])
def test_a_reason_that_can_not_be_shown_is_refused(redis: Redis, actions: Actions, reason: str):
    with pytest.raises(BadParameter, match="at most 200 characters"):
        actions.pause_all(reason)
    assert not redis.exists("rq:paused_all")
