"""A Mastodon server over mastodon.py: budgeted, timed out, retried only where that is safe, with our own errors.

Of mastodon.py only the lowest layer is used, see ``_ask``. Its public methods cast every answer to its own types,
which takes 0.3 s for a page of 200 accounts, and swallow what is raised meanwhile, a job's time-out by SIGALRM
included. The lowest layer still wraps whatever is raised inside its HTTP call, and its texts can quote whole
responses, with people's addresses in them. So the original is looked at here, and neither its text nor the chain of
causes goes any further: our errors name the endpoint, the code, and what to do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import mastodon
import requests

from mastowatch.adapters import mastodon_parsing as parsing
from mastowatch.adapters.budget import Budget
from mastowatch.errors import (
    MastodonAuthError,
    MastodonNotFound,
    MastodonRateLimited,
    MastodonRefused,
    MastodonUnreachable,
    StoreUnavailable,
)
from mastowatch.ports.mastodon import Purpose
from mastowatch.ports.types import (
    Account,
    AccountPage,
    FiledReport,
    Measure,
    Origin,
    Receipt,
    ReportRequest,
    Sighted,
    Status,
)

STATUSES_PAGE = 40
STATUSES_AT_ONCE = 20
REPORTS_PAGE = 200
FOLLOWERS_PAGE = 80
# Seconds before each further try of a GET; a restart of Mastodon takes longer, and is RQ's business.
_RETRY_AFTER = (0.3, 1.0)
# Where neither header nor Redis tell when a 429 ends: one window of the general limit.
_BLOCK_S = 300
# A request that carries one of these counts for the limit on paging.
_PAGING = frozenset({"page", "max_id", "min_id", "since_id"})

# What each endpoint needs, for people who made the token by hand.
_NEEDS: Mapping[str, str] = {
    "accounts/verify_credentials": "the scope read:accounts",
    "accounts/lookup": "the scope read:accounts",
    "accounts/statuses": "the scope read:statuses",
    "accounts/followers": "the scope read:accounts",
    "admin/accounts": "the scope admin:read:accounts, and its account a role with the right manage_users",
    "admin/reports": "the scope admin:read:reports, and its account a role with the right manage_reports",
    "admin/accounts/action": "the scope admin:write:accounts, and its account a role with the right manage_users",
    "admin/reports/reopen": "the scope admin:write:reports, and its account a role with the right manage_reports",
    "reports": "the scope write:reports",
    "statuses": "the scope read:statuses",
    "timelines/public": "the scope read:statuses, and a server whose timelines are not switched off",
}


class Answer(NamedTuple):
    """The JSON of an answer, and whether the server links to a next page."""

    json: object
    more: bool


class Unanswered(MastodonUnreachable):
    """Likely to pass in a moment: no answer, a cut one, or a 502, 503 or 504 of the server in front."""


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
            found = _shaped(endpoint, self._get(endpoint, "/api/v1/accounts/verify_credentials"), Mapping)
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
        found = self._get(endpoint, f"/api/v1/admin/accounts/{_id(account_id)}")
        return parsing.admin_account(_shaped(endpoint, found, Mapping), self._now())

    def account_id(self, acct: str) -> str:
        """See the port."""
        endpoint = "accounts/lookup"
        found = _shaped(endpoint, self._get(endpoint, "/api/v1/accounts/lookup", acct=acct), Mapping)
        return str(found.get("id") or "")

    def followed_locally(self, account_id: str) -> bool:
        """See the port. Without a cursor, so not in the paging family; no name is kept."""
        endpoint = "accounts/followers"
        found = self._get(endpoint, f"/api/v1/accounts/{_id(account_id)}/followers", limit=FOLLOWERS_PAGE)
        return parsing.any_local(_shaped(endpoint, found, list))

    def account_statuses(self, account_id: str) -> tuple[Status, ...]:
        """See the port."""
        endpoint = "accounts/statuses"
        found = self._get(endpoint, f"/api/v1/accounts/{_id(account_id)}/statuses", limit=STATUSES_PAGE)
        return parsing.statuses(_shaped(endpoint, found, list))

    def status(self, status_id: str) -> Status:
        """See the port."""
        found = _shaped("statuses", self._get("statuses", f"/api/v1/statuses/{_id(status_id)}"), Mapping)
        status = parsing.status(found)
        if status is None:
            raise MastodonNotFound(f"statuses: post {status_id} is not public")
        return status

    def statuses(self, status_ids: Sequence[str]) -> tuple[Status, ...]:
        """See the port."""
        if len(status_ids) > STATUSES_AT_ONCE:
            raise ValueError(f"at most {STATUSES_AT_ONCE} posts at once")
        asked = [_id(one) for one in status_ids]
        return parsing.statuses(_shaped("statuses", self._get("statuses", "/api/v1/statuses", **{"id[]": asked}), list))

    def public_timeline(self, *, local: bool, remote: bool, min_id: str | None) -> tuple[Sighted, ...]:
        """See the port."""
        asked: dict[str, str | int] = {"limit": STATUSES_PAGE}
        if local != remote:
            asked["local" if local else "remote"] = "true"
        if min_id is not None:
            asked["min_id"] = _id(min_id)
        endpoint = "timelines/public"
        shown = _shaped(endpoint, self._get(endpoint, "/api/v1/timelines/public", **asked), list)
        found = parsing.sighted(shown, self._now())
        return tuple(sorted(found, key=lambda one: int(one.status.id), reverse=True))

    def file_report(self, request: ReportRequest) -> Receipt:
        """See the port. Sent once: what becomes of a lost answer is the caller's to find out."""
        found = _shaped("reports", self._ask("POST", "reports", "/api/v1/reports", _form(request)), Mapping)
        if not found.get("id"):
            raise MastodonUnreachable("reports: the answer names no report")
        return Receipt(str(found["id"]), request.status_ids)

    def own_reports(self, account_id: str) -> tuple[FiledReport, ...]:
        """See the port. Two requests: open reports and resolved ones can't be asked for in one.

        The open ones first: one that is resolved meanwhile is in both answers, and never in neither.
        """
        me = self.me().id
        found: dict[str, FiledReport] = {}
        for resolved in (False, True):
            # A server that does not know the filters answers with other people's reports.
            for one in parsing.reports(self._reports(me, account_id, resolved=resolved), me):
                if (one.by_account_id, one.target_account_id) == (me, account_id):
                    found[one.id] = one
        return tuple(sorted(found.values(), key=lambda one: (one.created_at, one.id.zfill(20)), reverse=True))

    def report(self, report_id: str) -> FiledReport:
        """See the port."""
        endpoint = "admin/reports"
        found = self._get(endpoint, f"/api/v1/admin/reports/{_id(report_id)}")
        report = parsing.report(_shaped(endpoint, found, Mapping), self.me().id)
        if report is None:
            raise MastodonUnreachable(f"{endpoint}: an answer without what makes a report")
        return report

    def open_reports(self, account_id: str) -> tuple[str, ...]:
        """See the port. Only ids are read."""
        asked: dict[str, str | int | list[str]] = {"target_account_id": _id(account_id), "limit": REPORTS_PAGE}
        found = _shaped("admin/reports", self._get("admin/reports", "/api/v1/admin/reports", **asked), list)
        return tuple(one.id for one in parsing.reports(found, "") if one.target_account_id == account_id)

    def take_measure(self, account_id: str, measure: Measure, report_id: str) -> None:
        """See the port. No e-mail goes to the account: it is told by a person who has looked."""
        # Without the last one Mastodon sends one.
        form = {"type": measure, "report_id": report_id, "send_email_notification": "false"}
        self._ask("POST", "admin/accounts/action", f"/api/v1/admin/accounts/{_id(account_id)}/action", form)

    def lift_measure(self, account_id: str, measure: Measure) -> None:
        """See the port."""
        self._ask("POST", "admin/accounts/action", f"/api/v1/admin/accounts/{_id(account_id)}/un{measure}", {})

    def reopen_report(self, report_id: str) -> None:
        """See the port."""
        self._ask("POST", "admin/reports/reopen", f"/api/v1/admin/reports/{_id(report_id)}/reopen", {})

    # --- what is asked ---

    def _accounts(self, origin: Origin, **cursor: str) -> AccountPage:
        asked: dict[str, str | int] = {"origin": origin, "status": "active", "limit": self._page_size, **cursor}
        answer = self._get("admin/accounts", "/api/v2/admin/accounts", **asked)
        found = _shaped("admin/accounts", answer, list)
        # Some servers have smaller pages than one asks for, and some proxies drop the Link header.
        full = len(found) >= self._page_size or answer.more
        return AccountPage(parsing.admin_accounts(found, self._now()), full=full)

    def _reports(self, me: str, target: str, *, resolved: bool) -> Any:  # noqa: ANN401 -- JSON
        asked: dict[str, str | int] = {"account_id": me, "target_account_id": target, "limit": REPORTS_PAGE}
        if resolved:
            asked["resolved"] = "1"
        return _shaped("admin/reports", self._get("admin/reports", "/api/v1/admin/reports", **asked), list)

    # --- how it is asked ---

    def _get(self, endpoint: str, path: str, **params: str | int | list[str]) -> Answer:
        """Make a request that is safe to repeat, and repeat it if there was no answer."""
        for pause in _RETRY_AFTER:
            try:
                return self._ask("GET", endpoint, path, params)
            except Unanswered:
                time.sleep(pause)
        return self._ask("GET", endpoint, path, params)

    def _ask(self, method: str, endpoint: str, path: str, params: Mapping[str, object]) -> Answer:
        """Make one request, if the budget allows it, and return its answer; whatever goes wrong is ours.

        Mastodon.py's private method below its public ones, told to keep to the request: no casts, no reading of
        rate-limit headers (one it can't read is an error there), no errors for codes but 429.
        """
        self._budget.take(self._purpose, paged=bool(_PAGING & params.keys()))
        request = self._client._Mastodon__api_request  # type: ignore[attr-defined]  # noqa: SLF001 -- see above
        options = {"do_ratelimiting": False, "skip_error_check": True, "return_response_object": True}
        try:
            return _read(endpoint, request(method, path, dict(params), **options))
        except mastodon.MastodonRatelimitError:
            problem: BaseException = MastodonRateLimited(f"{endpoint}: Mastodon answered 429", self._blocked_until())
        except mastodon.MastodonNetworkError as error:
            problem = _behind(endpoint, error.__context__ or error)
            if isinstance(problem, Unanswered):
                self._budget.unanswered()
        except ValueError as error:
            problem = Unanswered(f"{endpoint}: the answer is no JSON ({type(error).__name__})")
        # Raised out here, ours has no context: the foreign error holds whole responses.
        raise problem

    def _answered(self, response: requests.Response, *args: object, **kwargs: object) -> None:
        """Feed the budget; called by the session with each response, before mastodon.py sees it."""
        del args, kwargs
        paged = bool(_PAGING & parse_qs(urlsplit(response.request.url or "").query).keys())
        with suppress(StoreUnavailable):  # what can't be written now is counted as full at the next request
            took_s = response.elapsed.total_seconds()
            self._budget.learn(response.headers, paged=paged, status=response.status_code, took_s=took_s)
        if response.is_redirect:
            # Following it would cost a second request, and make a GET of a POST.
            # Not a refusal: a proxy may do so for a while, and a refused report is never filed again.
            raise MastodonUnreachable("Mastodon redirects to another address; is INSTANCE_BASE the server's own?")

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


def _behind(endpoint: str, original: BaseException) -> BaseException:
    """Return what mastodon.py wrapped: the network's failure as ours, and all else, like a job's time-out, as it is."""
    if isinstance(original, (requests.RequestException, OSError, mastodon.MastodonError)):
        return Unanswered(f"{endpoint}: no answer ({type(original).__name__})")
    return original


def _read(endpoint: str, response: requests.Response) -> Answer:
    """Return an answer with 2xx; raises ValueError if it is no JSON, and our error for any other code."""
    code = response.status_code
    if response.ok:
        return Answer(response.json(), "next" in response.links)
    if code == 401:
        raise MastodonAuthError(f"{endpoint}: the access token was refused (401): revoked or mistyped; make a new one")
    if code == 403:
        needs = f"the access token needs {_NEEDS[endpoint]}"
        raise MastodonAuthError(f"{endpoint}: not allowed (403): {needs}; and the bot's account must not be disabled")
    if code in (404, 410):
        raise MastodonNotFound(f"{endpoint}: gone, suspended or not visible to the bot ({code})")
    if code in (502, 503, 504):
        raise Unanswered(f"{endpoint}: Mastodon is not ready ({code})")
    if code >= 500:
        raise MastodonUnreachable(f"{endpoint}: Mastodon failed ({code})")
    raise MastodonRefused(f"{endpoint}: Mastodon refused the request ({code})")


def _id(text: str) -> str:
    """Return an id that goes into a path; ids come in from outside, and only ids may lead anywhere."""
    if text.isascii() and text.isalnum():
        return text
    raise MastodonNotFound("an id is made of letters and digits")


def _shaped(endpoint: str, answer: Answer, shape: type) -> Any:  # noqa: ANN401 -- JSON
    """Return a list or an object, as promised; a proxy's error page with code 200 is neither."""
    if not isinstance(answer.json, shape):
        raise MastodonUnreachable(f"{endpoint}: an answer of another shape than Mastodon's")
    return answer.json
