"""docs/howto/rehearse.md, and then docs/howto/go-live.md: nobody is reported before the second."""

from __future__ import annotations

from tests.host.waiting import wait


def test_rehearse(suite, walk):
    walk.page("docs/howto/rehearse.md")
    assert suite.reports() == {}


def test_go_live(suite, walk):
    walk.page("docs/howto/go-live.md")
    wait(lambda: set(suite.reports()) == set(suite.people.planted), 60, "all planted accounts are reported")
    assert max(suite.reports().values()) == 1
