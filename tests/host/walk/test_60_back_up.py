"""docs/howto/pause-for-maintenance.md and docs/howto/back-up-and-restore.md, on a host that has reported spam."""

from __future__ import annotations

from tests.host.suite import WORKER
from tests.host.waiting import wait

PAGE = "docs/howto/back-up-and-restore.md"


def test_pause_and_go_on(suite, walk):
    walk.page("docs/howto/pause-for-maintenance.md")
    assert not any(one["paused"] for one in suite.queues())
    wait(suite.all_active, 60, "all units are active")


def test_back_up_and_restore_and_nobody_is_reported_twice(suite, walk, late):
    reports, place = suite.reports(), suite.now()
    assert late | set(suite.people.planted) <= set(reports)
    for section in ("Restore the settings", "Restore from an export", "Restore all of Redis"):
        walk.page(PAGE, section)
    assert walk.left(PAGE) == []
    wait(suite.all_active, 60, "all units are active")
    suite.host.run("mastowatch", "jobs", "recurring", "run", "poll_admin_accounts_local", check=False)  # or it runs
    wait(lambda: late <= _found(suite, place), 60, "they are judged again, and their reports are found", every_s=1.0)
    wait(lambda: not any(one["depth"] or one["started"] for one in suite.queues()), 120, "all work is done")
    assert suite.reports() == reports
    assert max(reports.values()) == 1


def _found(suite, place: float) -> set[str]:
    return {line["account_id"] for line in suite.lines(place, WORKER) if line["event"] == "report_found"}
