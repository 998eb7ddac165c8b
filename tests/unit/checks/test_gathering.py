"""What the checks of a machine ask, on a machine that is made up."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from mastowatch.config import Settings, Sources
from mastowatch.jobs.checks.examination import examine
from mastowatch.jobs.checks.world import World, redis_command
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


@pytest.mark.parametrize(
    ("url", "more", "command"),
    [
        ("redis://localhost:6379/1", {}, "redis-cli"),
        ("redis://bot@r.example:7000/1", {}, "redis-cli -h r.example -p 7000 --user bot"),
        ("redis://:secret@localhost/1", {}, "redis-cli --askpass"),
        ("unix:///run/a%20b.sock?db=1", {}, "redis-cli -s '/run/a b.sock'"),
        (
            "rediss://h:1/1?ssl_certfile=/c.pem&ssl_keyfile=/k.pem",
            {"redis_ca_file": "/ca.pem"},
            "redis-cli -h h -p 1 --tls --cacert /ca.pem --cert /c.pem --key /k.pem",
        ),
        ("rediss://h/1?ssl_cert_reqs=none", {}, "redis-cli -h h --tls --insecure"),
    ],
)
def test_redis_cli_is_called_as_our_processes_connect(url, more, command):
    told = redis_command(Settings(redis_url=url, **more), None)
    assert told == command
    assert "secret" not in told


def test_a_password_is_read_from_its_file():
    told = redis_command(Settings(), Path("/etc/my password"))
    assert told == """REDISCLI_AUTH="$(cat '/etc/my password')" redis-cli"""


@pytest.mark.parametrize(("root", "state"), [(True, "failure"), (False, "unknown")])
def test_a_socket_that_is_closed_to_this_user_is_no_redis_that_is_away(tmp_path, monkeypatch, root, state):
    """The private Redis is for root and the units: whoever else asks can't tell how it is."""

    class Closed:
        def ping(self) -> None:
            raise RedisConnectionError("Error 13 connecting to unix socket: /run/x.sock. Permission denied.")

    monkeypatch.setattr("mastowatch.jobs.context.unchecked", lambda _: Closed())
    assert found(tmp_path, Machine(root=root), "redis") == [("redis", state)]


@pytest.mark.parametrize("name", ["/etc/mastowatch/worker@2.env", "/srv/ca.pem"])
def test_what_the_units_must_read_and_may_not_is_told(tmp_path, name):
    machine = Machine()
    machine.below = lambda directory: [directory / "worker@2.env", directory / "rules.d"]
    facts = [FileFacts(name, 0o600, "root", "root", is_dir=False, size=1)]
    machine.files = lambda paths: (facts if Path(name) in paths else [], [])
    (tmp_path / "env").write_text("REDIS_URL=rediss://h/1\nREDIS_CA_FILE=/srv/ca.pem\n")
    world = World(Sources({}, tmp_path / "env"), time.time(), machine)
    [told] = examine(world, ["file-modes"])
    assert (told.state, told.mend) == ("failure", f"chmod o+r {name}")


@pytest.mark.parametrize(("root", "state"), [(True, "failure"), (False, "unknown")])
def test_settings_that_are_hidden_from_this_user_are_no_fault(tmp_path, monkeypatch, root, state):
    (tmp_path / "env").write_text("as unreadable as can be\n")
    monkeypatch.setattr("os.access", lambda *_: False)
    world = World(Sources({}, tmp_path / "env"), time.time(), Machine(root=root))
    assert [one.state for one in examine(world, ["settings"])] == [state]


def test_a_fault_in_the_settings_of_one_worker_is_told(tmp_path):
    machine = Machine()
    machine.below = lambda directory: sorted(directory.iterdir())
    (tmp_path / "worker@2.env").write_text("WORKER_QUEUES=height\n")
    (tmp_path / "env").write_text("INSTANCE_BASE=https://m.example\n")
    world = World(Sources({}, tmp_path / "env"), time.time(), machine)
    [told] = examine(world, ["settings"])
    assert (told.state, told.mend) == ("failure", f"sudoedit {tmp_path}/worker@2.env")
    assert "WORKER_QUEUES='height' is not allowed" in told.says
