"""``systemctl reload``: good files are in force when it returns, a bad one is told of and changes nothing."""

from __future__ import annotations

import pytest

from tests.host.suite import ENV_FILE, SERVICES, TARGET, WORKER
from tests.host.waiting import wait

RULE = "/etc/mastowatch/rules.d/local.toml"
GOOD = """
id = "local-greeting"
name = "Greets"
description = "Says hello in the biography"
mode = "shadow"
weight = 1.0

[account]
bio_words = ["hello there"]

[[examples.match]]
bio = "well, hello there"

[[examples.no_match]]
bio = "goodbye"
"""


@pytest.fixture(autouse=True)
def as_before(suite, request):
    settings = suite.host.path(ENV_FILE).read_text()
    reloaded = request.getfixturevalue("unit") if "unit" in request.fixturenames else TARGET
    yield
    suite.host.path(ENV_FILE).write_text(settings)
    suite.host.path(RULE).unlink(missing_ok=True)
    suite.systemctl("reload", reloaded)


def rules_in_force(suite):
    """Return how many rules the worker's STATUS tells of."""
    return int(suite.status(WORKER).rpartition(" rules")[0].rpartition(" ")[2])


def test_a_good_rule_is_in_force_when_reload_returns(suite):
    pid, place, before = suite.pid(WORKER), suite.now(), rules_in_force(suite)
    suite.host.write(RULE, GOOD)
    suite.systemctl("reload", WORKER)
    told = [line for line in suite.lines(place, WORKER) if line["event"] == "rules_reloaded"]
    assert len(told) == 1
    assert told[0]["rules"] == before + 1
    wait(lambda: rules_in_force(suite) == before + 1, 60, "STATUS tells of the new rule")
    assert suite.pid(WORKER) == pid


def test_a_bad_rule_fails_the_reload_and_the_old_ones_stay(suite):
    pid, place, before = suite.pid(WORKER), suite.now(), rules_in_force(suite)
    suite.host.write(RULE, GOOD.replace("weight = 1.0", 'weight = "heavy"'))
    done = suite.systemctl("reload", WORKER, check=False)
    assert done.status != 0
    told = [line for line in suite.lines(place, WORKER, "-p", "err") if line["event"] == "rules_not_reloaded"]
    assert len(told) == 1
    assert "local.toml" in told[0]["error"]
    assert (suite.pid(WORKER), suite.state(WORKER)) == (pid, "active")
    wait(suite.works(), 60, "work goes on")
    assert rules_in_force(suite) == before


def test_a_bad_rule_is_seen_before_it_is_reloaded(suite):
    suite.host.write(RULE, GOOD.replace("weight", "weihgt"))
    done = suite.host.run("mastowatch", "config", "check", check=False)
    assert done.status == 2
    assert "local.toml" in done.out + done.err


@pytest.mark.parametrize("unit", SERVICES)
def test_a_good_setting_is_in_force_when_reload_returns(suite, unit):
    pid, place = suite.pid(unit), suite.now()
    with suite.host.path(ENV_FILE).open("a") as file:
        file.write("LOG_LEVEL=debug\n")
    suite.systemctl("reload", unit)
    assert suite.events(place, unit)["settings_reloaded"] == 1
    assert suite.pid(unit) == pid


@pytest.mark.parametrize("unit", SERVICES)
def test_a_bad_setting_fails_the_reload_and_the_old_ones_stay(suite, unit):
    pid, place = suite.pid(unit), suite.now()
    with suite.host.path(ENV_FILE).open("a") as file:
        file.write("REPORT_THRESHOLD=much\n")
    assert suite.systemctl("reload", unit, check=False).status != 0
    told = [line for line in suite.lines(place, unit, "-p", "err") if line["event"] == "settings_not_reloaded"]
    assert len(told) == 1
    assert "REPORT_THRESHOLD" in told[0]["error"]
    assert (suite.pid(unit), suite.state(unit)) == (pid, "active")


def test_a_reload_of_the_target_reaches_all(suite):
    place, before = suite.now(), suite.pids()
    suite.systemctl("reload", TARGET)
    for unit in SERVICES:
        wait(lambda unit=unit: suite.events(place, unit)["settings_reloaded"] == 1, 60, f"{unit} has reloaded")
    assert suite.pids() == before


def test_a_wrong_setting_at_the_start_is_told_in_one_line_and_not_tried_again(suite):
    place = suite.now()
    with suite.host.path(ENV_FILE).open("a") as file:
        file.write("REPORT_THRESHOLD=much\n")
    assert suite.systemctl("restart", WORKER, check=False).status != 0
    assert suite.show(WORKER, "ExecMainStatus", "Result") == {"ExecMainStatus": "2", "Result": "exit-code"}
    told = suite.lines(place, WORKER, "-p", "err")
    assert [line["event"] for line in told] == ["not_usable"]
    assert "REPORT_THRESHOLD" in str(told[0])
    suite.host.path(ENV_FILE).write_text(suite.host.path(ENV_FILE).read_text().replace("REPORT_THRESHOLD=much\n", ""))
    suite.systemctl("restart", WORKER)
    assert suite.state(WORKER) == "active"
