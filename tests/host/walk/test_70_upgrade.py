"""docs/howto/upgrade.md: to a later version, and back."""

from __future__ import annotations

from tests.host.suite import TOKEN_FILE
from tests.host.waiting import wait


def test_upgrade_and_back(suite, walk):
    reports, token = suite.reports(), suite.host.path(TOKEN_FILE).read_text()
    walk.page("docs/howto/upgrade.md")
    wait(suite.all_active, 60, "all units are active")
    wait(suite.works(), 60, "work goes on")
    assert suite.failed() == []
    assert suite.host.path(TOKEN_FILE).read_text() == token
    assert set(suite.reports().values()) == set(reports.values())
