"""One suite for the Mastodon in memory and the one over HTTP: who uses the port can't tell them apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
import requests
from mastodon_mock.db.models import Account as MockAccount
from mastodon_mock.db.models import Report
from mastodon_mock.db.models import Status as MockStatus
from redis import Redis
from sqlalchemy.orm import Session

from mastowatch.adapters.memory_mastodon import MemoryMastodon
from mastowatch.errors import MastodonNotFound, MastodonRefused, MastodonUnreachable
from mastowatch.ports.mastodon import Mastodon
from mastowatch.ports.types import Account, FiledReport, ReportRequest, Status
from tests.mastodon_client import client
from tests.mastodon_server import MockMastodon, add_account, running_mock
from tests.strict_mastodon import strict_mastodon

pytestmark = [pytest.mark.redis, pytest.mark.mastodon]

BORN = datetime(2026, 1, 1, 12, 34, 56, tzinfo=UTC)
PAGE = 40
FIRST, LAST = 1000, 1099
SUSPENDED = "1050"
SPAMMER, FORWARDED, RESOLVED, LOST, TWICE, ACTED = "1000", "1001", "1002", "1003", "1004", "1005"
REMOTE = [str(number) for number in range(LAST, FIRST - 1, -1) if str(number) != SUSPENDED]
POSTS = {"5001": "public", "5002": "unlisted", "5003": "private", "5004": "direct"}
BOOST, BOOSTED = "5005", "4000"


@dataclass
class World:
    """The same accounts and posts behind either adapter, and what a test does behind its back."""

    api: Mastodon
    resolve_reports: Callable[[], None]
    lose_next_answer: Callable[[], None]
    report_as_alice: Callable[[str, str], str]
    silence: Callable[[str], None]


def account(number: int | str, domain: str | None = None, **changes) -> Account:
    name = f"a{number}"
    acct = f"{name}@{domain}" if domain else name
    return replace(Account(str(number), acct, name, domain, "", "<p>hi</p>", "", BORN), **changes)


def in_memory() -> MemoryMastodon:
    bot = account(1, staff=True)
    mastodon = MemoryMastodon(bot, page_size=PAGE)
    mastodon.add(bot, account(2), *(account(number, "far.example") for number in range(FIRST, LAST + 1)))
    mastodon.add(account(SUSPENDED, "far.example", suspended=True))
    mastodon.post(Status(BOOSTED, "2", BORN, "<p>by alice</p>"), Status(BOOST, SPAMMER, BORN, reblog=True))
    mastodon.post(*(Status(one, SPAMMER, BORN, f"<p>{kind}</p>", visibility=kind) for one, kind in POSTS.items()))
    return mastodon


def populate(session: Session) -> None:
    profile = {"note": "<p>hi</p>", "created_at": BORN}
    add_account(
        session, "a1", id=1, token="bot", role="admin", display_name="a1", email="bot@secret.example", **profile
    )
    add_account(session, "a2", id=2, display_name="a2", email="alice@secret.example", ip="203.0.113.7", **profile)
    for number in range(FIRST, LAST + 1):
        suspended = str(number) == SUSPENDED
        add_account(session, f"a{number}", id=number, domain="far.example", suspended=suspended, **profile)
    session.add(MockStatus(id=int(BOOSTED), account_id=2, content="<p>by alice</p>", created_at=BORN))
    session.flush()
    for one, kind in POSTS.items():
        post = {"id": int(one), "account_id": int(SPAMMER), "visibility": kind, "created_at": BORN}
        session.add(MockStatus(content=f"<p>{kind}</p>", **post))
    boost = {"id": int(BOOST), "account_id": int(SPAMMER), "reblog_of_id": int(BOOSTED), "created_at": BORN}
    session.add(MockStatus(**boost))


@pytest.fixture(scope="module")
def server() -> Iterator[MockMastodon]:
    with running_mock(populate=populate) as mock:
        yield mock


def over_http(server: MockMastodon, redis: Redis) -> World:
    def resolve() -> None:
        with server.sessions() as session:
            session.query(Report).update({"action_taken": True})
            session.commit()

    def report_as_alice(account_id: str, comment: str) -> str:
        with server.sessions() as session:
            report = Report(account_id=2, target_account_id=int(account_id), comment=comment)
            session.add(report)
            session.commit()
            return str(report.id)

    def silence(account_id: str) -> None:
        with server.sessions() as session:
            session.get(MockAccount, int(account_id)).silenced = True
            session.commit()

    def lose() -> None:
        hooks.append(lost)

    def lost(response: requests.Response, **_: object) -> None:
        hooks.remove(lost)
        raise requests.ConnectionError(response.request.method)

    api = client(server.url, "bot", redis)
    hooks = api._client.session.hooks["response"]
    # As it would be with Mastodon, whose pages are as long as one asks for.
    api._page_size = PAGE
    return World(api.for_purpose("report"), resolve, lose, report_as_alice, silence)


@pytest.fixture(params=["memory", "http"])
def world(request, server, redis) -> World:
    if request.param == "http":
        return over_http(server, redis)
    mastodon = in_memory()

    def resolve() -> None:
        for number in range(len(mastodon.reports)):
            mastodon.resolve(str(number + 1))

    def report_as_alice(account_id: str, comment: str) -> str:
        mastodon.other_reports["900"] = FiledReport("900", "2", account_id, comment, BORN, resolved=False)
        return "900"

    def silence(account_id: str) -> None:
        mastodon.add(replace(mastodon.accounts[account_id], silenced=True))

    return World(mastodon, resolve, mastodon.lose_next_answer, report_as_alice, silence)


@pytest.fixture
def api(world) -> Mastodon:
    return world.api


def ids(found) -> list[str]:
    return [one.id for one in found]


def request(account_id: str, marker: str, **changes) -> ReportRequest:
    return replace(ReportRequest(account_id, f"Spam from a new account. [mw:{marker}]", marker), **changes)


def marked(api: Mastodon, account_id: str, marker: str):
    return next((one for one in api.own_reports(account_id) if marker in one.comment), None)


def test_the_bot_knows_itself(api):
    assert (api.me().id, api.me().username) == ("1", "a1")


def test_the_newest_page_holds_the_highest_ids_of_its_origin_newest_first(api):
    assert ids(api.newest_accounts("remote").accounts) == REMOTE[:PAGE]
    assert ids(api.newest_accounts("local").accounts) == ["2", "1"]


def test_only_a_full_page_says_that_more_may_follow(api):
    assert api.newest_accounts("remote").full
    assert not api.newest_accounts("local").full


def test_a_full_page_says_so_even_where_a_proxy_drops_the_link_to_the_next(redis):
    with strict_mastodon() as strict:
        strict.answers["/api/v2/admin/accounts"] = lambda _: [{"id": str(number)} for number in range(1, 201)]
        assert client(strict.url, "bot", redis).newest_accounts("remote").full
        strict.answers["/api/v2/admin/accounts"] = lambda _: [{"id": "1"}]
        assert not client(strict.url, "bot", redis).newest_accounts("remote").full


def test_a_walk_down_meets_every_account_once_and_ends(api):
    seen, cursor, full = [], None, True
    while full:
        page = api.accounts_below("remote", cursor)
        seen += ids(page.accounts)
        full, cursor = page.full, seen[-1]
    assert seen == REMOTE


def test_a_walk_up_meets_every_account_once_and_ends_on_an_empty_page(api):
    seen, cursor = [], "999"
    while (page := api.accounts_above("remote", cursor)).accounts:
        assert page.full
        assert ids(page.accounts) == sorted(ids(page.accounts), key=int, reverse=True)
        seen += reversed(ids(page.accounts))
        cursor = page.accounts[0].id
    assert seen == REMOTE[::-1]
    assert not page.full


def test_a_page_right_above_an_id_leaves_no_gap(api):
    assert ids(api.accounts_above("remote", "1010").accounts)[-1] == "1011"


def test_nothing_lies_below_the_lowest_id(api):
    page = api.accounts_below("remote", str(FIRST))
    assert page.accounts == ()
    assert not page.full


def test_suspended_accounts_are_on_no_page(api):
    assert SUSPENDED not in ids(api.accounts_above("remote", "1049").accounts)


def test_an_account_tells_where_it_lives_and_when_it_was_made(api):
    found = api.account(SPAMMER)
    assert (found.acct, found.domain, found.origin) == ("a1000@far.example", "far.example", "remote")
    assert (found.created_at, found.note_html, found.staff) == (BORN, "<p>hi</p>", False)
    assert (api.account("2").acct, api.account("2").origin) == ("a2", "local")


def test_staff_and_suspended_accounts_are_marked(api):
    assert api.account("1").staff
    assert api.account(SUSPENDED).suspended


def test_an_account_that_is_not_known_is_not_found(api):
    with pytest.raises(MastodonNotFound):
        api.account("424242")


def test_an_account_is_found_by_its_name(api):
    assert api.account_id("a1000@far.example") == "1000"
    assert api.account_id("a2") == "2"
    for unknown in ("a1000", "nobody@far.example", "a/../b"):
        with pytest.raises(MastodonNotFound):
            api.account_id(unknown)


def test_only_public_and_unlisted_posts_come_newest_first(api):
    assert ids(api.account_statuses(SPAMMER)) == [BOOST, "5002", "5001"]


def test_a_boost_is_marked_and_holds_nothing_of_the_boosted_person(api):
    boost = api.account_statuses(SPAMMER)[0]
    assert boost.reblog
    assert (boost.content_html, boost.mentions, boost.tags, boost.media) == ("", (), (), ())
    assert not api.account_statuses(SPAMMER)[1].reblog


@pytest.mark.parametrize("status_id", ["5001", "5002"])
def test_a_public_or_unlisted_post_is_read_alone(api, status_id):
    found = api.status(status_id)
    assert (found.account_id, found.created_at) == (SPAMMER, BORN)
    assert found.content_html == f"<p>{found.visibility}</p>" == f"<p>{POSTS[status_id]}</p>"


@pytest.mark.parametrize("status_id", ["5003", "5004", "424242"])
def test_any_other_post_is_not_found(api, status_id):
    with pytest.raises(MastodonNotFound):
        api.status(status_id)


def test_posts_are_read_together_and_what_may_not_be_seen_is_left_out(api):
    found = api.statuses(["5001", "5002", "5003", "5004", "424242"])
    assert sorted(ids(found)) == ["5001", "5002"]
    assert {one.account_id for one in found} == {SPAMMER}


def on_timeline(api, **asked) -> list[str]:
    wanted = {"local": False, "remote": False, "min_id": None, **asked}
    return [one.status.id for one in api.public_timeline(**wanted)]


def test_the_public_timeline_shows_public_posts_with_their_authors_newest_first(api):
    assert on_timeline(api) == ["5001", BOOSTED]
    newest = api.public_timeline(local=False, remote=False, min_id=None)[0]
    assert (newest.account.acct, newest.account.note_html) == ("a1000@far.example", "<p>hi</p>")
    assert (newest.status.account_id, newest.version) == (newest.account.id, "5001") == (SPAMMER, "5001")


def test_the_public_timeline_is_asked_for_local_or_remote_posts_alone(api):
    assert on_timeline(api, local=True) == [BOOSTED]
    assert on_timeline(api, remote=True) == ["5001"]
    assert on_timeline(api, local=True, remote=True) == ["5001", BOOSTED]


def test_the_public_timeline_is_walked_up_without_a_gap(api):
    assert on_timeline(api, min_id="3999") == ["5001", BOOSTED]
    assert on_timeline(api, min_id=BOOSTED) == ["5001"]
    assert on_timeline(api, min_id="5001") == []


def test_what_is_no_post_or_not_public_is_on_no_page_and_an_edit_is_another_version(redis):
    author = {"id": "7", "acct": "a@far.example"}
    public = {"visibility": "public", "account": author}
    with strict_mastodon() as strict:
        strict.answers["/api/v1/timelines/public"] = lambda _: [
            {"id": "1", **public, "edited_at": "2026-01-01T00:00:00.000Z"},
            {"id": "2", **public, "visibility": "private"},
            {"id": "3", "account": author},
            {"id": "x", **public},
            {"id": "4", "visibility": "public"},
            None,
        ]
        found = client(strict.url, "bot", redis).public_timeline(local=False, remote=False, min_id=None)
    assert [one.version for one in found] == ["1@2026-01-01T00:00:00.000Z"]


def test_a_filed_report_is_found_again_by_its_marker_and_no_other(api):
    receipt = api.file_report(request(SPAMMER, "aaaa1111", status_ids=("5001", "5002")))
    assert receipt.status_ids == ("5001", "5002")
    found = marked(api, SPAMMER, "aaaa1111")
    assert found is not None
    assert (found.id, found.status_ids) == (receipt.report_id, ("5001", "5002"))
    assert (found.by_account_id, found.target_account_id, found.resolved) == ("1", SPAMMER, False)
    assert found.in_force == frozenset()
    assert found.comment == "Spam from a new account. [mw:aaaa1111]"
    assert abs(found.created_at - datetime.now(UTC)) < timedelta(minutes=5)
    assert api.report(receipt.report_id) == found
    assert marked(api, SPAMMER, "bbbb2222") is None
    assert marked(api, FORWARDED, "aaaa1111") is None, "on another account"


def test_a_report_of_any_category_may_be_filed_with_rules_and_forwarded(api):
    for number, category in enumerate(("spam", "violation", "legal", "other")):
        marker = f"cccc000{number}"
        api.file_report(request(FORWARDED, marker, category=category, forward=True, rule_ids=("1",) * (number == 1)))
        assert marked(api, FORWARDED, marker)


def test_a_resolved_report_is_found_as_well(world):
    receipt = world.api.file_report(request(RESOLVED, "dddd1111"))
    world.resolve_reports()
    found = marked(world.api, RESOLVED, "dddd1111")
    assert found is not None
    assert (found.id, found.resolved) == (receipt.report_id, True)
    assert world.api.report(receipt.report_id).resolved


def test_own_reports_come_newest_first_open_and_resolved(world):
    first = world.api.file_report(request(TWICE, "abab1111"))
    world.resolve_reports()
    second = world.api.file_report(request(TWICE, "abab2222"))
    found = world.api.own_reports(TWICE)
    assert [(one.id, one.resolved) for one in found] == [(second.report_id, False), (first.report_id, True)]


def test_a_report_of_somebody_else_is_no_own_one_and_its_words_stay_theirs(world):
    other = world.report_as_alice(TWICE, "Look, [mw:abab3333]")
    assert marked(world.api, TWICE, "abab3333") is None
    found = world.api.report(other)
    assert (found.id, found.by_account_id, found.target_account_id, found.comment) == (other, "2", TWICE, "")


def test_a_report_tells_whether_its_account_was_acted_on(world):
    receipt = world.api.file_report(request(ACTED, "acac1111"))
    world.silence(ACTED)
    assert world.api.report(receipt.report_id).in_force == {"silence"}
    assert world.api.own_reports(ACTED)[0].in_force == {"silence"}


@pytest.mark.parametrize("report_id", ["424242", "0", "no-id", "1/resolve"])
def test_a_report_that_is_not_there_is_not_found(api, report_id):
    with pytest.raises(MastodonNotFound):
        api.report(report_id)


def test_a_server_that_ignores_the_filters_gives_nobody_elses_reports(redis):
    entity = {"account": {"id": "1"}, "target_account": {"id": SPAMMER}, "comment": "[mw:aaaa1111]"}
    with strict_mastodon() as strict:
        strict.answers["/api/v1/accounts/verify_credentials"] = lambda _: {"id": "1"}
        strict.answers["/api/v1/admin/reports"] = lambda _: [
            {**entity, "id": "7", "account": {"id": "2"}},
            {**entity, "id": "8", "target_account": {"id": FORWARDED}},
            {**entity, "id": "9"},
            {**entity, "id": ""},
            "nonsense",
        ]
        assert ids(client(strict.url, "bot", redis).own_reports(SPAMMER)) == ["9"]


def test_a_report_whose_answer_is_lost_may_have_been_filed(world):
    world.lose_next_answer()
    with pytest.raises(MastodonUnreachable):
        world.api.file_report(request(LOST, "eeee1111"))
    assert marked(world.api, LOST, "eeee1111")


def test_a_report_with_a_post_that_is_gone_is_refused_whole_and_goes_through_without(api):
    bad = request(SPAMMER, "ffff1111", status_ids=("5001", "424242"))
    with pytest.raises((MastodonNotFound, MastodonRefused)):
        api.file_report(bad)
    assert marked(api, SPAMMER, "ffff1111") is None
    api.file_report(replace(bad, status_ids=()))
    assert marked(api, SPAMMER, "ffff1111")


def test_an_account_that_is_not_known_can_not_be_reported(api):
    with pytest.raises(MastodonNotFound):
        api.file_report(request("424242", "9999aaaa"))


def test_no_address_is_in_anything_that_comes_back(api):
    seen = repr([api.me(), api.account("2"), api.newest_accounts("local")])
    assert "secret.example" not in seen
    assert "203.0.113.7" not in seen
