"""docs/howto/rehearse.md, and then docs/howto/go-live.md: nobody is reported before the second."""

from __future__ import annotations


def test_rehearse(suite, walk):
    walk.page("docs/howto/rehearse.md")
    assert suite.reports() == {}


def test_go_live(suite, walk):
    walk.page("docs/howto/go-live.md")
    suite.wait_for_reports(suite.people.planted, 120, "all planted accounts are reported")
    assert suite.reports() == dict.fromkeys(suite.people.planted, 1)
