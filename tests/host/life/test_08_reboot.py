"""The host is switched off and on: everything comes back by itself, in order."""

from __future__ import annotations

import pytest

from tests.host.suite import SERVICES, UNITS
from tests.host.waiting import wait


@pytest.fixture(scope="module")
def rebooted(suite, measured):
    reports = suite.reports()
    suite.host.reboot()
    took = wait(suite.all_active, 60, "all units are active")
    measured("reboot, ready after boot", f"{took:.1f} s")
    return reports


def test_all_come_back_at_the_first_try(suite, rebooted):
    assert suite.failed() == []
    assert {unit: restarts for unit, (_, restarts) in suite.pids().items()} == dict.fromkeys(SERVICES, "0")
    assert suite.all_active(UNITS)


def test_in_order(suite, rebooted):
    """Redis first; the API's socket before the API."""
    began = {unit: int(suite.show(unit, "InactiveExitTimestampMonotonic").popitem()[1]) for unit in UNITS}
    redis = int(suite.show("redis-server.service", "ActiveEnterTimestampMonotonic").popitem()[1])
    assert all(redis < began[unit] for unit in SERVICES)
    assert began["mastowatch-api.socket"] < began["mastowatch-api.service"]


def test_without_a_warning(suite, rebooted):
    assert suite.journal(0, "mastowatch-*", "-b", "-p", "warning") == []


def test_the_work_goes_on_and_nobody_is_reported_again(suite, rebooted):
    wait(suite.works(), 60, "a job is finished")
    wait(lambda: suite.health() == "ok", 60, "the health is ok")
    assert suite.reports() == rebooted
