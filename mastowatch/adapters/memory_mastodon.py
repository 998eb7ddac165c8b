"""A Mastodon server in memory, for tests and rehearsals: the port's behaviour, and its ways to fail, on demand.

One suite holds this and the adapter over HTTP to the same behaviour: tests/contract/test_mastodon_port.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from mastowatch.errors import MastodonNotFound, MastodonUnreachable
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

TIMELINE_PAGE = 40
_STATES: Mapping[Measure, str] = {"sensitive": "sensitized", "silence": "silenced", "suspend": "suspended"}
Entity = TypeVar("Entity", Account, Status)
Found = TypeVar("Found")


@dataclass
class MemoryMastodon:
    """``accounts`` and ``posts`` by id, ``reports`` in the order of filing, ``followers`` accts by id.

    All of them may be changed at any time. ``posts`` may hold private ones, which never come out. ``other_reports`` by
    id are those of other people. ``measures`` are those taken and lifted, in order. ``requests`` counts what a server
    would be asked.
    """

    bot: Account
    page_size: int = 200
    accounts: dict[str, Account] = field(default_factory=dict)
    posts: dict[str, Status] = field(default_factory=dict)
    reports: list[ReportRequest] = field(default_factory=list)
    followers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    other_reports: dict[str, FiledReport] = field(default_factory=dict)
    measures: list[tuple[str, str]] = field(default_factory=list)
    requests: int = 0
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _filed_at: dict[int, datetime] = field(default_factory=dict)
    _resolved: dict[int, tuple[datetime, str]] = field(default_factory=dict)
    _failures: list[Exception] = field(default_factory=list)
    _lost_answers: int = 0

    def add(self, *accounts: Account) -> None:
        """Let the server know these accounts, or what they look like now."""
        self.accounts.update((account.id, account) for account in accounts)

    def post(self, *statuses: Status) -> None:
        """Let the server have these posts."""
        self.posts.update((status.id, status) for status in statuses)

    def fail_next(self, *errors: Exception) -> None:
        """Answer the next requests with these errors, one each; nothing is filed."""
        self._failures += errors

    def lose_next_answer(self) -> None:
        """Do what the next POST asks for, but let its answer get lost."""
        self._lost_answers += 1

    def for_purpose(self, purpose: Purpose) -> MemoryMastodon:
        """Return itself: nothing here costs budget."""
        del purpose
        return self

    def me(self) -> Account:
        """See the port; costs no request, as it is asked once a process."""
        return self.bot

    def newest_accounts(self, origin: Origin) -> AccountPage:
        """See the port."""
        return self._below(origin, None)

    def accounts_above(self, origin: Origin, min_id: str) -> AccountPage:
        """See the port."""
        self._ask()
        above = [one for one in self._known(origin) if int(one.id) > int(min_id)]
        return AccountPage(tuple(above[-self.page_size :]), full=bool(above))

    def accounts_below(self, origin: Origin, max_id: str | None) -> AccountPage:
        """See the port."""
        return self._below(origin, max_id)

    def account(self, account_id: str) -> Account:
        """See the port."""
        self._ask()
        return _found(self.accounts.get(account_id), f"account {account_id}")

    def account_id(self, acct: str) -> str:
        """See the port."""
        self._ask()
        named = (one.id for one in self.accounts.values() if one.acct.lower() == acct.lower() and not one.suspended)
        return _found(next(named, None), f"account {acct}")

    def followed_locally(self, account_id: str) -> bool:
        """See the port."""
        self._ask()
        _found(self.accounts.get(account_id), f"account {account_id}")
        return any("@" not in acct for acct in self.followers.get(account_id, ()))

    def account_statuses(self, account_id: str) -> tuple[Status, ...]:
        """See the port."""
        self._ask()
        _found(self.accounts.get(account_id), f"account {account_id}")
        return tuple(_newest_first(one for one in self._shown() if one.account_id == account_id))[:40]

    def status(self, status_id: str) -> Status:
        """See the port."""
        self._ask()
        return _found(next((one for one in self._shown() if one.id == status_id), None), f"post {status_id}")

    def statuses(self, status_ids: Sequence[str]) -> tuple[Status, ...]:
        """See the port."""
        self._ask()
        return tuple(one for one in self._shown() if one.id in status_ids)

    def public_timeline(self, *, local: bool, remote: bool, min_id: str | None) -> tuple[Sighted, ...]:
        """See the port."""
        self._ask()
        wanted = {"local": local or not remote, "remote": remote or not local}
        shown = [
            one
            for one in _newest_first(self._shown())
            if one.visibility == "public"
            and not one.reblog
            and one.in_reply_to_account_id in (None, one.account_id)
            and wanted[self.accounts[one.account_id].origin]
        ]
        page = shown[:TIMELINE_PAGE]
        if min_id is not None:
            page = [one for one in shown if int(one.id) > int(min_id)][-TIMELINE_PAGE:]
        return tuple(Sighted(one, self.accounts[one.account_id], one.id) for one in page)

    def file_report(self, request: ReportRequest) -> Receipt:
        """See the port."""
        self._ask()
        if _found(self.accounts.get(request.account_id), f"account {request.account_id}").suspended:
            raise MastodonNotFound(f"account {request.account_id} is suspended")
        theirs = {one.id for one in self._shown() if one.account_id == request.account_id}
        if not theirs.issuperset(request.status_ids):
            raise MastodonNotFound("a post of the report is gone")
        self.reports.append(request)
        self._filed_at[len(self.reports)] = self.clock()
        self._lose_answer("the report")
        return Receipt(str(len(self.reports)), request.status_ids)

    def own_reports(self, account_id: str) -> tuple[FiledReport, ...]:
        """See the port; costs two requests, as it does over HTTP."""
        self._ask()
        self._ask()
        known = (self._filed(number) for number in range(len(self.reports), 0, -1))
        return tuple(one for one in known if one.target_account_id == account_id)

    def open_reports(self, account_id: str) -> tuple[str, ...]:
        """See the port."""
        self._ask()
        mine = (self._filed(number) for number in range(1, len(self.reports) + 1))
        known = (*mine, *self.other_reports.values())
        return tuple(one.id for one in known if one.target_account_id == account_id and not one.resolved)

    def take_measure(self, account_id: str, measure: Measure, report_id: str) -> None:
        """See the port."""
        del report_id  # all are resolved
        self._ask()
        account = _found(self.accounts.get(account_id), f"account {account_id}")
        self.measures.append((account_id, measure))
        self.add(_with(account, measure, on=True))
        for one in self.open_reports(account_id):
            self.resolve(one, by=self.bot.id)
        self._lose_answer("the measure")

    def lift_measure(self, account_id: str, measure: Measure) -> None:
        """See the port."""
        self._ask()
        account = _found(self.accounts.get(account_id), f"account {account_id}")
        self.measures.append((account_id, f"un{measure}"))
        self.add(_with(account, measure, on=False))
        self._lose_answer("the lifting")

    def reopen_report(self, report_id: str) -> None:
        """See the port."""
        self._ask()
        if report_id in self.other_reports:
            report = replace(self.other_reports[report_id], resolved=False, resolved_at=None, resolved_by="")
            self.other_reports[report_id] = report
        else:
            self._resolved.pop(int(report_id), None)

    def report(self, report_id: str) -> FiledReport:
        """See the port."""
        self._ask()
        if report_id in self.other_reports:
            return replace(self.other_reports[report_id], comment="")
        mine = report_id.isdecimal() and 0 < int(report_id) <= len(self.reports)
        return _found(self._filed(int(report_id)) if mine else None, f"report {report_id}")

    def resolve(self, report_id: str, by: str = "moderator") -> None:
        """Let a moderator close a report; what else became of the account, ``add`` tells."""
        if report_id in self.other_reports:
            report = replace(self.other_reports[report_id], resolved=True, resolved_at=self.clock(), resolved_by=by)
            self.other_reports[report_id] = report
        else:
            self._resolved[int(report_id)] = (self.clock(), by)

    def _lose_answer(self, what: str) -> None:
        if self._lost_answers:
            self._lost_answers -= 1
            raise MastodonUnreachable(f"the answer to {what} was lost")

    def _filed(self, number: int) -> FiledReport:
        request = self.reports[number - 1]
        resolved_at, resolved_by = self._resolved.get(number, (None, ""))
        target = self.accounts.get(request.account_id)
        return FiledReport(
            id=str(number),
            by_account_id=self.bot.id,
            target_account_id=request.account_id,
            comment=request.comment,
            created_at=self._filed_at.setdefault(number, self.clock()),
            resolved=resolved_at is not None,
            resolved_at=resolved_at,
            in_force=frozenset(
                measure
                for measure, state in (*_STATES.items(), ("disable", "disabled"))
                if target is not None and getattr(target, state)
            ),
            status_ids=request.status_ids,
            resolved_by=resolved_by,
        )

    def _ask(self) -> None:
        self.requests += 1
        if self._failures:
            raise self._failures.pop(0)

    def _known(self, origin: Origin) -> list[Account]:
        """Return the active accounts, newest id first."""
        return _newest_first(one for one in self.accounts.values() if one.origin == origin and not one.suspended)

    def _below(self, origin: Origin, max_id: str | None) -> AccountPage:
        self._ask()
        below = [one for one in self._known(origin) if max_id is None or int(one.id) < int(max_id)]
        page = tuple(below[: self.page_size])
        return AccountPage(page, full=len(page) == self.page_size)

    def _shown(self) -> Iterable[Status]:
        return (one for one in self.posts.values() if one.visibility in ("public", "unlisted"))


def _with(account: Account, measure: Measure, *, on: bool) -> Account:
    states: dict[str, Any] = {_STATES[measure]: on}
    return replace(account, **states)


def _newest_first(found: Iterable[Entity]) -> list[Entity]:
    return sorted(found, key=lambda one: int(one.id), reverse=True)


def _found(value: Found | None, what: str) -> Found:
    if value is None:
        raise MastodonNotFound(f"{what} is not known")
    return value
