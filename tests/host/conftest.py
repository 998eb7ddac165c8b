"""The host of this pytest, booted once; MastoWatch on it; and where figures go."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.host.host import Host
from tests.host.suite import Suite, start_mastodon

_HOST: list[Host] = []
_SHOWN: set[str] = set()


@dataclass(frozen=True)
class Given:
    """What ``python -m tests.host`` gives: see there."""

    name: str
    release: str
    root: Path
    place: Path
    cgroup: Path
    deb: Path
    older: Path
    later: Path
    clock: Path
    source: Path


@pytest.fixture(scope="session")
def given() -> Given:
    if "MASTOWATCH_HOST" not in os.environ:
        pytest.fail("these tests need namespaces of their own: run `make test-host`", pytrace=False)
    told = json.loads(os.environ["MASTOWATCH_HOST"])
    return Given(**{name: value if name in ("name", "release") else Path(value) for name, value in told.items()})


@pytest.fixture(scope="session")
def measured(given: Given) -> Callable[[str, str], None]:
    """Note a figure for the table at the end: what it is, and its value with its unit."""

    def note(what: str, value: str) -> None:
        with (given.place / "measured").open("a") as file:
            file.write(json.dumps({"release": given.release, "what": what, "value": value}) + "\n")

    return note


def shown_if_a_test_fails(host: Host) -> None:
    """Show the end of this host's journal with each failure."""
    _HOST.append(host)


@pytest.fixture(scope="session")
def host(given: Given) -> Iterator[Host]:
    """A booted host with Redis on it and the package in /root, not installed."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    one = Host(given.name, given.root, given.place, given.cgroup)
    for name in ("deb", "older", "later"):
        shutil.copy(getattr(given, name), one.disk / f"root/{name}.deb")
    one.boot()
    shown_if_a_test_fails(one)
    yield one
    one.kill()


@pytest.fixture(scope="session")
def suite(host: Host) -> Iterator[Suite]:
    """MastoWatch on the host, in whatever state the tests before have left it, and a Mastodon that runs."""
    mastodon, people, posts = start_mastodon()
    yield Suite(host, mastodon, people, posts)
    mastodon.stop()


@pytest.fixture(scope="session")
def turn(given: Given) -> Callable[[], contextlib.AbstractContextManager[None]]:
    """Take turns with the other hosts for the length of a block, where seconds count: they share a few processors."""

    @contextlib.contextmanager
    def take() -> Iterator[None]:
        with (given.place.parent / "turn").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    return take


@pytest.fixture
def alone(turn: Callable[[], contextlib.AbstractContextManager[None]]) -> Iterator[None]:
    """Take a turn for the whole test."""
    with turn():
        yield


@pytest.fixture(autouse=True)
def no_fault_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let Mastodon be well again after each test."""
    yield
    if "suite" in request.fixturenames:
        request.getfixturevalue("suite").mastodon.clear_faults()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.host)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Show the end of the host's journal with each failure."""
    report = yield
    # A fixture that fails fails for each test that asks for it: once is enough to read.
    if report.failed and _HOST and str(call.excinfo) not in _SHOWN:
        _SHOWN.add(str(call.excinfo))
        for one in _HOST:
            tail = one.run("journalctl", "-q", "-n", "25", "-o", "short-precise", "--all", check=False, timeout=60)
            report.sections.append((f"the journal of {one.name}", tail.out + tail.err))
    return report
