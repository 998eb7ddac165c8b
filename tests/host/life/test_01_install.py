"""Installed, and not configured yet: quiet, with one line that says what to do next."""

from __future__ import annotations

import time

import pytest

from tests.host.suite import KEY_FILE, SERVICES, STREAM, TARGET, TOKEN_FILE, UNITS

CREDENTIALS = "/etc/mastowatch/credentials"


@pytest.fixture(scope="module")
def installation(suite, before_installation, measured):
    began, place = time.monotonic(), suite.now()
    told = suite.install()
    measured("installation", f"{time.monotonic() - began:.1f} s")
    return told, place


def test_it_installs_without_an_error_or_a_warning(installation):
    told, _ = installation
    # Without apt-utils debconf says so; and apt reads a package in /root as root itself, which it mentions.
    known = ("delaying package configuration", "unsandboxed as root")
    lines = [line for line in told.err.splitlines() if line and not any(one in line for one in known)]
    assert lines == []


def test_it_says_in_one_line_what_to_do_next(installation):
    told, _ = installation
    lines = [line for line in told.out.splitlines() if "`mastowatch setup`" in line]
    assert len(lines) == 1
    assert "/etc/mastowatch/mastowatch.env" in lines[0]


def test_nothing_runs_and_nothing_has_failed(suite, installation):
    states = {unit: suite.state(unit) for unit in UNITS}
    assert states == dict.fromkeys(UNITS, "inactive")
    assert suite.failed() == []
    assert suite.host.sh("pgrep -u mastowatch", check=False) == ""


def test_all_units_are_enabled_but_the_target(suite, installation):
    enabled = {unit: suite.systemctl("is-enabled", unit, check=False).out.strip() for unit in UNITS}
    assert enabled == {**dict.fromkeys(UNITS, "enabled"), TARGET: "disabled"}
    assert suite.systemctl("is-enabled", STREAM, check=False).out.strip() == "disabled"


def test_a_start_without_configuration_stays_quiet(suite, installation):
    _, place = installation
    suite.systemctl("enable", "--now", TARGET)
    for unit in SERVICES:
        suite.systemctl("start", unit)
        assert suite.state(unit) == "inactive", unit
    assert suite.failed() == []
    assert suite.journal(place, "mastowatch-*", "-p", "warning") == []
    suite.systemctl("disable", "--now", TARGET)


def test_only_root_may_read_the_credentials(suite, installation):
    files = (TOKEN_FILE, KEY_FILE, f"{CREDENTIALS}/session_key")
    modes = suite.host.sh(f"stat -c '%n %U:%G %a' {CREDENTIALS} {' '.join(files)}").splitlines()
    assert modes == [f"{CREDENTIALS} root:root 700", *(f"{file} root:root 600" for file in files)]
    assert suite.host.sh(f"ls {CREDENTIALS}").split() == ["access_token", "api_key", "session_key"]


def test_keys_were_made_and_the_token_is_still_to_come(suite, installation):
    session_key = suite.host.path(f"{CREDENTIALS}/session_key").read_text()
    assert len(suite.key) >= 32
    assert len(session_key) >= 32
    assert session_key != suite.key
    assert suite.host.path(TOKEN_FILE).read_text() == ""


def test_the_user_cant_sign_in_and_owns_nothing(suite, installation):
    name, _, _, _, _, home, shell = suite.host.sh("getent passwd mastowatch").split(":")
    assert (name, home, shell) == ("mastowatch", "/", "/usr/sbin/nologin")
    assert suite.host.sh("find / -xdev ! -path '/proc/*' \\( -user mastowatch -o -group mastowatch \\)") == ""


def test_all_files_are_as_they_were_packed(suite, installation):
    assert suite.host.run("dpkg", "-V", "mastowatch").out == ""


def test_settings_and_rules_are_conffiles(suite, installation):
    conffiles = suite.host.sh("dpkg-query -W -f '${Conffiles}\\n' mastowatch").split("\n")
    names = {line.split()[0] for line in conffiles if line.strip()}
    there = suite.host.sh("find /etc -path '*mastowatch*' -type f ! -path '*/credentials/*'").split()
    assert names == set(there)


def test_the_command_tells_its_version_and_reads_the_shipped_files(suite, installation):
    assert suite.host.run("mastowatch", "--version").out == "mastowatch 0.1.0\n"
    assert "all well" in suite.host.run("mastowatch", "rules", "check").out


def test_size_on_disk(suite, given, installation, measured):
    installed = suite.host.sh("dpkg-query -W -f '${Installed-Size}' mastowatch")
    measured("size of the package", f"{given.deb.stat().st_size / 1e6:.1f} MB")
    measured("size installed", f"{int(installed) / 1000:.0f} MB")
