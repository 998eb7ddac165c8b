"""Lists the cases with filters, newest first, and shows one with all that is known of it. Nothing is written.

A filter is a search: so many cases are looked through a request, and a cursor tells where the next one goes on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from mastowatch.jobs import audit_view, places
from mastowatch.jobs.audit_view import AuditRow
from mastowatch.jobs.context import View
from mastowatch.jobs.refusals import BadParameter, Unknown
from mastowatch.ports.types import AccountAction, Case, CaseOutcome, Fate

LIMIT_MAX = 200
# Cases looked through in one request, and in one round trip.
SCAN_MAX, _BATCH = 1000, 200
ACCOUNT_MAX = 300  # characters of a name that is searched for

OUTCOMES: tuple[str, ...] = get_args(CaseOutcome)
LEVELS = ("report", "watch", "none")
STATES = ("open", "kept", "rejected", "unknown")
Decision = Literal["open", "kept", "rejected", "unknown"]
_PLACE = r"[0-9]{1,12}(\.[0-9]{1,9})?:[0-9]{1,20}"


class ReasonRow(BaseModel):
    """A rule that hit."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    rule_id: str
    rule_name: str
    weight: float
    shadow: bool = Field(description="It counts apart and reports nobody.")
    evidence: str
    past: bool = Field(description="It hit before, and the latest verdict no longer has it.")


class CaseRow(BaseModel):
    """The latest judgement of an account, and what moderators made of its report."""

    model_config = ConfigDict(frozen=True)

    account_id: str
    acct: str
    url: str
    level: str = Field(description="report, watch, or none: noted, below both thresholds.")
    outcome: str = Field(description=f"One of {', '.join(OUTCOMES)}.")
    why: str
    score: float
    shadow_score: float
    judged_at: datetime
    reasons: list[ReasonRow]
    report_id: str = Field(description='"" where nothing was filed.')
    report_url: str | None = Field(description="The report in Mastodon's moderation.")
    account_url: str | None = Field(description="The account in Mastodon's moderation.")
    marker: str
    generation: int = Field(description="How many reports the account was given.")
    reported: list[str] = Field(description="The rules in the report.")
    later: list[str] = Field(description="Rules that hit since.")
    resolved: bool = Field(description="The report was closed when it was last looked at.")
    status_ids: list[str]
    decision: Decision | None = Field(description="What moderators made of the report; null where none is known.")
    filed_at: datetime | None
    decided_at: datetime | None


class CasePage(BaseModel):
    """A page of cases and how to get the next one."""

    model_config = ConfigDict(frozen=True)

    cases: list[CaseRow]
    count: int = Field(description="How many cases are on this page.")
    total: int = Field(description="How many cases are kept; those that a filter leaves out are among them.")
    scanned: int = Field(description="Cases looked through for this page, at most 1,000.")
    next_cursor: str | None = Field(description="Give it as `cursor` to get the next page; null on the last.")


class MeasureRow(BaseModel):
    """A measure taken beside the report."""

    model_config = ConfigDict(frozen=True)

    measure: str
    state: str
    rule_id: str
    report_id: str
    changed_at: datetime
    expires_at: datetime
    ended: bool
    why: str


class CaseDetail(CaseRow):
    """A case with what was done about the account."""

    measure: MeasureRow | None = Field(description="The latest measure against the account.")
    audit: list[AuditRow] = Field(description="What the latest entries of the audit say about the account.")


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Which cases are wanted; "" for any. ``account`` is an id, or a part of the name."""

    outcome: str = ""
    rule: str = ""
    level: str = ""
    decision: str = ""
    account: str = ""

    def check(self) -> None:
        """Raise BadParameter that names what is allowed."""
        for name, value, allowed in (
            ("outcome", self.outcome, OUTCOMES),
            ("level", self.level, LEVELS),
            ("decision", self.decision, STATES),
        ):
            if value and value not in allowed:
                raise BadParameter(f"{name}: {value!r} is not allowed; allowed: {', '.join(allowed)}")
        if len(self.account) > ACCOUNT_MAX:
            raise BadParameter(f"account: is longer than {ACCOUNT_MAX} characters")

    def wants(self, case: Case, fate: Fate | None) -> bool:
        """Tell whether the case is one of these."""
        return (
            (not self.outcome or case.outcome == self.outcome)
            and (not self.level or case.level == self.level)
            and (not self.rule or any(one.rule_id == self.rule for one in case.reasons))
            and (not self.decision or (fate is not None and fate.outcome == self.decision))
            and (not self.account or self._is_account(case))
        )

    def _is_account(self, case: Case) -> bool:
        sought = self.account.strip().removeprefix("acct:").lstrip("@").casefold()
        return sought == case.account_id or sought in case.acct.casefold()


def list_cases(
    view: View,
    *,
    limit: int = 50,
    cursor: str | None = None,
    outcome: str | None = None,
    rule: str | None = None,
    level: str | None = None,
    decision: str | None = None,
    account: str | None = None,
) -> CasePage:
    """Return a page of cases, newest first; raises BadParameter. A case that is judged meanwhile may show twice."""
    where = CaseFilter(outcome or "", rule or "", level or "", decision or "", account or "")
    where.check()
    if not 1 <= limit <= LIMIT_MAX:
        raise BadParameter(f"limit: {limit} is not allowed; allowed: 1 to {LIMIT_MAX}")
    found, scanned, last = _collect(view, where, limit, _place(cursor))
    return CasePage(
        cases=found,
        count=len(found),
        total=view.cases.count(),
        scanned=scanned,
        next_cursor=places.encode("case", f"{last[0]!r}:{last[1]}") if last else None,
    )


def read_case(view: View, account_id: str) -> CaseDetail:
    """Return the case of an account with what was done about it; raises Unknown."""
    case = view.cases.get(account_id) if re.fullmatch(r"[0-9]{1,20}", account_id) else None
    if case is None:
        raise Unknown("there is no case of this account; the latest 5,000 are kept")
    row = _row(view, case, _fates(view, [case]).get(case.report_id))
    measure = view.measures.get(account_id)
    return CaseDetail(
        **row.model_dump(),
        measure=_measure(measure) if measure else None,
        audit=audit_view.of_account(view, account_id),
    )


def _place(cursor: str | None) -> tuple[float, str] | None:
    if not cursor:
        return None
    at, _, account_id = places.decode("case", cursor, _PLACE).partition(":")
    return float(at), account_id


def _collect(
    view: View, where: CaseFilter, limit: int, start: tuple[float, str] | None
) -> tuple[list[CaseRow], int, tuple[float, str] | None]:
    """Return up to ``limit`` cases, how many were looked through, and after which one the next page begins."""
    found: list[CaseRow] = []
    scanned, at = 0, start
    width = _BATCH if where != CaseFilter() else limit
    while scanned < SCAN_MAX:
        batch = view.cases.older(at, width + 1)
        fates = _fates(view, batch[:width])
        for number, case in enumerate(batch[:width]):
            scanned, at = scanned + 1, (case.judged_at, case.account_id)
            fate = fates.get(case.report_id)
            if where.wants(case, fate):
                found.append(_row(view, case, fate))
            if len(found) == limit:
                return found, scanned, at if number + 1 < len(batch) else None
        if len(batch) <= width:
            return found, scanned, None
    return found, scanned, at


def _fates(view: View, cases: Sequence[Case]) -> Mapping[str, Fate]:
    return view.rule_stats.fates(dict.fromkeys(case.report_id for case in cases if case.report_id))


def _row(view: View, case: Case, fate: Fate | None) -> CaseRow:
    base = view.settings.instance_base
    return CaseRow(
        account_id=case.account_id,
        acct=case.acct,
        url=case.url,
        level=case.level,
        outcome=case.outcome,
        why=case.why,
        score=case.score,
        shadow_score=case.shadow_score,
        judged_at=_moment(case.judged_at),
        reasons=[ReasonRow.model_validate(one) for one in case.reasons],
        report_id=case.report_id,
        report_url=f"{base}/admin/reports/{case.report_id}" if base and case.report_id.isdigit() else None,
        account_url=f"{base}/admin/accounts/{case.account_id}" if base else None,
        marker=case.marker,
        generation=case.generation,
        reported=list(case.reported),
        later=list(case.later),
        resolved=case.resolved,
        status_ids=list(case.status_ids),
        decision=fate.outcome if fate else None,
        filed_at=_moment(fate.filed_at) if fate else None,
        decided_at=_moment(fate.decided_at) if fate and fate.decided_at else None,
    )


def _measure(action: AccountAction) -> MeasureRow:
    return MeasureRow(
        measure=action.measure,
        state=action.state,
        rule_id=action.rule_id,
        report_id=action.report_id,
        changed_at=_moment(action.changed_at),
        expires_at=_moment(action.expires_at),
        ended=action.ended,
        why=action.why,
    )


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
