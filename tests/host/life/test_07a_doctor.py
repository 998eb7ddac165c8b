"""`mastowatch doctor` on a host that is well, and on one broken in many ways: each is named, and mended as told."""

from __future__ import annotations

import json
import re
import time

import pytest

from tests.host.suite import ENV_FILE, SCHEDULER, TARGET, TOKEN_FILE, WORKER
from tests.host.waiting import wait


def doctor(suite, *words, user=""):
    done = suite.host.run("mastowatch", "doctor", "--json", *words, check=False, user=user)
    assert done.status in (0, 1, 2), done
    assert "Traceback" not in done.err
    told = json.loads(done.out)
    assert told["exit_status"] == done.status
    return done.status, told["findings"]


def of(findings, check):
    return [one for one in findings if one["check"] == check]


def bad(findings):
    return {one["check"]: one["says"] for one in findings if one["state"] in ("warning", "failure")}


@pytest.fixture(scope="module")
def well(suite):
    """A host that works; what the doctor has against it is mended by its own commands."""
    wait(lambda: suite.health() == "ok", 60, "the health is ok")
    return suite.now()


def test_a_host_as_debian_has_it_is_warned_of_its_snapshots_and_mended(suite, well, measured):
    began = time.monotonic()
    status, found = doctor(suite)
    measured("doctor on a healthy host", f"{time.monotonic() - began:.1f} s")
    persistence = of(found, "redis-persistence")[0]
    assert persistence["state"] == "warning"
    assert "1,083 of 3,000" in persistence["means"]
    assert [one for one in found if one["state"] == "failure"] == []
    assert status == 1
    suite.host.sh(persistence["mend"])
    assert of(doctor(suite)[1], "redis-persistence")[0]["state"] == "ok"


def test_a_host_that_is_well_is_told_so(suite, well):
    # What the tests before have left: failed jobs, restarts and the like are notes, or told once more until they age.
    wait(
        lambda: set(bad(doctor(suite)[1])) <= {"units", "failed-jobs", "package", "journal"}, 60, "nothing else is bad"
    )
    _, found = doctor(suite)
    for check in ("settings", "file-modes", "watchdogs", "redis", "workers", "scheduler", "mastodon-token", "rules"):
        assert [one["state"] for one in of(found, check)] == ["ok"], of(found, check)
    assert not [one for one in found if one["state"] == "unknown"]


MISHAPS = {
    # what is done: (the check that names it, what it says)
    f"systemctl stop {SCHEDULER}": ("units", "mastowatch-scheduler is stopped"),
    f"chmod 0644 {TOKEN_FILE}": ("file-modes", f"{TOKEN_FILE} is root:root 0644"),
    "chmod 0755 /etc/mastowatch/credentials": ("file-modes", "/etc/mastowatch/credentials is root:root 0755"),
    "chmod o+w /etc/mastowatch/rules.d": ("file-modes", "/etc/mastowatch/rules.d is root:root 0757"),
    "chmod o-r /etc/mastowatch/mastowatch.env": ("file-modes", f"{ENV_FILE} is root:root 0640"),
    "redis-cli config set maxmemory-policy allkeys-lru": ("redis-policy", "allkeys-lru"),
    "mastowatch panic on": ("switches", "the panic stop is on"),
    "mastowatch dry-run on": ("switches", "the dry run is on"),
    "systemctl disable mastowatch.target": ("units", "mastowatch.target is not enabled"),
}


def test_what_is_broken_is_named_and_mended_by_its_own_command(suite, well):
    """All at once, as a look takes its time: a host broken in nine ways, looked at twice."""
    for mishap in MISHAPS:
        suite.host.sh(mishap)
    status, found = doctor(suite)
    named = {
        mishap: next((one for one in of(found, check) if says in one["says"]), None)
        for mishap, (check, says) in MISHAPS.items()
    }
    assert [mishap for mishap, one in named.items() if one is None] == [], found
    assert status == 2
    for one in named.values():
        suite.host.sh(one["mend"])
    _, found = doctor(suite)
    left = [says for check, says in MISHAPS.values() if any(says in one["says"] for one in of(found, check))]
    assert left == []


def test_a_worker_that_stands_still_is_named_and_wakes_by_the_command(suite, well):
    suite.systemctl("kill", "-s", "STOP", WORKER)
    _, found = doctor(suite, "--check", "units")
    named = next((one for one in found if "stands still" in one["says"]), None)
    assert named, found
    suite.host.sh(named["mend"])
    wait(lambda: not [one for one in doctor(suite, "--check", "units")[1] if "stands" in one["says"]], 60, "it runs")


def test_all_that_is_stopped_is_one_line_and_one_command(suite, well):
    suite.systemctl("stop", TARGET)
    status, found = doctor(suite)
    units = of(found, "units")
    assert (status, [one["says"] for one in units]) == (2, ["mastowatch.target is stopped"])
    assert of(found, "workers")[0]["state"] in ("failure", "ok")  # a registration may last some seconds
    suite.host.sh(units[0]["mend"])
    wait(suite.all_active, 60, "all units are active")
    wait(suite.works(), 60, "work goes on")


def test_a_redis_that_is_away_leaves_one_failure_and_no_traceback(suite, well):
    suite.systemctl("stop", "redis-server")
    try:
        status, found = doctor(suite)
        assert status == 2
        named = of(found, "redis")[0]
        assert named["mend"] == "systemctl start redis-server"
        assert {one["state"] for one in found if one["check"] in ("queues", "layout", "redis-memory")} == {"unknown"}
        assert of(found, "mastodon-token")[0]["state"] == "ok"
        suite.host.sh(named["mend"])
    finally:
        suite.systemctl("start", "redis-server")
    wait(suite.works(), 60, "work goes on")


def test_a_broken_settings_file_is_told_with_its_key_and_the_rest_is_looked_at(suite, well):
    settings = suite.host.path(ENV_FILE).read_text()
    suite.host.path(ENV_FILE).write_text(settings + "REPORT_TRESHOLD=5\n")
    try:
        status, found = doctor(suite)
    finally:
        suite.host.path(ENV_FILE).write_text(settings)
    assert status == 2
    assert "REPORT_TRESHOLD" in of(found, "settings")[0]["says"]
    assert of(found, "units")[0]["state"] in ("ok", "warning", "note")
    assert of(found, "queues")[0]["state"] == "unknown"


def test_somebody_without_rights_is_told_what_was_not_seen(suite, well):
    status, found = doctor(suite, user="nobody")
    assert of(found, "mastodon-token")[0]["mend"] == "sudo mastowatch doctor"
    assert of(found, "file-modes")[-1]["state"] == "unknown"
    assert of(found, "workers")[0]["state"] == "ok"
    assert status in (0, 1, 2)


def test_the_lines_for_people_have_no_colour_in_a_pipe_and_name_the_command(suite, well):
    suite.host.sh("mastowatch panic on")
    told = suite.host.run("mastowatch", "doctor", "--quiet", "--check", "switches", check=False)
    suite.host.sh("mastowatch panic off")
    assert told.status == 0
    assert "\x1b" not in told.out
    assert re.search(r"^note  switches  the panic stop is on \(by .*\)$", told.out, re.MULTILINE), told.out
    assert "      mend: mastowatch panic off\n" in told.out
    quiet = suite.host.run("mastowatch", "doctor", "--quiet", "--check", "redis-role", check=False)
    assert (quiet.status, quiet.out) == (0, "")
