"""docs/howto/pause-for-maintenance.md and docs/howto/back-up-and-restore.md: nobody is reported a second time."""

from __future__ import annotations

from tests.host.waiting import wait


def test_pause_and_resume(suite, walk):
    walk.page("docs/howto/pause-for-maintenance.md")
    wait(suite.works(), 60, "work goes on")


def test_back_up_and_restore(suite, walk):
    reports = suite.reports()
    walk.page("docs/howto/back-up-and-restore.md")
    wait(suite.all_active, 60, "all units are active")
    wait(suite.works(), 60, "work goes on")
    assert suite.reports() == reports
