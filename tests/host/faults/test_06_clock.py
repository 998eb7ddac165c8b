"""The clock jumps, for Redis and all units alike: nobody falls over, nothing is lost, and work goes on at once."""

from __future__ import annotations

import shutil
import struct

import pytest

from tests.host.suite import SERVICES
from tests.host.waiting import wait

SHIFT = "/usr/lib/mastowatch-clock-shift"
LIBRARY = "/usr/lib/mastowatch-clock.so"
REDIS = "redis-server.service"
HOUR = 3600
SOON_S = 10.0


def jump(suite, seconds):
    """Shift the clock of all that run to ``seconds`` from the true time, at once."""
    with suite.host.path(SHIFT).open("r+b") as file:
        file.write(struct.pack("q", seconds))


@pytest.fixture(scope="module")
def shifted(suite, given):
    """Run Redis and the units with a library that shifts their clock by what stands in a file."""
    shutil.copy(given.clock, suite.host.path(LIBRARY))
    suite.host.path(SHIFT).write_bytes(struct.pack("q", 0))
    drop_ins = [f"/etc/systemd/system/{unit}.d/clock.conf" for unit in (REDIS, *SERVICES)]
    for drop_in in drop_ins:
        suite.host.write(drop_in, f"[Service]\nEnvironment=LD_PRELOAD={LIBRARY}\n")
    try:
        _restart(suite)
        yield
    finally:
        for drop_in in drop_ins:
            suite.host.path(drop_in).unlink()
        _restart(suite)


def _restart(suite):
    suite.systemctl("daemon-reload")
    # In this order: a worker needs Redis to finish the job at hand, and Redis would not start before it has stopped.
    suite.systemctl("stop", *SERVICES)
    suite.systemctl("restart", REDIS)
    suite.systemctl("start", *SERVICES)
    wait(suite.all_active, 120, "all units are active")
    wait(suite.works(), 60, "work goes on")


def redis_time(suite):
    return int(suite.host.run("redis-cli", "time").out.split()[0])


def test_the_library_shifts_redis_and_the_units(suite, shifted):
    """The tests below would show nothing otherwise."""
    true = redis_time(suite)
    jump(suite, 2 * HOUR)
    assert 2 * HOUR - 5 < redis_time(suite) - true < 2 * HOUR + HOUR / 2
    jump(suite, 0)
    for unit in SERVICES:
        assert LIBRARY in suite.host.sh(f"cat /proc/{suite.pid(unit)}/maps"), unit


@pytest.mark.parametrize("seconds", [2 * HOUR, HOUR, -2 * HOUR, 0])
def test_after_a_jump_work_goes_on(suite, shifted, measured, seconds):
    before, place = suite.pids(), suite.now()
    with suite.paused():
        job = suite.running_page(2, seconds=1.0)
        jump(suite, seconds)
        wait(lambda: suite.job(job)["status"] == "finished", 120, "the job at hand is finished")
        assert len(suite.job(job)["attempts"]) == 1
    works = suite.works()
    took = wait(works, 60, "work goes on")
    measured(f"clock jumps to {seconds / HOUR:+.0f} h, to work", f"{took:.1f} s")
    assert took < SOON_S
    assert suite.pids() == before
    wait(lambda: suite.health() == "ok", 60, "the health is ok")
    assert suite.journal(place, "mastowatch-*", "-p", "err") == []


def test_nobody_was_reported_twice_or_forgotten_in_all_this(suite):
    reports, planted = suite.reports(), set(suite.people.planted)
    assert set(reports) <= planted
    assert set(reports.values()) == {1}
    # Whoever was being judged when Redis went away waits longer each time, and through the jumps of the clock.
    late = {one: suite.job(f"analyze_and_maybe_report-{one}") for one in planted - set(reports)}
    assert {job["status"] for job in late.values()} <= {"scheduled", "queued", "started"}, late
