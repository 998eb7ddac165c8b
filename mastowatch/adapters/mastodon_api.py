"""A Mastodon server over mastodon.py: budgeted, timed out, retried only where that is safe, with our own errors.

mastodon.py wraps whatever is raised inside its HTTP call, a job's time-out by SIGALRM included, and its texts can
quote whole responses, with people's addresses in them. So the original is looked at here, and neither its text nor
the chain of causes goes any further: our errors name the endpoint, the code, and what to do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import copy
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import mastodon
import requests

from mastowatch.adapters import mastodon_parsing as parsing
from mastowatch.adapters.budget import Budget
from mastowatch.errors import (
    MastodonAuthError,
    MastodonError,
    MastodonNotFound,
    MastodonRateLimited,
    MastodonRefused,
    MastodonUnreachable,
    StoreUnavailable,
)
from mastowatch.ports.mastodon import Purpose
from mastowatch.ports.types import Account, AccountPage, Origin, Receipt, ReportRequest, Status

STATUSES_PAGE = 40
REPORTS_PAGE = 200
# Seconds before each further try of a GET; a restart of Mastodon takes longer, and is RQ's business.
_RETRY_AFTER = (0.3, 1.0)
# Where neither header nor Redis tell when a 429 ends: one window of the general limit.
_BLOCK_S = 300
# A request that carries one of these counts for the limit on paging.
_PAGING = frozenset({"page", "max_id", "min_id", "since_id"})
_RATE_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")

# What each endpoint needs, for people who made the token by hand.
_NEEDS: Mapping[str, str] = {
    "accounts/verify_credentials": "the scope read:accounts",
    "accounts/statuses": "the scope read:statuses",
    "admin/accounts": "the scope admin:read:accounts, and its account a role with the right manage_users",
    "admin/reports": "the scope admin:read:reports, and its account a role with the right manage_reports",
    "reports": "the scope write:reports",
    "statuses": "the scope read:statuses",
}


class MastodonApi:
    """The port ``mastowatch.ports.mastodon.Mastodon`` over HTTP. Making one makes no request.

    ``timeout_s`` bounds connecting and each wait for data. Make it after the fork, one a process: connections must
    not be shared. ``clock`` gives epoch seconds.
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
        session.hooks["response"].append(self._answered)
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
        other = copy(self)
        other._purpose = purpose  # noqa: SLF001 -- a copy of ourselves
        return other

    def me(self) -> Account:
        """See the port; asked once a process."""
        if not self._me:
            endpoint = "accounts/verify_credentials"
            found = _shaped(endpoint, self._get(endpoint, self._client.account_verify_credentials), Mapping)
            self._me.append(parsing.public_account(found, self._now()))
        return self._me[0]

    def newest_accounts(self, origin: Origin) -> AccountPage:
        """See the port."""
        return self._accounts(origin)

    def accounts_above(self, origin: Origin, min_id: str) -> AccountPage:
        """See the port. Any account found means that more may lie above it."""
        page = self._accounts(origin, min_id=min_id)
        return AccountPage(page.accounts, full=bool(page.accounts))

    def accounts_below(self, origin: Origin, max_id: str | None) -> AccountPage:
        """See the port."""
        return self._accounts(origin) if max_id is None else self._accounts(origin, max_id=max_id)

    def account(self, account_id: str) -> Account:
        """See the port."""
        endpoint = "admin/accounts"
        found = self._get(endpoint, lambda: self._client.admin_account(account_id))
        return parsing.admin_account(_shaped(endpoint, found, Mapping), self._now())

    def account_statuses(self, account_id: str) -> tuple[Status, ...]:
        """See the port."""
        endpoint = "accounts/statuses"
        found = self._get(endpoint, lambda: self._client.account_statuses(account_id, limit=STATUSES_PAGE))
        return parsing.statuses(_shaped(endpoint, found, list))

    def status(self, status_id: str) -> Status:
        """See the port."""
        found = _shaped("statuses", self._get("statuses", lambda: self._client.status(status_id)), Mapping)
        status = parsing.status(found)
        if status is None:
            raise MastodonNotFound(f"statuses: post {status_id} is not public")
        return status

    def file_report(self, request: ReportRequest) -> Receipt:
        """See the port. Sent once: what becomes of a lost answer is the caller's to find out."""
        found = _shaped("reports", self._once("reports", lambda: self._post_report(request), paged=False), Mapping)
        if not found.get("id"):
            raise MastodonUnreachable("reports: the answer names no report")
        return Receipt(str(found["id"]), request.status_ids)

    def find_report(self, account_id: str, marker: str) -> Receipt | None:
        """See the port. Two requests: open reports and resolved ones can't be asked for in one."""
        me = self.me().id
        for resolved in (False, True):
            for report in self._reports(me, account_id, resolved=resolved):
                if isinstance(report, Mapping) and marker in str(report.get("comment") or ""):
                    return Receipt(str(report["id"]))
        return None

    # --- what is asked ---

    def _accounts(self, origin: Origin, **cursor: str) -> AccountPage:
        def call() -> object:
            return self._client.admin_accounts_v2(origin=origin, status="active", limit=self._page_size, **cursor)

        found = _shaped("admin/accounts", self._get("admin/accounts", call, paged=bool(cursor)), list)
        # Some servers have smaller pages than one asks for, and some proxies drop the Link header.
        full = len(found) >= self._page_size or getattr(found, "_pagination_next", None) is not None
        return AccountPage(parsing.admin_accounts(found, self._now()), full=full)

    def _reports(self, me: str, target: str, *, resolved: bool) -> Any:  # noqa: ANN401 -- JSON
        def call() -> object:
            return self._client.admin_reports(
                resolved=resolved, account_id=me, target_account_id=target, limit=REPORTS_PAGE
            )

        return _shaped("admin/reports", self._get("admin/reports", call), list)

    def _post_report(self, request: ReportRequest) -> object:
        """Post the form past ``Mastodon.report``, which refuses the category "legal" that servers have known since 4.2.

        What goes wrong is raised as mastodon.py would.
        """
        client = self._client
        response = client.session.post(
            f"{client.api_base_url}/api/v1/reports",
            data=_form(request),
            headers={"Authorization": f"Bearer {client.access_token}", "User-Agent": client.user_agent},
            timeout=client.request_timeout,
            auth=lambda prepared: prepared,  # else requests looks for a password in ~/.netrc
        )
        if response.status_code == 429:
            raise mastodon.MastodonRatelimitError
        if not response.ok:
            raise mastodon.MastodonAPIError("", response.status_code)
        return response.json()

    # --- how it is asked ---

    def _get(self, endpoint: str, call: Callable[[], object], *, paged: bool = False) -> object:
        """Make a request that is safe to repeat, and repeat it if there was no answer."""
        for pause in _RETRY_AFTER:
            try:
                return self._once(endpoint, call, paged=paged)
            except MastodonUnreachable:
                time.sleep(pause)
        return self._once(endpoint, call, paged=paged)

    def _once(self, endpoint: str, call: Callable[[], object], *, paged: bool) -> object:
        self._budget.take(self._purpose, paged=paged)
        try:
            return call()
        except mastodon.MastodonRatelimitError:
            raise MastodonRateLimited(f"{endpoint}: Mastodon answered 429", self._blocked_until()) from None
        except mastodon.MastodonError as error:
            _raise_if_foreign(error)
            raise _ours(endpoint, error) from None
        except requests.RequestException as error:
            raise MastodonUnreachable(f"{endpoint}: no answer ({type(error).__name__})") from None

    def _answered(self, response: requests.Response, *args: object, **kwargs: object) -> None:
        """Feed the budget; called by the session with each response, before mastodon.py sees it."""
        del args, kwargs
        paged = bool(_PAGING & parse_qs(urlsplit(response.request.url or "").query).keys())
        with suppress(StoreUnavailable):  # what can't be written now is counted as full at the next request
            self._budget.learn(response.headers, paged=paged, status=response.status_code)
        for name in _RATE_HEADERS:
            response.headers.pop(name, None)  # mastodon.py takes one it can't read for a 429
        if response.is_redirect:
            # Following it would cost a second request, and make a GET of a POST.
            raise MastodonRefused("Mastodon redirects to another address; set INSTANCE_BASE to the one it redirects to")

    def _blocked_until(self) -> float:
        with suppress(StoreUnavailable):
            if blocked_until := self._budget.blocked_until():
                return blocked_until
        return self._clock() + _BLOCK_S

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _form(request: ReportRequest) -> dict[str, str | list[str]]:
    return {
        "account_id": request.account_id,
        "comment": request.comment,
        "forward": "true" if request.forward else "false",
        # Mastodon turns a report with rules into a violation anyway.
        "category": "violation" if request.rule_ids else request.category,
        "status_ids[]": list(request.status_ids),
        "rule_ids[]": list(request.rule_ids),
    }


def _raise_if_foreign(error: mastodon.MastodonError) -> None:
    """Raise what mastodon.py caught though it has nothing to do with the network: a job's time-out, or our own."""
    original = error.__context__
    if original is not None and not isinstance(original, (requests.RequestException, OSError, ValueError)):
        raise original from None


def _ours(endpoint: str, error: mastodon.MastodonError) -> MastodonError:
    code = error.args[1] if len(error.args) > 1 and isinstance(error.args[1], int) else None
    if code is None:
        return MastodonUnreachable(f"{endpoint}: no usable answer ({type(error.__context__).__name__})")
    if code >= 500:
        return MastodonUnreachable(f"{endpoint}: Mastodon failed ({code})")
    if code == 401:
        return MastodonAuthError(f"{endpoint}: the access token was refused (401): revoked or mistyped; make a new one")
    if code == 403:
        return MastodonAuthError(f"{endpoint}: not allowed (403): the access token needs {_NEEDS[endpoint]}")
    if code in (404, 410):
        return MastodonNotFound(f"{endpoint}: gone, suspended or not visible to the bot ({code})")
    return MastodonRefused(f"{endpoint}: Mastodon refused the request ({code})")


def _shaped(endpoint: str, found: object, shape: type) -> Any:  # noqa: ANN401 -- JSON
    """Return ``found`` if it is a list or an object, as promised; a proxy's error page with code 200 is neither."""
    if not isinstance(found, shape):
        raise MastodonUnreachable(f"{endpoint}: an answer of another shape than Mastodon's")
    return found
