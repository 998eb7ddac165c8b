"""What systemctl, dpkg and journalctl print, read; and files and disks as they are."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from mastowatch.adapters import host_state
from mastowatch.ports.host import Package

# As systemctl 252 shows it.
SHOWN = """\
Id=mastowatch-worker@1.service
LoadState=loaded
UnitFileState=enabled
ActiveState=active
SubState=running
Result=success
NRestarts=2
StatusText=7 jobs done, idle = well
ConditionResult=yes
ConditionTimestampMonotonic=5
WatchdogUSec=15s
WatchdogTimestampMonotonic={fed}
MainPID={pid}

Id=mastowatch-stream.service
LoadState=loaded
UnitFileState=disabled
ActiveState=inactive
SubState=dead
Result=success
NRestarts=0
StatusText=
ConditionResult=no
ConditionTimestampMonotonic=0
WatchdogUSec=0
WatchdogTimestampMonotonic=0
MainPID=0

Id=mastowatch-api.service
LoadState=not-found
ActiveState=inactive
SubState=dead
ConditionResult=no
ConditionTimestampMonotonic=77
"""


@pytest.fixture
def printed(monkeypatch):
    """Have each program print what a test gives, by its name."""
    given: dict[str, str] = {}
    monkeypatch.setattr(host_state, "_run", lambda *words: given.get(words[0]))
    return given


def test_units_are_read_as_they_are_shown(printed):
    printed["systemctl"] = SHOWN.format(fed=int((time.monotonic() - 3) * 1e6), pid=os.getpid())
    api, stream, worker = host_state.units()
    assert (worker.name, worker.loaded, worker.enabled, worker.active, worker.sub) == (
        "mastowatch-worker@1.service", True, True, "active", "running"
    )  # fmt: skip
    assert (worker.restarts, worker.says, worker.watchdog_s, worker.stopped) == (
        2,
        "7 jobs done, idle = well",
        15,
        False,
    )
    assert 3 <= worker.fed_s < 60
    assert (stream.enabled, stream.condition, stream.fed_s) == (False, True, None)
    assert (api.loaded, api.condition) == (False, False)


def test_where_systemd_does_not_answer_there_are_no_units(printed):
    assert host_state.units() is None


def test_instances_of_the_worker_that_are_enabled_are_asked_for(monkeypatch, tmp_path):
    asked: list[str] = []
    monkeypatch.setattr(host_state, "_run", lambda *words: asked.extend(words))
    monkeypatch.setattr(host_state, "WANTS", tmp_path)
    for name in ("mastowatch-worker@3.service", "mastowatch-api.service"):
        (tmp_path / name).touch()
    host_state.units()
    assert "mastowatch-worker@3.service" in asked


def test_a_package_is_read_as_dpkg_has_it(printed):
    assert host_state.package("mastowatch") is None
    printed["dpkg-query"] = "ii |0.1.0-1"
    assert host_state.package("mastowatch") == Package("ii ", "0.1.0-1")


def test_the_journal_tells_its_size_and_what_it_left_out_of_ours(printed, monkeypatch, tmp_path):
    monkeypatch.setattr(host_state, "JOURNAL", tmp_path)
    assert host_state.journal() == host_state.Journal(None, persistent=True, suppressed=0)
    monkeypatch.setattr(
        host_state,
        "_run",
        lambda *words: (
            "Archived and active journals take up 1.5G in the file system."
            if "--disk-usage" in words
            else "Suppressed 12 messages from mastowatch-worker@1.service\nSuppressed 3 messages from ssh.service\n"
        ),
    )
    assert host_state.journal() == host_state.Journal(int(1.5 * 2**30), persistent=True, suppressed=12)


def test_a_program_that_is_missing_or_fails_has_printed_nothing():
    assert host_state._run("/nowhere/at-all") is None
    assert host_state._run("false") is None
    assert host_state._run("echo", "a word") == "a word\n"


def test_files_are_told_with_owner_and_mode_and_those_that_are_away_left_out(tmp_path):
    (tmp_path / "one").write_text("12345")
    (tmp_path / "one").chmod(0o640)
    found, hidden = host_state.files([tmp_path, tmp_path / "one", tmp_path / "none"])
    assert [(one.path, one.is_dir) for one in found] == [(str(tmp_path), True), (str(tmp_path / "one"), False)]
    assert (found[1].mode, found[1].size, hidden) == (0o640, 5, [])
    assert host_state.below(tmp_path) == [tmp_path / "one"]
    assert host_state.below(tmp_path / "none") == []
    os.chown(tmp_path / "one", 54321, 54322)
    assert [(one.owner, one.group) for one in host_state.files([tmp_path / "one"])[0]] == [("54321", "54322")]


def test_what_is_hidden_is_said(monkeypatch):
    def refuse(path: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "stat", refuse)
    assert host_state.files([Path("/hidden")]) == ([], ["/hidden"])


def test_room_load_and_rights_of_this_machine(tmp_path):
    room = host_state.space(str(tmp_path))
    assert 0 <= room.free <= room.total
    assert host_state.space(str(tmp_path / "none")) is None
    assert host_state.load()[1] >= 1
    assert host_state.is_root() == (os.geteuid() == 0)
    assert "root" in host_state.groups_of("root")
    assert host_state.groups_of("nobody-of-that-name") is None
