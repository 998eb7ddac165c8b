"""docs/howto/install.md: by hand, without a program that asks; the host is bare again before it."""

from __future__ import annotations

PAGE = "docs/howto/install.md"


def test_by_hand_and_what_is_rehearsed_is_not_filed(suite, walk):
    filed = suite.reports()  # by the installation that was purged
    walk.page(PAGE)
    assert suite.all_active()
    assert suite.failed() == []
    assert suite.reports() == filed
