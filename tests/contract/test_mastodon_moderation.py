"""What moderation asks of a Mastodon beyond reading and reporting, in memory and over HTTP alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from mastodon_mock.db.models import Relationship
from redis import Redis
from sqlalchemy.orm import Session

from mastowatch.adapters.memory_mastodon import MemoryMastodon
from mastowatch.errors import MastodonAuthError, MastodonNotFound
from mastowatch.ports.mastodon import Mastodon
from mastowatch.ports.types import Account, ReportRequest
from tests.mastodon_client import client
from tests.mastodon_server import MockMastodon, add_account, running_mock
from tests.strict_mastodon import strict_mastodon

pytestmark = [pytest.mark.redis, pytest.mark.mastodon]
BORN = datetime(2026, 1, 1, tzinfo=UTC)
FOLLOWED, FOLLOWED_FROM_AFAR, LONELY = "1000", "1001", "1002"


@dataclass
class World:
    """A server behind either adapter, and what its moderators do."""

    api: Mastodon
    silence: Callable[[str], None]


def populate(session: Session) -> None:
    add_account(session, "bot", id=1, token="bot", role="admin", created_at=BORN)
    add_account(session, "local", id=2, created_at=BORN)
    add_account(session, "afar", id=3, domain="far.example", created_at=BORN)
    for number in (FOLLOWED, FOLLOWED_FROM_AFAR, LONELY):
        add_account(session, f"a{number}", id=int(number), domain="far.example", created_at=BORN)
    for follower, followed in ((2, FOLLOWED), (3, FOLLOWED), (3, FOLLOWED_FROM_AFAR)):
        session.add(Relationship(source_account_id=follower, target_account_id=int(followed), following=True))


def in_memory() -> World:
    def account(number: str, **changes) -> Account:
        base = Account(number, f"a{number}@far.example", f"a{number}", "far.example", "", "", "", BORN)
        return replace(base, **changes)

    mastodon = MemoryMastodon(account("1", acct="bot", username="bot", domain=None))
    mastodon.add(*(account(number) for number in (FOLLOWED, FOLLOWED_FROM_AFAR, LONELY)))
    mastodon.followers = {FOLLOWED: ("afar@far.example", "local"), FOLLOWED_FROM_AFAR: ("afar@far.example",)}
    return World(mastodon, lambda one: mastodon.add(replace(mastodon.accounts[one], silenced=True)))


@pytest.fixture
def server() -> Iterator[MockMastodon]:
    with running_mock(populate=populate) as mock:
        yield mock


def over_http(server: MockMastodon, redis: Redis) -> World:
    api = client(server.url, "bot", redis, timeout_s=30)

    def silence(account_id: str) -> None:
        api.take_measure(account_id, "silence", "")

    return World(api, silence)


@pytest.fixture(params=["memory", "http"])
def world(request, redis) -> World:
    if request.param == "memory":
        return in_memory()
    return over_http(request.getfixturevalue("server"), redis)


def test_only_a_follower_of_this_server_counts(world):
    followed = [world.api.followed_locally(one) for one in (FOLLOWED, FOLLOWED_FROM_AFAR, LONELY)]
    assert followed == [True, False, False]
    with pytest.raises(MastodonNotFound):
        world.api.followed_locally("77")


@pytest.mark.parametrize(
    ("measure", "state"), [("sensitive", "sensitized"), ("silence", "silenced"), ("suspend", "suspended")]
)
def test_a_measure_shows_in_the_account_until_it_is_lifted(world, measure, state):
    assert not getattr(world.api.account(LONELY), state)
    world.api.take_measure(LONELY, measure, "")
    assert getattr(world.api.account(LONELY), state)
    world.api.lift_measure(LONELY, measure)
    assert not getattr(world.api.account(LONELY), state)


def test_a_report_resolved_by_a_measure_says_by_whom_and_can_be_opened_again(world):
    report_id = world.api.file_report(ReportRequest(LONELY, "Spam. [mw:aa]", "aa")).report_id
    assert world.api.open_reports(LONELY) == (report_id,)
    assert world.api.open_reports(FOLLOWED) == ()
    world.api.take_measure(LONELY, "silence", report_id)
    found = world.api.report(report_id)
    assert (found.resolved, found.resolved_by, found.in_force) == (True, "1", {"silence"})
    assert world.api.open_reports(LONELY) == ()
    world.api.reopen_report(report_id)
    world.api.reopen_report(report_id)
    found = world.api.report(report_id)
    assert (found.resolved, found.resolved_by) == (False, "")


@pytest.mark.parametrize(
    "ask",
    [
        lambda api: api.take_measure("77", "silence", ""),
        lambda api: api.lift_measure("77", "silence"),
    ],
)
def test_a_measure_against_nobody_is_not_found(world, ask):
    with pytest.raises(MastodonNotFound):
        ask(world.api)


def test_no_mail_is_sent_to_the_account_and_no_cursor_is_used(redis, server):
    api = client(server.url, "bot", redis, timeout_s=30)
    bodies = []
    api._client.session.hooks["response"].append(lambda answer, **_: bodies.append(answer.request.body or ""))
    api.take_measure(LONELY, "silence", "12")
    assert "send_email_notification=false" in str(bodies[0])
    api.followed_locally(FOLLOWED)
    api.open_reports(FOLLOWED)
    assert not any({"max_id", "min_id", "since_id", "page"} & asked.query.keys() for asked in server.asked)


def test_a_scope_that_is_missing_is_named(redis, server):
    server.fault("status", path="/api/v1/admin/accounts/*/action", status=403)
    with pytest.raises(MastodonAuthError, match="admin:write:accounts"):
        client(server.url, "bot", redis, timeout_s=30).take_measure(LONELY, "silence", "")


@pytest.mark.parametrize(
    ("answer", "local"),
    [([{"acct": "a@b.example"}, {"acct": "alice"}], True), ([{}, "odd", {"acct": None}], False), ([], False)],
)
def test_followers_are_read_whatever_the_server_says(redis, answer, local):
    with strict_mastodon() as strict:
        strict.answers["/api/v1/accounts/7/followers"] = lambda _: answer
        assert client(strict.url, "t", redis).followed_locally("7") is local
