"""Both hosts, booted once, with the package on them and a Mastodon that both reach, whatever becomes of their link."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.host.conftest import Given, shown_if_a_test_fails
from tests.host.network import Network
from tests.host.pair.two import Pair, boot
from tests.host.suite import MASTODON_PORT, Suite, start_mastodon


@pytest.fixture(scope="session")
def pair(given: Given) -> Iterator[Pair]:
    network = Network()
    with ThreadPoolExecutor() as several:
        made = [
            several.submit(boot, network, name, given.root, given.place, given.cgroup, given.deb)
            for name in ("host-a", "host-b")
        ]
        mastodon, people, posts = start_mastodon()
        hosts = [one.result() for one in made]
        for host in hosts:
            shown_if_a_test_fails(host)
            network.forward(host.name, MASTODON_PORT)
        sides = [Suite(host, mastodon, people, posts) for host in hosts]
        list(several.map(Suite.install, sides))
    one = Pair(network, sides[0], sides[1], given.place)
    for side in one.both:
        side.configure()
        one.secure(side)
    yield one
    for process in one.sentinels:
        process.kill()
        process.wait()
    for host in hosts:
        host.kill()
    mastodon.stop()
