"""A Mastodon server over mastodon.py: budgeted, timed out, retried only where that is safe, with our own errors.

mastodon.py wraps everything that is raised inside its HTTP call, a job's time-out by SIGALRM included, in a
MastodonNetworkError, and its texts can quote whole responses. So the original is looked at here, and none of
its texts go any further.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from copy import copy
from datetime import UTC, datetime
from typing import Any, TypeVar

import mastodon
import requests
from redis.exceptions import RedisError

from mastowatch.adapters import mastodon_parsing as parsing
from mastowatch.adapters.budget import Budget
from mastowatch.errors import (
    MastodonAuthError,
    MastodonError,
    MastodonNotFound,
    MastodonRateLimited,
    MastodonRefused,
    MastodonUnreachable,
)
from mastowatch.ports.mastodon import Purpose
from mastowatch.ports.types import Account, AccountPage, Origin, Receipt, ReportRequest, Status

T = TypeVar("T")

STATUSES_PAGE = 40
REPORTS_PAGE = 200
# Seconds before each further try of a GET; a restart of Mastodon takes longer and is RQ's business.
_RETRY_AFTER = (0.2, 0.8)
_PAGING = ("page=", "max_id=", "min_id=", "since_id=")

# What each endpoint needs, for people who made their token by hand.
_NEEDS: Mapping[str, str] = {
    "admin/accounts": "the scope admin:read:accounts, and a role with the right to manage users",
    "admin/reports": "the scope admin:read:reports, and a role with the right to manage reports",
    "accounts/statuses": "the scope read:statuses",
    "accounts/verify_credentials": "the scope read:accounts",
    "statuses": "the scope read:statuses",
    "reports": "the scope write:reports",
}


class MastodonApi:
    """The port ``mastowatch.ports.mastodon.Mastodon`` over HTTP. Making one makes no request.

    Make it after the fork, one a process: the session's connections must not be shared.
    """

    def __init__(
        self,
        base_url: str,
        access_token: str,
        budget: Budget,
        *,
        user_agent: str,
        timeout_s: float,
        page_size: int = 200,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._budget, self._page_size, self._clock = budget, page_size, clock
        self._purpose: Purpose = "judge"
        session = requests.Session()
        session.hooks["response"].append(self._learn)
        self._client = mastodon.Mastodon(
            access_token=access_token,
            api_base_url=base_url,
            user_agent=user_agent,
            session=session,
            request_timeout=timeout_s,
            ratelimit_method="throw",
            version_check_mode="none",
        )
        self._me: list[Account] = []

    def for_purpose(self, purpose: Purpose) -> MastodonApi:
        """Return the same client, counting its requests as ``purpose``."""
        view = copy(self)
        view._purpose = purpose  # noqa: SLF001 -- a copy of ourselves
        return view

    def me(self) -> Account:
        """See the port; asked once a process."""
        if not self._me:
            found = self._get("accounts/verify_credentials", self._client.account_verify_credentials)
            self._me.append(parsing.public_account(found, self._now()))
        return self._me[0]

    def newest_accounts(self, origin: Origin) -> AccountPage:
        """See the port."""
        return self._accounts(origin)

    def accounts_above(self, origin: Origin, min_id: str) -> AccountPage:
        """See the port. Any account found means that more may lie above."""
        page = self._accounts(origin, min_id=min_id)
        return AccountPage(page.accounts, full=bool(page.accounts))

    def accounts_below(self, origin: Origin, max_id: str | None) -> AccountPage:
        """See the port."""
        return self._accounts(origin, max_id=max_id) if max_id is not None else self._accounts(origin)

    def account(self, account_id: str) -> Account:
        """See the port."""
        found = self._get("admin/accounts", lambda: self._client.admin_account(account_id))
        return parsing.admin_account(found, self._now())

    def account_statuses(self, account_id: str) -> tuple[Status, ...]:
        """See the port."""
        call = lambda: self._client.account_statuses(account_id, limit=STATUSES_PAGE)  # noqa: E731 -- one expression
        found = map(parsing.status, self._get("accounts/statuses", call))
        return tuple(one for one in found if one is not None)

    def status(self, status_id: str) -> Status:
        """See the port."""
        found = parsing.status(self._get("statuses", lambda: self._client.status(status_id)))
        if found is None:
            raise MastodonNotFound(f"post {status_id} is not public")
        return found

    def file_report(self, request: ReportRequest) -> Receipt:
        """See the port. Sent exactly once: what follows after a lost answer is the caller's to find out.

        Not through ``Mastodon.report``: mastodon.py refuses the category "legal", which servers know since 4.2.
        """
        form: dict[str, Any] = {
            "account_id": request.account_id,
            "comment": request.comment,
            "forward": "true" if request.forward else "false",
            "category": "violation" if request.rule_ids else request.category,
            "status_ids[]": list(request.status_ids),
            "rule_ids[]": list(request.rule_ids),
        }
        found = self._once("reports", lambda: self._post("/api/v1/reports", form), paged=False)
        return Receipt(str(found["id"]), request.status_ids)

    def find_report(self, account_id: str, marker: str) -> Receipt | None:
        """See the port. Two requests: open reports and resolved ones can't be asked for in one."""
        me = self.me().id
        for resolved in (False, True):
            found = self._get("admin/reports", self._reports(me, account_id, resolved=resolved))
            for report in found:
                if f"[mw:{marker}]" in str(report.get("comment") or ""):
                    return Receipt(str(report["id"]))
        return None

    # --- how a request is made ---------------------------------------------------------------------------

    def _accounts(self, origin: Origin, **cursor: str) -> AccountPage:
        def call() -> Any:  # noqa: ANN401 -- mastodon.py's lists
            return self._client.admin_accounts_v2(origin=origin, status="active", limit=self._page_size, **cursor)

        found = self._get("admin/accounts", call, paged=bool(cursor))
        accounts = [parsing.admin_account(one, self._now()) for one in found]
        accounts.sort(key=lambda one: int(one.id), reverse=True)
        return AccountPage(tuple(accounts), full=getattr(found, "_pagination_next", None) is not None)

    def _reports(self, me: str, target: str, *, resolved: bool) -> Callable[[], Any]:
        return lambda: self._client.admin_reports(
            resolved=resolved, account_id=me, target_account_id=target, limit=REPORTS_PAGE
        )

    def _get(self, endpoint: str, call: Callable[[], Any], *, paged: bool = False) -> Any:  # noqa: ANN401
        """Make a request that is safe to repeat, and repeat it if there was no usable answer."""
        for pause in _RETRY_AFTER:
            try:
                return self._once(endpoint, call, paged=paged)
            except MastodonUnreachable:
                time.sleep(pause)
        return self._once(endpoint, call, paged=paged)

    def _once(self, endpoint: str, call: Callable[[], T], *, paged: bool) -> T:
        self._budget.take(self._purpose, paged=paged)
        try:
            return call()
        except mastodon.MastodonNetworkError as error:
            original = error.__cause__ or error.__context__
            if original is not None and not isinstance(original, (requests.RequestException, OSError)):
                raise original from None  # a job's time-out, or a bug of ours: not the network's
            raise MastodonUnreachable(f"{endpoint}: no answer ({type(original).__name__})") from None
        except mastodon.MastodonRatelimitError:
            retry_at = self._budget.blocked_until() or self._clock() + 300
            raise MastodonRateLimited(f"{endpoint}: Mastodon answered 429", retry_at) from None
        except mastodon.MastodonError as error:
            raise _ours(endpoint, error) from None
        except requests.RequestException as error:
            raise MastodonUnreachable(f"{endpoint}: no answer ({type(error).__name__})") from None

    def _post(self, path: str, form: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- JSON
        """Post a form with the client's session; answers become the errors that mastodon.py would raise."""
        client = self._client
        headers = {"Authorization": f"Bearer {client.access_token}", "User-Agent": str(client.user_agent)}
        response = client.session.post(
            f"{client.api_base_url}{path}",
            data=form,
            headers=headers,
            timeout=client.request_timeout,
            auth=lambda prepared: prepared,  # or requests would look for a password in ~/.netrc
        )
        if response.status_code == 429:
            raise mastodon.MastodonRatelimitError("429")
        if not response.ok:
            raise mastodon.MastodonAPIError("refused", response.status_code)
        return response.json()

    def _learn(self, response: requests.Response, *args: object, **kwargs: object) -> None:
        """Feed the headers to the budget; what can't be written now is counted as full at the next request."""
        del args, kwargs
        paged = any(f"{mark}" in (response.request.url or "").partition("?")[2] for mark in _PAGING)
        try:
            self._budget.learn(response.headers, paged=paged, status=response.status_code)
        except RedisError:
            return

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _ours(endpoint: str, error: mastodon.MastodonError) -> MastodonError:
    """Return our error for one of mastodon.py's; its text is left behind, as it may quote people."""
    code = error.args[1] if len(error.args) > 1 and isinstance(error.args[1], int) else None
    if code == 401:
        return MastodonAuthError(f"{endpoint}: the access token was refused (401); make a new one in Mastodon")
    if code == 403:
        return MastodonAuthError(f"{endpoint}: not allowed (403); the access token needs {_NEEDS[endpoint]}")
    if code in (404, 410):
        return MastodonNotFound(f"{endpoint}: gone, suspended or not visible to the bot ({code})")
    if code is None or code >= 500:
        return MastodonUnreachable(f"{endpoint}: no usable answer ({code or 'no JSON'})")
    return MastodonRefused(f"{endpoint}: Mastodon refused the request ({code})")
