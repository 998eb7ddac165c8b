from __future__ import annotations

import pytest

from mastowatch.web.hosts import HostGuard

GUARD = HostGuard(None, ("mod.internal",))  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["localhost:9181", "127.0.0.1", "[::1]:9181", "10.0.0.7:9181", "MOD.internal"])
def test_lets_addresses_and_known_names_in(host):
    assert GUARD._ours(host)


@pytest.mark.parametrize("host", ["", "evil.example", "127.0.0.1.evil.example:9181", "localhost.evil.example", "[evil"])
def test_refuses_names_that_a_stranger_could_point_here(host):
    assert not GUARD._ours(host)
