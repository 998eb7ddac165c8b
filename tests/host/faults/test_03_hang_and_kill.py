"""Each unit stopped in its tracks, and killed: systemd brings it back, and work goes on."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest

from tests.host.strikes import Took, best, strike, told
from tests.host.suite import DONE_S, SERVICES, WORKER
from tests.host.waiting import wait

KILLED_S = 10.0
TIMES = 3
BACK_S = 120.0  # it does come back
# Not at the very same moment: four units that start at once take each other's processor.
APART_S = 3.0


def short(unit):
    return unit.removeprefix("mastowatch-").removesuffix(".service")


def watchdog_s(suite, unit):
    text = suite.show(unit, "WatchdogUSec")["WatchdogUSec"]
    assert text.endswith("s"), text
    return float(text.removesuffix("s"))


def send(suite, unit, signal):
    """Send a signal to a unit's main process; return how long it took until it was ready again."""
    pid = suite.pid(unit)
    began = time.monotonic()
    suite.host.run("kill", f"-{signal}", str(pid))
    wait(lambda: suite.ready_again(unit, pid), BACK_S, f"{unit} is back", every_s=0.5)
    return Took(suite.ready_at(unit) - began, suite.waited_s(unit))


@pytest.fixture(scope="module")
def hung(suite):
    """How long it took from SIGSTOP to ready again, for each unit that came back."""
    took = {}

    def hang(unit, wait_s):
        time.sleep(wait_s)
        with contextlib.suppress(AssertionError):
            took[unit] = send(suite, unit, "STOP")

    threads = [threading.Thread(target=hang, args=(unit, n * APART_S)) for n, unit in enumerate(SERVICES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took


@pytest.mark.parametrize("unit", SERVICES)
def test_a_hung_unit_is_back_within_the_watchdogs_time_and_five_seconds(suite, measured, hung, turn, unit):
    assert unit in hung, "it did not come back"
    limit, took = watchdog_s(suite, unit) + 5, [hung[unit]]
    if took[0].seconds > limit:
        with turn():
            took = strike(lambda: send(suite, unit, "STOP"), limit, TIMES, first=took)
    measured(f"SIGSTOP to ready, {short(unit)}", told(took, limit))
    assert best(took, limit) <= limit, told(took, limit)


def test_work_goes_on_after_the_hangs(suite, hung):
    wait(suite.works(), 60, "a job is finished")
    assert suite.failed() == []


@pytest.mark.parametrize("unit", SERVICES)
def test_a_killed_unit_is_back(suite, measured, alone, unit):
    took = strike(lambda: send(suite, unit, "KILL"), KILLED_S, TIMES)
    measured(f"kill -9 to ready, {short(unit)}", told(took, KILLED_S))
    assert best(took, KILLED_S) <= KILLED_S, told(took, KILLED_S)


def test_a_job_whose_worker_was_killed_is_done_all_the_same(suite):
    with suite.paused():
        job = suite.running_page(2)
        suite.systemctl("kill", "--signal=KILL", "--kill-who=all", WORKER)
        wait(lambda: suite.job(job)["status"] == "finished", DONE_S, "the job is finished")


@pytest.mark.parametrize("unit", SERVICES)
def test_no_number_of_starts_is_too_many(suite, unit):
    """Kills would have to come faster than RestartSec to show it."""
    assert suite.show(unit, "StartLimitIntervalUSec", "Restart") == {"StartLimitIntervalUSec": "0", "Restart": "always"}
