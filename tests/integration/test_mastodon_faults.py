"""What a Mastodon can do wrong, over real HTTP: each fault comes out as one of our errors, and nobody is quoted."""

from __future__ import annotations

import gc
import json
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from mastodon_mock.config import AuthConfig, MastodonMockConfig, SeedConfig
from mastodon_mock.db.models import Account as MockAccount
from mastodon_mock.db.models import OAuthToken
from redis import Redis
from rq.timeouts import JobTimeoutException, UnixSignalDeathPenalty
from sqlalchemy import delete
from sqlalchemy.orm import Session

from mastowatch.adapters.mastodon_api import MastodonApi
from mastowatch.errors import (
    BudgetExhausted,
    MastodonAuthError,
    MastodonNotFound,
    MastodonRateLimited,
    MastodonUnreachable,
)
from mastowatch.ports.types import ReportRequest
from tests.mastodon_client import client
from tests.mastodon_server import MockMastodon, add_account, add_token, running_mock
from tests.strict_mastodon import strict_mastodon

pytestmark = [pytest.mark.redis, pytest.mark.mastodon]

EMAIL, IP, INVITE = "secret.person@private.example", "203.0.113.77", "please let me in, I am Erika"
SEED_ID = 1_000


def populate(session: Session) -> None:
    bot = add_account(session, "bot", id=1, token="bot", role="moderator")
    add_token(session, bot, "writes only", ("write",))
    add_account(session, "erika", id=2, email=EMAIL, ip=IP, invite_request=INVITE)
    for number in range(100):
        add_account(session, f"remote{number}", id=SEED_ID + number, domain="far.example")


@pytest.fixture(scope="module")
def server() -> Iterator[MockMastodon]:
    config = MastodonMockConfig(seed=SeedConfig(), auth=AuthConfig(enforce_scopes=True))
    with running_mock(config, populate) as mock:
        yield mock


@pytest.fixture
def mock(server: MockMastodon) -> Iterator[MockMastodon]:
    server.asked.clear()
    yield server
    server.clear_faults()


@pytest.fixture
def api(mock: MockMastodon, redis: Redis) -> MastodonApi:
    return client(mock.url, "bot", redis)


def report(**changes: object) -> ReportRequest:
    return ReportRequest(
        **{"account_id": str(SEED_ID), "comment": "why [mw:0badcafe]", "marker": "0badcafe", **changes}
    )


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep the tools of testing out of the way of a signal that raises, wherever the main thread is just then.

    Hypothesis looks on at each collection of garbage, and what is raised in there is only printed. Coverage takes a
    lock at each call, and what is raised before it gives it back leaves it locked for good.
    """
    trace = sys.gettrace()
    sys.settrace(None)
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        sys.settrace(trace)


def test_a_429_in_the_middle_of_a_walk_stops_all_requests_until_the_reset(mock, api):
    page = api.newest_accounts("remote")
    mock.fault("ratelimit", count=1)
    with pytest.raises(MastodonRateLimited) as limited:
        api.accounts_below("remote", page.accounts[-1].id)
    assert time.time() + 200 < limited.value.retry_at < time.time() + 400
    asked = len(mock.asked)
    for work in (lambda: api.accounts_below("remote", "5"), lambda: api.for_purpose("report").file_report(report())):
        with pytest.raises(BudgetExhausted) as blocked:
            work()
        assert blocked.value.retry_at == pytest.approx(limited.value.retry_at, abs=0.01)
    assert len(mock.asked) == asked


def test_requests_go_on_after_the_reset(mock, redis):
    now = time.time()
    api = client(mock.url, "bot", redis, clock=lambda: now)
    mock.fault("ratelimit", count=1)
    with pytest.raises(MastodonRateLimited) as limited:
        api.newest_accounts("remote")
    now = limited.value.retry_at + 0.01
    assert api.newest_accounts("remote").accounts


@pytest.mark.parametrize("code", [502, 503, 504])
def test_a_proxys_error_is_tried_twice_more_and_then_said(mock, api, code):
    mock.fault("status", status=code)
    with pytest.raises(MastodonUnreachable, match=str(code)):
        api.account("2")
    assert len(mock.asked) == 3


def test_a_fault_that_passes_is_not_noticed_but_in_the_budget(mock, api, redis):
    mock.fault("status", status=503, count=1)
    mock.fault("malformed", count=1)
    assert api.account("2").username == "erika"
    assert len(mock.asked) == 3
    assert int(redis.hget("mastowatch:tally", "requests_judge")) == 3


def test_a_500_is_not_tried_again(mock, api):
    mock.fault("status", status=500)
    with pytest.raises(MastodonUnreachable, match="500"):
        api.account("2")
    assert len(mock.asked) == 1


def test_a_cut_body_is_tried_twice_more_and_then_said(mock, api):
    mock.fault("malformed")
    with pytest.raises(MastodonUnreachable):
        api.account("2")
    assert len(mock.asked) == 3


def test_a_server_that_hangs_is_given_up_after_the_time_out(mock, redis):
    mock.fault("timeout")  # answers after 30 s
    started = time.monotonic()
    with pytest.raises(MastodonUnreachable):
        client(mock.url, "bot", redis, timeout_s=0.3).account("2")
    assert 0.9 < time.monotonic() - started < 25
    assert len(mock.asked) == 3


def test_a_server_that_is_away_is_unreachable(redis):
    with pytest.raises(MastodonUnreachable):
        client("http://127.0.0.1:9", "bot", redis).account("2")


@pytest.mark.parametrize(("effect", "more"), [("status", {"status": 503}), ("malformed", {}), ("timeout", {})])
def test_a_report_is_sent_once_whatever_happens_to_its_answer(mock, redis, effect, more):
    mock.fault(effect, **more)
    with pytest.raises(MastodonUnreachable):
        client(mock.url, "bot", redis, timeout_s=0.3).file_report(report())
    assert [asked.method for asked in mock.asked] == ["POST"]


def test_a_failed_second_try_is_not_taken_for_the_error_that_led_to_it(mock, api):
    """As the caller does: files again, without posts, while it handles the first refusal."""
    mock.fault("status", path="/api/v1/reports", status=404, count=1)
    mock.fault("status", status=500)
    try:
        api.file_report(report())
    except MastodonNotFound:
        with pytest.raises(MastodonUnreachable):
            api.file_report(report())


def test_a_revoked_token_is_said_with_what_to_do(mock, redis):
    with mock.sessions() as session:
        session.add(OAuthToken(access_token="revoked", account_id=1, scopes=["read"]))
        session.commit()
        session.execute(delete(OAuthToken).where(OAuthToken.access_token == "revoked"))
        session.commit()
    with pytest.raises(MastodonAuthError, match=r"401.*make a new one"):
        client(mock.url, "revoked", redis).newest_accounts("remote")


@pytest.mark.parametrize(
    ("call", "needed"),
    [
        (lambda api: api.me(), "read:accounts"),
        (lambda api: api.newest_accounts("local"), "admin:read:accounts.*manage.users"),
        (lambda api: api.account("2"), "admin:read:accounts.*manage.users"),
        (lambda api: api.account_statuses("2"), "read:statuses"),
        (lambda api: api.status("2"), "read:statuses"),
    ],
)
def test_a_missing_scope_is_named(mock, redis, call, needed):
    with pytest.raises(MastodonAuthError, match=needed):
        call(client(mock.url, "writes only", redis))


def test_a_missing_right_to_see_or_file_reports_is_named(mock, api):
    mock.fault("status", path="/api/v1/admin/reports", status=403)
    mock.fault("status", path="/api/v1/reports", status=403)
    with pytest.raises(MastodonAuthError, match=r"admin:read:reports.*manage.reports"):
        api.own_reports("2")
    with pytest.raises(MastodonAuthError, match="write:reports"):
        api.file_report(report())


def test_a_job_time_out_in_a_hanging_request_comes_out_as_itself_and_is_not_retried(mock, redis):
    mock.fault("timeout")
    api = client(mock.url, "bot", redis, timeout_s=25)
    started = time.monotonic()
    with undisturbed(), pytest.raises(JobTimeoutException), UnixSignalDeathPenalty(1, JobTimeoutException):
        api.account("2")
    assert time.monotonic() - started < 25, "it did not wait for the request's own time-out"
    assert len(mock.asked) == 1


def test_a_job_time_out_in_a_hanging_report_comes_out_as_itself(mock, redis):
    mock.fault("timeout")
    with undisturbed(), pytest.raises(JobTimeoutException), UnixSignalDeathPenalty(1, JobTimeoutException):
        client(mock.url, "bot", redis, timeout_s=20).file_report(report())
    assert len(mock.asked) == 1


def test_a_job_time_out_is_not_swallowed_while_a_long_answer_is_read(redis):
    """mastodon.py's casts take seconds for such a page, and swallow what is raised in them."""
    accounts = [{"id": str(10**9 + number), "account": {"note": "x" * 50}} for number in range(20_000)]
    struck = []

    def strike(*_: object) -> None:
        struck.append(1)
        raise JobTimeoutException

    before = signal.signal(signal.SIGALRM, strike)
    try:
        with strict_mastodon() as strict:
            strict.answers["/api/v2/admin/accounts"] = lambda _: accounts
            signal.setitimer(signal.ITIMER_REAL, 1.5)
            with undisturbed(), suppress(JobTimeoutException):
                client(strict.url, "bot", redis).newest_accounts("remote")
                assert not struck
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_no_personal_data_comes_through_a_value_or_an_error(mock, api):
    seen = [repr(api.account("2")), repr(api.newest_accounts("local")), repr(api.me())]
    body = {"error": f"{EMAIL} from {IP} said: {INVITE}", "id": "7"}
    for code in (400, 401, 403, 404, 422, 429, 500, 503):
        mock.clear_faults()
        mock.fault("status", status=code, body=body)
        seen += [_said_by(api), _said_by(api, post=True)]
    for text in (EMAIL, IP, INVITE, "secret.person", "Erika"):
        assert not any(text in one for one in seen), text


def test_no_personal_data_comes_through_an_error_over_a_cut_body(redis):
    with strict_mastodon() as strict:
        strict.answers["/api/v1/admin/accounts/2"] = lambda _: {"email": EMAIL, "ip": IP}
        cut = json.dumps({"email": EMAIL, "ip": IP})[:-1].encode()
        strict.bodies["/api/v1/admin/accounts/2"] = cut
        said = _said_by(client(strict.url, "bot", redis))
    assert "MastodonUnreachable" in said or "NoAnswer" in said or "Unanswered" in said
    assert EMAIL not in said
    assert IP not in said


def _said_by(api: MastodonApi, *, post: bool = False) -> str:
    """Return all an error says, with its traceback and everything it drags along."""
    try:
        api.file_report(report()) if post else api.account("2")
    except Exception as error:  # noqa: BLE001 -- whatever it is, it must not quote anyone
        chain: BaseException | None = error
        said = [traceback.format_exc()]
        while chain is not None:
            said.append(repr(chain) + repr(vars(chain)))
            chain = chain.__cause__ or chain.__context__
        return "\n".join(said)
    return ""


def test_a_page_that_ends_in_the_middle_of_the_accounts_says_that_more_follow(mock, api):
    first = api.newest_accounts("remote")
    rest = api.accounts_below("remote", first.accounts[-1].id)
    last = api.accounts_below("remote", rest.accounts[-1].id)
    assert [page.full for page in (first, rest, last)] == [True, True, False]
    assert [len(page.accounts) for page in (first, rest, last)] == [40, 40, 20]


def test_making_a_client_makes_no_request(mock, redis):
    client(mock.url, "bot", redis)
    assert mock.asked == []


def test_accounts_of_staff_and_people_are_told_apart(mock, api):
    with mock.sessions() as session:
        assert session.get(MockAccount, 1).role == "moderator"
    assert api.account("1").staff
    assert not api.account("2").staff
