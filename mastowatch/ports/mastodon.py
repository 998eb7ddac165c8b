"""The port to a Mastodon server: what MastoWatch asks of it, and nothing else.

Every method may raise MastodonUnreachable, MastodonRateLimited, BudgetExhausted, MastodonAuthError,
MastodonNotFound and MastodonRefused from ``mastowatch.errors``. Source: docs.joinmastodon.org/methods/.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

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

# What a request is for decides how much of the shared budget it may use up: a sweep leaves room for looks at the
# timeline, those for polls, polls for judging, judging for what webhooks brought, and that for filing a report.
Purpose = Literal["sweep", "timeline", "poll", "judge", "webhook", "report"]


class Mastodon(Protocol):
    """A Mastodon server as a moderation bot sees it."""

    def me(self) -> Account:
        """Return the bot's own account (never judged, never reported)."""
        ...

    def newest_accounts(self, origin: Origin) -> AccountPage:
        """Return the newest page of known accounts; not in the paging family of the rate limits."""
        ...

    def accounts_above(self, origin: Origin, min_id: str) -> AccountPage:
        """Return the page right above ``min_id``, without a gap; walk up with its highest id."""
        ...

    def accounts_below(self, origin: Origin, max_id: str | None) -> AccountPage:
        """Return the page right below ``max_id`` (None: from the top); walk down with its lowest id."""
        ...

    def account(self, account_id: str) -> Account:
        """Return one account with its role and moderation state."""
        ...

    def account_id(self, acct: str) -> str:
        """Return the id of the account called ``acct``, ``name`` or ``name@domain``; one this server knows already."""
        ...

    def followed_locally(self, account_id: str) -> bool:
        """Return whether an account of this server is among the 80 newest followers that the server tells of."""
        ...

    def account_statuses(self, account_id: str) -> tuple[Status, ...]:
        """Return up to 40 of its newest public and unlisted posts, newest first."""
        ...

    def status(self, status_id: str) -> Status:
        """Return one public or unlisted post; MastodonNotFound for any other."""
        ...

    def statuses(self, status_ids: Sequence[str]) -> tuple[Status, ...]:
        """Return those of up to 20 posts that are public or unlisted and still there, in any order."""
        ...

    def public_timeline(self, *, local: bool, remote: bool, min_id: str | None) -> tuple[Sighted, ...]:
        """Return up to 40 public posts with their authors, newest id first.

        ``min_id`` None: the newest ones. Else those right above it, without a gap; walk up with the highest id.
        ``local`` or ``remote`` alone leaves out the others. Replies, boosts and unlisted posts never stand there.
        """
        ...

    def file_report(self, request: ReportRequest) -> Receipt:
        """File a report. Never repeated by the adapter: a lost answer raises MastodonUnreachable."""
        ...

    def own_reports(self, account_id: str) -> tuple[FiledReport, ...]:
        """Return the bot's own reports on ``account_id``, open and resolved, newest first."""
        ...

    def open_reports(self, account_id: str) -> tuple[str, ...]:
        """Return the ids of the open reports on ``account_id``, whoever filed them; at most 200."""
        ...

    def take_measure(self, account_id: str, measure: Measure, report_id: str) -> None:
        """Make the account sensitive, silence or suspend it. Mastodon resolves all open reports on it. Sent once."""
        ...

    def lift_measure(self, account_id: str, measure: Measure) -> None:
        """Undo that. Sent once."""
        ...

    def reopen_report(self, report_id: str) -> None:
        """Open a report that was resolved; one that is open stays so."""
        ...

    def report(self, report_id: str) -> FiledReport:
        """Return one report, whoever filed it."""
        ...
