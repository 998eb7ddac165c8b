"""docs/howto/pause-for-maintenance.md and docs/howto/back-up-and-restore.md, on a host that has reported spam."""

from __future__ import annotations

from tests.host.waiting import wait


def test_pause_and_go_on(suite, walk):
    walk.page("docs/howto/pause-for-maintenance.md")
    assert not any(one["paused"] for one in suite.queues())
    wait(suite.all_active, 60, "all units are active")


def test_back_up_and_restore_and_nobody_is_reported_twice(suite, walk):
    before = suite.reports()
    walk.page("docs/howto/back-up-and-restore.md")
    wait(suite.all_active, 60, "all units are active")
    suite.host.run("mastowatch", "jobs", "trigger", "poll_admin_accounts", check=False)  # or it runs already
    wait(lambda: not any(one["depth"] or one["started"] for one in suite.queues()), 120, "all work is done")
    assert {who: number for who, number in suite.reports().items() if number != before.get(who, 1)} == {}
