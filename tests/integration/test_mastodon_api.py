"""The adapter over HTTP against mastodon-mock, with its faults, and the budget in a real Redis."""

from __future__ import annotations

import time

import pytest

from mastowatch.adapters.budget import Budget
from mastowatch.adapters.mastodon_api import MastodonApi
from mastowatch.errors import (
    BudgetExhausted,
    MastodonAuthError,
    MastodonNotFound,
    MastodonRateLimited,
    MastodonUnreachable,
)
from mastowatch.ports.types import ReportRequest
from tests.mock_server import mock_server

pytestmark = [pytest.mark.redis, pytest.mark.mastodon]
ACCOUNTS = "/api/v2/admin/accounts.*"


@pytest.fixture(scope="module")
def server():
    with mock_server() as found:
        yield found


@pytest.fixture
def make(server, redis):
    server.heal()

    def make(token: str = "bot-token", **options) -> MastodonApi:
        budget = Budget(redis, clock=time.time, **options)
        return MastodonApi(server.url, token, budget, user_agent="MastoWatch test", timeout_s=2, clock=time.time)

    return make


def spammer(api: MastodonApi):
    return api.newest_accounts("remote").accounts[0]


def test_accounts_come_with_domain_and_role_and_without_their_email(make):
    api = make()
    remote = spammer(api)
    assert (remote.acct, remote.domain) == ("spammer@spam.example", "spam.example")
    local = {one.username: one for one in api.newest_accounts("local").accounts}
    assert local["watch"].staff
    assert not local["alice"].staff
    assert "secret.example" not in repr(local)


def test_private_posts_never_come_in(make):
    api = make()
    texts = [one.content_html for one in api.account_statuses(spammer(api).id)]
    assert len(texts) == 1
    assert "airdrop" in texts[0]


def test_a_filed_report_is_found_again_by_its_marker(make):
    api = make().for_purpose("report")
    target = spammer(api).id
    receipt = api.file_report(ReportRequest(target, "spam [mw:abc12345]", "abc12345"))
    assert api.find_report(target, "abc12345") == receipt
    assert api.find_report(target, "other000") is None


def test_a_429_blocks_all_further_requests_until_its_reset(make, server, redis):
    api = make()
    server.fault({"type": "ratelimit"}, ACCOUNTS, 1)
    with pytest.raises(MastodonRateLimited) as caught:
        api.newest_accounts("remote")
    assert caught.value.retry_at > time.time()
    before = redis.hgetall("mastowatch:tally")
    with pytest.raises(BudgetExhausted):
        api.newest_accounts("remote")
    assert redis.hgetall("mastowatch:tally") == before, "no request went out"


@pytest.mark.parametrize("effect", [{"type": "status", "status": 503}, {"type": "malformed"}])
def test_an_unusable_answer_to_a_get_is_tried_again(make, server, effect):
    server.fault(effect, ACCOUNTS, 2)
    assert spammer(make()).username == "spammer"
    server.fault(effect, ACCOUNTS, 3)
    with pytest.raises(MastodonUnreachable):
        make().newest_accounts("remote")


def test_a_hang_ends_at_the_time_out(make, server):
    server.fault({"type": "timeout", "delay_ms": 30000}, ACCOUNTS, 3)
    began = time.monotonic()
    with pytest.raises(MastodonUnreachable, match="ReadTimeout"):
        make().newest_accounts("remote")
    assert time.monotonic() - began < 15


def test_a_report_is_never_repeated_by_itself(make, server):
    api = make().for_purpose("report")
    target = spammer(api).id
    server.fault({"type": "status", "status": 500}, "/api/v1/reports", 1)
    with pytest.raises(MastodonUnreachable):
        api.file_report(ReportRequest(target, "x [mw:once0000]", "once0000"))
    assert api.find_report(target, "once0000") is None


def test_a_revoked_token_and_a_missing_scope_say_what_to_do(make, server):
    with pytest.raises(MastodonAuthError, match="make a new one"):
        make("revoked").newest_accounts("remote")
    server.fault({"type": "status", "status": 403}, ACCOUNTS, 1)
    with pytest.raises(MastodonAuthError, match="admin:read:accounts"):
        make().newest_accounts("remote")


def test_an_unknown_account_is_not_found(make):
    with pytest.raises(MastodonNotFound):
        make().account("77")


def test_the_budget_is_never_passed(make):
    api = make(per_5_min=20)
    target = spammer(api).id
    for _ in range(18):
        api.account(target)
    with pytest.raises(BudgetExhausted):
        api.account(target)
