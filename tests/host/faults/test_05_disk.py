"""Redis' disk is full: it refuses to write, the units wait, and go on when there is room."""

from __future__ import annotations

import pytest

from tests.host.suite import SERVICES
from tests.host.waiting import wait

REDIS = "redis-server.service"
DISK = "/var/lib/redis"


@pytest.fixture(scope="module")
def small_disk(suite):
    """Give Redis a disk of its own with little room, which is filled; yields who ran before."""
    suite.systemctl("stop", REDIS)
    suite.host.sh(f"cp -a {DISK} {DISK}.kept && mount -t tmpfs -o size=24m tmpfs {DISK} && cp -a {DISK}.kept/. {DISK}")
    try:
        suite.systemctl("start", REDIS)
        wait(suite.works(), 60, "work goes on")
        before = suite.pids()
        suite.host.sh(f"dd if=/dev/zero of={DISK}/full bs=64k 2>/dev/null; true")
        wait(lambda: "MISCONF" in _write_after_save(suite), 60, "Redis refuses to write")
        yield before
    finally:
        suite.systemctl("stop", REDIS)
        # Redis has saved all at its end: it goes over to the large disk, or accounts would be reported twice.
        suite.host.sh(f"rm -rf {DISK}.kept {DISK}/full && cp -a {DISK} {DISK}.kept && umount {DISK}")
        suite.host.sh(f"cp -a {DISK}.kept/. {DISK} && rm -rf {DISK}.kept")
        suite.systemctl("start", REDIS)
    wait(suite.works(), 60, "work goes on with the old disk")


def _write_after_save(suite):
    """Have Redis save, and write to it; both again until it has noticed how its disk is: a save may be under way."""
    suite.host.run("redis-cli", "bgsave", check=False)
    return suite.host.run("redis-cli", "set", "x", "1", check=False).out


def test_the_units_stay_and_say_so(suite, small_disk):
    told = lambda: [unit for unit in SERVICES if "Redis not saving since" in suite.status(unit)]  # noqa: E731
    wait(told, 60, "a unit tells that Redis can't save")
    assert suite.all_active()
    assert suite.pids() == small_disk


def test_with_room_again_work_goes_on(suite, small_disk, measured):
    suite.host.sh(f"rm {DISK}/full")
    wait(lambda: "OK" in _write_after_save(suite), 60, "Redis writes again")
    took = wait(suite.works(), 60, "work goes on")
    measured("room on Redis' disk, to work", f"{took:.1f} s")
    assert suite.pids() == small_disk
    assert suite.failed() == []
