"""More workers and fewer, by number; and one with queues of its own."""

from __future__ import annotations

import pytest

from tests.host.suite import TARGET, WORKER
from tests.host.waiting import wait

UNIT = "mastowatch-worker@{}.service"


def instances(suite):
    """Return which instances the API says are registered."""
    workers = suite.api("/jobs/workers").json()["workers"]
    return sorted(one["name"].split("-")[2] for one in workers)


@pytest.fixture(scope="module")
def four(suite):
    suite.systemctl("enable", "--now", *(UNIT.format(number) for number in (1, 2, 3, 4)))


def test_four_workers(suite, four):
    assert suite.all_active([UNIT.format(number) for number in (1, 2, 3, 4)])
    wait(lambda: instances(suite) == ["1", "2", "3", "4"], 60, "four workers are registered")


def test_a_restart_of_the_target_takes_all_four_along(suite, four):
    units = [UNIT.format(number) for number in (1, 2, 3, 4)]
    before = suite.pids(units)
    suite.systemctl("restart", TARGET)
    wait(lambda: all(suite.ready_again(unit, before[unit][0]) for unit in units), 60, "four have new processes")


def test_an_instance_with_queues_of_its_own(suite, four):
    suite.host.write("/etc/mastowatch/worker@2.env", "WORKER_QUEUES=high\n")
    suite.systemctl("restart", UNIT.format(2))
    workers = suite.api("/jobs/workers").json()["workers"]
    queues = {one["name"].split("-")[2]: one["queues"] for one in workers}
    assert queues["2"] == ["high"]
    assert queues["1"] == ["high", "default", "low"]
    suite.host.path("/etc/mastowatch/worker@2.env").unlink()


def test_two_again(suite, four):
    suite.systemctl("disable", "--now", UNIT.format(3), UNIT.format(4))
    assert [suite.state(UNIT.format(number)) for number in (1, 2, 3, 4)] == ["active"] * 2 + ["inactive"] * 2
    assert instances(suite) == ["1", "2"]
    suite.systemctl("restart", TARGET)
    wait(lambda: suite.all_active([UNIT.format(1), UNIT.format(2)]), 60, "two workers are back")
    assert suite.state(UNIT.format(3)) == "inactive"
    assert suite.failed() == []


def test_and_one(suite, four):
    suite.systemctl("disable", "--now", UNIT.format(2))
    wait(lambda: instances(suite) == ["1"], 60, "one worker is registered")


def stop_by_api(suite, name):
    assert suite.api(f"/jobs/workers/{name}/stop", "POST").status_code == 202


def stop_by_command(suite, name):
    suite.host.run("mastowatch", "jobs", "worker", "stop", name)


@pytest.mark.parametrize("stop", [stop_by_api, stop_by_command])
def test_one_that_was_told_to_stop_stays_stopped_and_is_no_failure(suite, four, stop):
    place = suite.now()
    [worker] = suite.api("/jobs/workers").json()["workers"]
    stop(suite, worker["name"])
    # "activating" would be systemd about to start it again.
    wait(lambda: suite.state(WORKER) in ("inactive", "failed", "activating"), 60, "the unit has stopped")
    found = suite.show(WORKER, "ActiveState", "SubState", "Result", "ExecMainStatus")
    assert found == {"ActiveState": "inactive", "SubState": "dead", "Result": "success", "ExecMainStatus": "3"}
    assert suite.failed() == []
    # The one warning says that it was told so; systemd has none of its own.
    warned = [one for one in suite.journal(place, WORKER, "-p", "warning") if one["_TRANSPORT"] != "stdout"]
    assert (warned, suite.events(place, WORKER)["worker_dismissed"]) == ([], 1)
    assert instances(suite) == []
    suite.systemctl("start", WORKER)
    assert instances(suite) == ["1"]
    wait(suite.works(), 60, "work goes on")
