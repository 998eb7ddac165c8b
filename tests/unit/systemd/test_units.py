"""The unit files: valid, closed, explained line by line, and in step with the code and the reference."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from mastowatch.cli import _parser
from mastowatch.config import Settings
from mastowatch.config.loading import CREDENTIALS, DEFAULT_FILE, SECRETS
from mastowatch.jobs.queues import TASKS

ROOT = Path(__file__).parents[3]
UNITS = {path.name: path for path in sorted((ROOT / "systemd").glob("mastowatch*.*")) if path.suffix != ".sysusers"}
SERVICES = [name for name in UNITS if name.endswith(".service")]
EXPOSURE_MAX = 1.2
PAGE = ROOT / "docs" / "reference" / "units.md"
# A row of a table begins with what it explains: `Directive=value`, several with commas between.
ROW = re.compile(r"^\| (`[A-Z][^|]*=[^|]*) \|", re.MULTILINE)


def directives(name: str) -> list[tuple[str, str]]:
    lines = UNITS[name].read_text().splitlines()
    return [
        (key, value) for key, equals, value in (line.partition("=") for line in lines if line[:1] not in "#[") if equals
    ]


def values(name: str, key: str) -> list[str]:
    return [value for found, value in directives(name) if found == key]


def test_there_is_a_unit_for_each_process_and_one_for_all_of_them():
    assert list(UNITS) == [
        "mastowatch-api.service",
        "mastowatch-api.socket",
        "mastowatch-dashboard.service",
        "mastowatch-scheduler.service",
        "mastowatch-stream.service",
        "mastowatch-worker@.service",
        "mastowatch.target",
    ]


def test_systemd_finds_nothing_to_complain_of(tmp_path):
    for name, path in UNITS.items():
        # The command is the package's, and need not be on this machine.
        (tmp_path / name).write_text(path.read_text().replace("/usr/bin/mastowatch", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(tmp_path / name for name in UNITS)], capture_output=True, text=True
    )
    complaints = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "mastowatch" in line]
    assert complaints == []


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_exposed_at_most_so_much(name):
    limit = round(EXPOSURE_MAX * 10)
    command = ["systemd-analyze", "security", "--no-pager", "--offline=yes", f"--threshold={limit}", str(UNITS[name])]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Overall exposure level" in done.stdout


@pytest.mark.parametrize("name", UNITS)
def test_every_line_has_its_reason_above_it_and_shares_it_only_with_what_has_the_same(name):
    rows = [set(re.findall(r"`(\w+)=", row)) for row in ROW.findall(PAGE.read_text())]
    group: set[str] = set()
    explained = False
    for line in UNITS[name].read_text().splitlines():
        if line[:1] in ("", "#", "["):
            explained, group = line[:1] == "#", set()
        elif not re.match(r"(Description|Documentation|WantedBy|ExecStart)=", line):
            group.add(line.partition("=")[0])
            assert explained, line
            assert any(group <= row for row in rows), f"{group} under one reason, in different rows of {PAGE.name}"


def test_all_services_are_closed_in_the_same_way():
    blocks = {UNITS[name].read_text().partition("# --- What it may do")[2] for name in SERVICES}
    assert len(blocks) == 1
    assert "ProtectSystem=strict" in blocks.pop()


@pytest.mark.parametrize("name", [*SERVICES, "mastowatch-api.socket"])
def test_what_is_not_configured_yet_stays_off(name):
    assert values(name, "ConditionPathExists") == [str(DEFAULT_FILE)]
    assert values(name, "ConditionFileNotEmpty") == [str(CREDENTIALS / "access_token")]


@pytest.mark.parametrize("name", SERVICES)
def test_secrets_are_credentials_that_the_code_looks_for(name):
    loaded = dict(value.split(":") for value in values(name, "LoadCredential"))
    assert loaded == {secret: str(CREDENTIALS / secret) for secret in loaded}
    assert loaded.keys() <= SECRETS.keys()
    # Where the file may be missing, an empty line stands for it: without that the unit would fail.
    assert {value.partition(":")[0] for value in values(name, "SetCredential")} == loaded.keys() - {"access_token"}
    assert all(value.partition(":")[2] == r"\n" for value in values(name, "SetCredential"))
    assert values(name, "Environment") == values(name, "EnvironmentFile") == []


def test_each_service_gets_the_secrets_that_it_uses_and_no_other():
    got = {name: {value.partition(":")[0] for value in values(name, "LoadCredential")} for name in SERVICES}
    assert got == {
        "mastowatch-api.service": {"api_key", "redis_password", "redis_sentinel_password", "webhook_secret"},
        "mastowatch-dashboard.service": {
            "dashboard_passwords",
            "oauth_client",
            "redis_password",
            "redis_sentinel_password",
            "session_key",
        },
        "mastowatch-scheduler.service": {"redis_password", "redis_sentinel_password"},
        "mastowatch-stream.service": {"access_token", "redis_password", "redis_sentinel_password"},
        "mastowatch-worker@.service": {"access_token", "alert_webhook", "redis_password", "redis_sentinel_password"},
    }


@pytest.mark.parametrize("name", SERVICES)
def test_the_commands_are_those_of_the_command_line(name):
    commands = [*values(name, "ExecStart"), *(one for one in values(name, "ExecReload") if "mastowatch" in one)]
    assert len(commands) == 2
    for command in commands:
        program, *arguments = command.replace("%i", "1").split()
        assert program == "/usr/bin/mastowatch"
        _parser().parse_args(arguments)


def test_a_worker_gets_more_time_to_stop_than_it_takes_and_that_is_more_than_any_job():
    (limit,) = values("mastowatch-worker@.service", "TimeoutStopSec")
    stop_s = Settings.model_fields["worker_stop_timeout"].default
    assert int(limit) > stop_s > max(task.timeout_s for task in TASKS.values())


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_comes_back_always_and_for_ever_unless_a_setting_is_wrong(name):
    assert values(name, "Restart") == ["always"]
    assert values(name, "StartLimitIntervalSec") == ["0"]
    worker = name == "mastowatch-worker@.service"
    assert values(name, "RestartPreventExitStatus") == (["2 3"] if worker else ["2"])
    assert values(name, "SuccessExitStatus") == (["3"] if worker else [])
    assert values(name, "KillMode") == ["mixed"]
    assert values(name, "PartOf") == ["mastowatch.target"]


def test_what_stands_still_is_back_within_five_seconds_after_the_watchdog():
    for name in SERVICES:
        # It is killed at once, so that all that comes on top is the pause and the start.
        assert values(name, "WatchdogSignal") == ["SIGKILL"]
        assert int(values(name, "RestartSec")[0]) <= 3


def test_the_target_takes_in_what_is_enabled_and_the_socket_is_closed_at_a_stop_alone():
    assert {key for key, _ in directives("mastowatch.target")} & {"Wants", "Requires", "BindsTo"} == set()
    for name in [*SERVICES, "mastowatch-api.socket"]:
        assert values(name, "WantedBy") == ["mastowatch.target"]
    assert values("mastowatch-api.socket", "PartOf") == []
    assert values("mastowatch-api.socket", "StopWhenUnneeded") == ["yes"]
    assert values("mastowatch-api.service", "Requires") == ["mastowatch-api.socket"]


def test_the_reference_explains_each_unit_and_each_directive_and_nothing_else():
    page = PAGE.read_text()
    for name in UNITS:
        assert f"`{name}`" in page
    explained = {key for row in ROW.findall(page) for key in re.findall(r"`(\w+)=", row)}
    used = {key for name in UNITS for key, _ in directives(name)}
    assert explained == used


def test_values_that_the_reference_names_are_those_of_the_units():
    used = {f"{key}={value}" for name in UNITS for key, value in directives(name)}
    named = {one for row in ROW.findall(PAGE.read_text()) for one in re.findall(r"`([^`]+=[^`]+)`", row)}
    assert named <= used
