"""docs/howto/uninstall.md: nothing is left."""

from __future__ import annotations


def test_uninstall(suite, walk):
    walk.page("docs/howto/uninstall.md")
    assert suite.host.sh("systemctl list-unit-files --no-legend 'mastowatch*'", check=False) == ""
    with suite.redis() as redis:
        assert redis.dbsize() == 0
    assert suite.failed() == []
