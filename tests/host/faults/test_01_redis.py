"""Redis away for a minute and a half, and killed: nobody falls over, work goes on, nothing accepted is lost."""

from __future__ import annotations

import time
from collections import Counter

import pytest
import requests

from tests.host.strikes import Took, best, strike, told
from tests.host.suite import ANSWER_S, API, DASHBOARD, DONE_S, SCHEDULER, SERVICES, WORKER
from tests.host.waiting import wait

REDIS = "redis-server.service"
AWAY_S = 90.0
BACK_S, TIMES = 5.0, 4
# Where work came back late, once more: long enough for all to ask as seldom as they ever do.
AGAIN_AWAY_S = 15.0
JOBS = 90


@pytest.fixture(scope="module")
def outage(suite, measured, turn):
    """Stop Redis for AWAY_S; yields what was seen meanwhile, what was before, and how long work took to go on."""
    place, before = suite.now(), suite.pids()
    began = _away(suite)
    seen = {
        "status": {unit: suite.status(unit) for unit in SERVICES},
        "api": requests.get(f"{API}/healthz", timeout=ANSWER_S).status_code,
        "jobs": suite.api("/jobs/queues").status_code,
        "dashboard": requests.get(f"{DASHBOARD}/healthz", timeout=ANSWER_S).status_code,
    }
    time.sleep(max(0.0, began + AWAY_S - time.monotonic()))
    seen["after"] = suite.pids()
    seen["active"] = suite.all_active()
    seen["lines"] = {unit: suite.lines(place, unit) for unit in SERVICES}
    with turn():
        took = strike(lambda: _away_and_back(suite), BACK_S, TIMES, first=[_back(suite)])
    measured(f"Redis back after {AWAY_S:.0f} s, to work", told(took, BACK_S))
    return seen, before, took, place


def _away(suite):
    """Stop Redis; return when, by time.monotonic(), once all units tell of it."""
    suite.systemctl("stop", REDIS)
    began = time.monotonic()
    wait(
        lambda: all("Redis away since" in suite.status(unit) for unit in SERVICES), 60, "all units tell that it is away"
    )
    return began


def _back(suite):
    suite.systemctl("start", REDIS)
    return Took(wait(suite.works(), 60, "work goes on"))


def _away_and_back(suite):
    began = _away(suite)
    time.sleep(max(0.0, began + AGAIN_AWAY_S - time.monotonic()))
    return _back(suite)


def test_no_unit_failed_or_was_restarted(suite, outage):
    seen, before, _, _ = outage
    assert seen["active"]
    assert seen["after"] == before
    assert suite.pids() == before
    assert suite.failed() == []


def test_work_goes_on_within_five_seconds(outage):
    _, _, took, _ = outage
    assert best(took, BACK_S) <= BACK_S, told(took, BACK_S)


def test_systemctl_status_told_since_when_it_was_away(outage):
    seen, _, _, _ = outage
    assert all("UTC" in text for text in seen["status"].values()), seen


def test_the_web_said_that_it_is_down(outage):
    seen, _, _, _ = outage
    assert (seen["api"], seen["jobs"], seen["dashboard"]) == (503, 503, 503)


def test_the_journal_tells_it_once_and_not_every_second(suite, outage):
    seen, _, took, place = outage
    for unit in (WORKER, SCHEDULER):
        meanwhile = Counter(line["event"] for line in seen["lines"][unit])
        assert (meanwhile["redis_away"], meanwhile["redis_back"]) == (1, 0), meanwhile
        wait(
            lambda unit=unit: suite.events(place, unit)["redis_back"] >= len(took), 60, f"{unit} tells that it is back"
        )
    assert "redis_away" in {line["event"] for line in suite.lines(place, "mastowatch-*", "-p", "err")}
    assert sum(len(lines) for lines in seen["lines"].values()) < 60


def test_the_status_is_as_before(suite, outage):
    wait(lambda: not any("away" in suite.status(unit) for unit in SERVICES), 60, "no unit tells of Redis any longer")


@pytest.fixture
def append_only(suite):
    """Let Redis write down each command before it answers."""
    config = suite.host.path("/etc/redis/redis.conf")
    before = config.read_text()
    config.write_text(before + "\nappendonly yes\nappendfsync always\n")
    try:
        with suite.redis() as redis:
            redis.config_set("appendfsync", "always")
            redis.config_set("appendonly", "yes")
            wait(lambda: _written(redis.info("persistence")), 60, "the append-only file is whole")
        yield
        with suite.redis() as redis:
            redis.config_set("appendonly", "no")
    finally:
        config.write_text(before)


def _written(info):
    return info["aof_enabled"] and not info["aof_rewrite_in_progress"] and not info["aof_rewrite_scheduled"]


def test_redis_killed_loses_no_job(suite, append_only, measured):
    before = suite.pids()
    redis_pid = suite.pid(REDIS)
    accepted, killed = [], False
    for post in suite.posts[:JOBS]:
        try:
            answer = suite.api("/jobs/trigger/process_new_status", "POST", json={"status_id": post})
        except requests.RequestException:
            continue
        if answer.status_code == 202:
            accepted.append(answer.json()["id"])
        if len(accepted) > JOBS / 3 and not killed:
            suite.host.run("kill", "-KILL", str(redis_pid))
            killed = True
    assert killed
    wait(suite.works(), 60, "work goes on")
    wait(lambda: not suite.unfinished(accepted), DONE_S, "all accepted jobs are finished")
    measured("redis-server killed: jobs accepted, lost", f"{len(accepted)}, 0")
    assert suite.pids() == before
