"""Each unit stopped in its tracks, and killed: systemd brings it back, and work goes on."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest

from tests.host.suite import SERVICES, WORKER
from tests.host.waiting import wait

KILLED_S = 10.0
# Not at the very same moment: four units that start at once take each other's processor.
APART_S = 3.0


def short(unit):
    return unit.removeprefix("mastowatch-").removesuffix(".service")


def watchdog_s(suite, unit):
    text = suite.show(unit, "WatchdogUSec")["WatchdogUSec"]
    assert text.endswith("s"), text
    return float(text.removesuffix("s"))


@pytest.fixture(scope="module")
def hung(suite):
    """Seconds from SIGSTOP to ready again, for each unit that came back."""
    took = {}

    def hang(unit, wait_s):
        time.sleep(wait_s)
        pid, limit = suite.pid(unit), watchdog_s(suite, unit) + 5
        began = time.monotonic()
        suite.host.run("kill", "-STOP", str(pid))
        with contextlib.suppress(AssertionError):
            wait(lambda: suite.ready_again(unit, pid), limit + 10, f"{unit} is back", every_s=1)
            took[unit] = suite.ready_at(unit) - began

    threads = [threading.Thread(target=hang, args=(unit, n * APART_S)) for n, unit in enumerate(SERVICES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took


@pytest.mark.parametrize("unit", SERVICES)
def test_a_hung_unit_is_back_within_the_watchdogs_time_and_five_seconds(suite, measured, hung, unit):
    assert unit in hung, "it did not come back"
    took = hung[unit]
    measured(f"SIGSTOP to ready, {short(unit)}", f"{took:.1f} s")
    assert took <= watchdog_s(suite, unit) + 5


def test_work_goes_on_after_the_hangs(suite, hung):
    wait(suite.works(), 20, "a job is finished")
    assert suite.failed() == []


@pytest.mark.parametrize("unit", SERVICES)
def test_a_killed_unit_is_back(suite, measured, alone, unit):
    pid = suite.pid(unit)
    began = time.monotonic()
    suite.host.run("kill", "-KILL", str(pid))
    wait(lambda: suite.ready_again(unit, pid), KILLED_S, f"{unit} is back")
    took = suite.ready_at(unit) - began
    measured(f"kill -9 to ready, {short(unit)}", f"{took:.1f} s")


def test_a_job_whose_worker_was_killed_is_done_all_the_same(suite):
    with suite.paused():
        job = suite.running_page(2)
        suite.systemctl("kill", "--signal=KILL", "--kill-who=all", WORKER)
        wait(lambda: suite.job(job)["status"] == "finished", 40, "the job is finished")


@pytest.mark.parametrize("unit", SERVICES)
def test_no_number_of_starts_is_too_many(suite, unit):
    """Kills would have to come faster than RestartSec to show it."""
    assert suite.show(unit, "StartLimitIntervalUSec", "Restart") == {"StartLimitIntervalUSec": "0", "Restart": "always"}
