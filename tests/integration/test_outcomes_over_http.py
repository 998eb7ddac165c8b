"""From the post to the moderators' answer, over HTTP: reports are filed with mastodon-mock and decided there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from mastodon_mock.db.models import Account as MockAccount
from mastodon_mock.db.models import Report
from mastodon_mock.db.models import Status as MockStatus

from mastowatch.jobs import tasks
from tests.mastodon_client import client
from tests.mastodon_server import MockMastodon, add_account, running_mock
from tests.rules import document
from tests.world import START, World

pytestmark = [pytest.mark.redis, pytest.mark.mastodon]
SUSPENDED, WARNED, CLEANED, OPEN = "100", "101", "102", "103"
ALL = (SUSPENDED, WARNED, CLEANED, OPEN)


def populate(session) -> None:
    born = datetime.fromtimestamp(START, UTC) - timedelta(days=1)
    add_account(session, "bot", token="bot", role="admin")
    for account_id in ALL:
        add_account(session, f"a{account_id}", id=int(account_id), domain="far.example", created_at=born)
        row = {"account_id": int(account_id), "created_at": born, "visibility": "public"}
        session.add(MockStatus(id=int(account_id) * 10, content="<p>casino</p>", **row))


@pytest.fixture
def server() -> Iterator[MockMastodon]:
    with running_mock(populate=populate) as mock:
        yield mock


def decide(server: MockMastodon) -> None:
    """Let moderators suspend one account, only close the report on another, and delete the post of a third."""
    with server.sessions() as session:
        for account_id in (SUSPENDED, WARNED, CLEANED):
            session.query(Report).filter_by(target_account_id=int(account_id)).update({"action_taken": True})
        session.get(MockAccount, int(SUSPENDED)).suspended = True
        session.delete(session.get(MockStatus, int(CLEANED) * 10))
        session.commit()


def test_what_moderators_decided_becomes_the_rules_precision(redis, server):
    world = World(redis, [document(limits={"precision_after": 3, "precision_min": 0.9})])
    api = client(server.url, "bot", redis, clock=lambda: world.now)
    world.context = replace(world.context, mastodon=api.for_purpose)
    for account_id in ALL:
        assert world.run(tasks.analyze_and_maybe_report, account_id)["outcome"] == "filed"
    decide(server)
    asked = len(server.asked)
    world.now += 600
    result = world.run(tasks.read_report_outcomes)
    assert result == {"looked_at": 4, "kept": 2, "rejected": 1, "dropped": 1, "ended": "complete"}
    paths = [one.path.rpartition("/")[0] for one in server.asked[asked:]]
    assert (paths.count("/api/v1/admin/reports"), paths.count("/api/v1/statuses")) == (4, 2), "one a look, two decided"
    record = world.context.rule_stats.read(["one"])["one"]
    assert (record.hits, record.reports, record.kept, record.rejected) == (4, 4, 2, 1)
    assert world.context.rule_stats.open_reports() == 1
    assert list(world.context.rule_switches.shadowed()) == ["one"]
    used = {one.family: one.used for one in api._budget.read()}
    assert used["paging"] == 0
