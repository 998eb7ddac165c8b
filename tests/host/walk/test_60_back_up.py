"""docs/howto/pause-for-maintenance.md and docs/howto/back-up-and-restore.md, on a host that has reported spam."""

from __future__ import annotations

from datetime import UTC, datetime

from mastodon_mock.db.models import Status

from tests.host.suite import WORKER
from tests.host.waiting import wait
from tests.mastodon_server import add_account

PAGE = "docs/howto/back-up-and-restore.md"
POLL = "poll_admin_accounts_local"


def test_pause_and_go_on(suite, walk):
    walk.page("docs/howto/pause-for-maintenance.md")
    assert not any(one["paused"] for one in suite.queues())
    wait(suite.all_active, 60, "all units are active")


def sign_up(suite, name: str) -> str:
    """Let somebody come to Mastodon who advertises a casino; return the account's id."""
    now = datetime.now(UTC).replace(tzinfo=None)
    with suite.mastodon.sessions() as session:
        account = add_account(session, name, created_at=now)
        for text in ("Best online casino", "100 free spins, no deposit bonus"):
            html = f'<p>{text} <a href="https://spin.example/{name}">spin.example</a></p>'
            session.add(Status(account_id=account.id, content=html, text=text, created_at=now))
        session.commit()
        return str(account.id)


def test_back_up_and_restore_and_nobody_is_reported_twice(suite, walk):
    walk.page(PAGE, "Back up")
    # These are reported after the copies were made, and forgotten with them.
    late = {sign_up(suite, name) for name in ("spinner", "roller")}
    suite.host.run("mastowatch", "jobs", "recurring", "run", POLL)
    suite.wait_for_reports(late, 60, "who has come since is reported")
    reports, place = suite.reports(), suite.now()
    assert set(suite.people.planted) < set(reports)
    for section in ("Restore the settings", "Restore from an export", "Restore all of Redis"):
        walk.page(PAGE, section)
    assert walk.left(PAGE) == []
    wait(suite.all_active, 60, "all units are active")
    suite.host.run("mastowatch", "jobs", "recurring", "run", POLL, check=False)  # or it runs already
    wait(lambda: late <= _found(suite, place), 60, "they are judged again, and their reports are found")
    wait(lambda: not any(one["depth"] or one["started"] for one in suite.queues()), 120, "all work is done")
    assert suite.reports() == reports
    assert max(reports.values()) == 1


def _found(suite, place: float) -> set[str]:
    return {line["account_id"] for line in suite.lines(place, WORKER) if line["event"] == "report_found"}
