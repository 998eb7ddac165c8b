"""What the checks of a machine ask, on a machine that is made up."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from mastowatch.config import Sources
from mastowatch.jobs.checks.examination import examine
from mastowatch.jobs.checks.world import World
from mastowatch.ports.host import FileFacts, Journal, Package, Space, Unit

CREDENTIALS = "/etc/mastowatch/credentials"


@dataclass
class Machine:
    """A machine of a Debian that is well, unless a test changes it."""

    systemd: bool = True
    found: list[Unit] | None = field(
        default_factory=lambda: [
            Unit("mastowatch-worker@1.service", enabled=True, active="active", watchdog_s=15.0, fed_s=1.0),
            Unit("mastowatch-stream.service", enabled=True, active="inactive"),
            Unit("mastowatch.target", enabled=True, active="active"),
        ]
    )
    hidden: list[str] = field(default_factory=list)
    root: bool = True

    def has_systemd(self) -> bool:
        return self.systemd

    def units(self) -> list[Unit] | None:
        return self.found

    def package(self, name: str) -> Package | None:
        return Package("ii ", "0.1.0")

    def journal(self) -> Journal:
        return Journal(10**7, persistent=True, suppressed=0)

    def space(self, path: str) -> Space | None:
        return Space(path, 10**10, 5 * 10**9, 100, 90)

    def files(self, paths: object) -> tuple[list[FileFacts], list[str]]:
        return [FileFacts(CREDENTIALS, 0o700, "root", "root", is_dir=True, size=1)], self.hidden

    def below(self, directory: Path) -> list[Path]:
        return []

    def groups_of(self, user: str) -> frozenset[str] | None:
        return frozenset({"mastowatch"})

    def load(self) -> tuple[float, int]:
        return 0.1, 2

    def is_root(self) -> bool:
        return self.root


def found(tmp_path: Path, machine: Machine, *names: str) -> list[tuple[str, str]]:
    (tmp_path / "env").write_text("")
    world = World(Sources({}, tmp_path / "env"), time.time(), machine)
    return [(one.check, one.state) for one in examine(world, names)]


def test_a_machine_that_is_well(tmp_path):
    machine = Machine()
    machine.found = [unit for unit in machine.found if "stream" not in unit.name]
    names = ("file-modes", "units", "watchdogs", "disk", "journal", "package")
    assert sorted(found(tmp_path, machine, *names)) == sorted((name, "ok") for name in names)


def test_a_unit_that_is_off_is_named_and_one_that_is_away_is_no_crash(tmp_path):
    assert found(tmp_path, Machine(), "units") == [("units", "warning")]
    assert found(tmp_path, Machine(found=None), "units") == [("units", "unknown")]
    assert found(tmp_path, Machine(systemd=False), "units", "journal") == [("units", "note"), ("journal", "note")]


def test_who_may_not_see_everything_is_told_so(tmp_path):
    hidden = Machine(hidden=[f"{CREDENTIALS}/api_key"], root=False)
    assert found(tmp_path, hidden, "file-modes") == [("file-modes", "unknown")]
