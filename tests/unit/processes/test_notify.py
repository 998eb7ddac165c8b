from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from mastowatch.processes.notify import Notifier
from tests.engine import FORK


class Manager:
    """A service manager that keeps what it hears, and the clock that the notifiers go by."""

    def __init__(self, path: Path) -> None:
        self.now = 100.0
        self.environ = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "4000000", "HOME": "/"}
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)

    def notifier(self) -> Notifier:
        return Notifier(clock=lambda: self.now, environ=self.environ)

    def heard(self) -> list[str]:
        found = []
        while True:
            try:
                found.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return found


@pytest.fixture
def manager(tmp_path: Path, monkeypatch) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", made.environ["NOTIFY_SOCKET"])  # where sdnotify looks
    with made.socket:
        yield made


@pytest.fixture
def notifier(manager) -> Iterator[Notifier]:
    made = manager.notifier()
    yield made
    made.close()


def test_a_status_is_told_when_it_changes_and_once_a_second_at_most(manager, notifier):
    notifier.ready("one")
    for text in ("two", "two", "three"):
        notifier.status(text)
    manager.now += 1
    notifier.status("three")
    notifier.status("four")
    manager.now += 1
    notifier.status("three")
    assert manager.heard() == ["READY=1\nSTATUS=one", "STATUS=three"]


def test_a_status_is_one_line_whatever_a_job_is_called(manager, notifier):
    notifier.status("busy with x\nWATCHDOG=1\n\u00fc\U0001f600")
    assert manager.heard() == ["STATUS=busy with x WATCHDOG=1 ??"]


def test_the_watchdog_is_fed_four_times_in_its_time(manager, notifier):
    for _ in range(40):
        notifier.alive()
        manager.now += 0.1
    assert manager.heard() == ["WATCHDOG=1"] * 4


def test_children_get_none_of_systemds_variables(manager, notifier):
    assert manager.environ == {"HOME": "/"}


def test_a_watchdog_that_is_meant_for_another_process_is_not_fed(manager):
    manager.environ["WATCHDOG_PID"] = str(os.getpid() + 1)
    notifier = manager.notifier()
    notifier.alive()
    notifier.close()
    assert manager.heard() == []


def test_a_fork_of_the_process_has_nothing_to_say(manager, notifier):
    process = FORK.Process(target=notifier.ready, args=("I am the child",))
    process.start()
    process.join()
    assert manager.heard() == []


def test_a_manager_that_does_not_listen_holds_nobody(manager, monkeypatch):
    monkeypatch.setattr("mastowatch.processes.notify.PATIENCE_S", 0.01)
    impatient = manager.notifier()
    longest = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text())
    for number in range(longest + 10):
        impatient.ready(str(number))
    impatient.close()
    assert 0 < len(manager.heard()) < longest + 10


def test_the_end_says_how_long_it_may_take(manager, notifier):
    notifier.stopping()
    notifier.stopping(12.5)
    assert manager.heard() == [
        "STOPPING=1\nSTATUS=Stopping",
        "STOPPING=1\nSTATUS=Stopping\nEXTEND_TIMEOUT_USEC=12500000",
    ]


def test_without_systemd_all_is_quiet(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notifier = Notifier(environ={})
    notifier.ready("x")
    notifier.alive()
    notifier.close()
