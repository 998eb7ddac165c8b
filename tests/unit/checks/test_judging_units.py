"""What is made of the units."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mastowatch.adapters.host_state import seconds
from mastowatch.jobs.checks.units import judge_units, judge_watchdogs
from mastowatch.ports.host import Unit

NAMES = ("worker@1.service", "scheduler.service", "api.service", "dashboard.service")
WELL = [
    *(
        Unit(f"mastowatch-{name}", enabled=True, active="active", sub="running", watchdog_s=15, fed_s=2.0)
        for name in NAMES
    ),
    Unit("mastowatch-stream.service", active="inactive"),
    Unit("mastowatch-api.socket", enabled=True, active="active", sub="listening"),
    Unit("mastowatch.target", enabled=True, active="active", sub="active"),
]


def changed(name: str, **changes: object) -> list[Unit]:
    return [replace(unit, **changes) if unit.name.startswith(f"mastowatch{name}") else unit for unit in WELL]


def test_all_is_well_in_one_line():
    [found] = judge_units(WELL)
    assert (found.state, found.says) == ("ok", "run: worker@1, scheduler, api, dashboard")
    assert judge_watchdogs(WELL)[0].says == "4 fed, the shortest patience is 15 s"


@pytest.mark.parametrize(
    ("name", "changes", "state", "says", "mend"),
    [
        ("-scheduler", {"active": "inactive"}, "failure", "is stopped", "systemctl start mastowatch-scheduler"),
        ("-dashboard", {"active": "inactive"}, "warning", "is stopped", "systemctl start mastowatch-dashboard"),
        ("-worker", {"active": "failed", "result": "exit-code"}, "failure", "has failed (exit-code)",
         "systemctl restart mastowatch-worker@1"),
        ("-worker", {"active": "activating", "sub": "auto-restart", "restarts": 40}, "failure",
         "ends again and again (40 restarts)", "journalctl -u mastowatch-worker@1 -n 20 --no-pager"),
        ("-worker", {"active": "activating", "says": "Waits for Redis"}, "warning", "is activating: Waits for Redis",
         "journalctl -u mastowatch-worker@1 -n 20 --no-pager"),
        ("-worker", {"stopped": True}, "failure", "stands still", "systemctl kill -s CONT mastowatch-worker@1"),
        ("-worker", {"restarts": 9}, "warning", "was started again 9 times",
         "journalctl -u mastowatch-worker@1 -n 20 --no-pager"),
        (".target", {"enabled": False}, "warning", "is not enabled", "systemctl enable mastowatch.target"),
    ],
)  # fmt: skip
def test_a_unit_that_is_not_well_is_named_with_what_mends_it(name, changes, state, says, mend):
    [found] = judge_units(changed(name, **changes))
    assert (found.check, found.state, found.mend) == ("units", state, mend)
    assert says in found.says
    assert f"mastowatch{name}" in found.says


def test_a_single_restart_is_a_note_beside_the_line_that_all_run():
    assert [one.state for one in judge_units(changed("-worker", restarts=1))] == ["ok", "note"]


def test_an_api_that_its_socket_starts_may_be_off():
    assert [one.state for one in judge_units(changed("-api.service", active="inactive"))] == ["ok"]


def test_all_stopped_is_one_line_and_not_set_up_another():
    stopped = [replace(unit, active="inactive", fed_s=None) for unit in WELL]
    [found] = judge_units(stopped)
    assert (found.says, found.mend) == ("mastowatch.target is stopped", "systemctl enable --now mastowatch.target")
    [found] = judge_units([replace(unit, condition=False) for unit in stopped])
    assert (found.says, found.mend) == ("MastoWatch is not set up yet", "mastowatch setup")
    assert judge_units(stopped, set_up=False) == [found]
    assert judge_watchdogs(stopped) == []


def test_where_no_worker_is_enabled_it_is_said():
    found = judge_units([unit for unit in WELL if "worker" not in unit.name])
    assert [(one.state, one.mend) for one in found] == [("warning", "systemctl enable --now mastowatch-worker@1")]


def test_without_the_package_it_is_a_note():
    assert [one.state for one in judge_units([replace(unit, loaded=False) for unit in WELL])] == ["note"]


def test_a_watchdog_that_is_not_fed_or_not_there_is_named():
    [found] = judge_watchdogs(changed("-worker", fed_s=9.0))
    assert (found.state, found.says) == ("warning", "mastowatch-worker@1 has shown no life for 9 s")
    [found] = judge_watchdogs(changed("-scheduler", watchdog_s=0.0))
    assert found.says == "mastowatch-scheduler has no watchdog"


@pytest.mark.parametrize(
    ("span", "number"), [("15s", 15), ("1min 30s", 90), ("500ms", 0.5), ("infinity", 0), ("", 0), ("0", 0)]
)
def test_spans_are_read_as_systemctl_shows_them(span, number):
    assert seconds(span) == number
