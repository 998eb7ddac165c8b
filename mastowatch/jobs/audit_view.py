"""Reads the audit page by page, newest first, with filters. A filter is a bounded search; nothing is written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

from pydantic import BaseModel, ConfigDict, Field

from mastowatch.jobs import places
from mastowatch.jobs.context import View
from mastowatch.jobs.refusals import BadParameter
from mastowatch.ports.types import AuditEntry, AuditEvent

LIMIT_MAX = 200
# Entries looked through in one request, and in one round trip.
SCAN_MAX, _BATCH = 5000, 500
# What a case shows of its account: so many entries, found among so many of the newest.
_OF_ACCOUNT, _OF_ACCOUNT_SCAN = 20, 5000
BY_MAX = 200

EVENTS: tuple[str, ...] = get_args(AuditEvent)
_PLACE = r"[0-9]{1,20}-[0-9]{1,20}"
_REARMED_BY = "re-armed by "


class AuditRow(BaseModel):
    """One decision of MastoWatch, or one thing that a person did."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    event: str = Field(description=f"One of {', '.join(EVENTS)}.")
    outcome: str
    why: str
    by: str = Field(description='The person who did it; "" where MastoWatch decided by itself.')
    account_id: str
    acct: str
    level: str
    score: float
    shadow_score: float
    rules: dict[str, float] = Field(description="Weights of the rules that hit, by id.")
    shadow_rules: dict[str, float]
    report_id: str


class AuditPage(BaseModel):
    """A page of the audit and how to get the next one."""

    model_config = ConfigDict(frozen=True)

    entries: list[AuditRow]
    count: int = Field(description="How many entries are on this page.")
    total: int = Field(description="How many entries are kept, about 100,000 at most.")
    scanned: int = Field(description="Entries looked through for this page, at most 5,000.")
    next_cursor: str | None = Field(description="Give it as `cursor` to get the next page; null on the last.")


def read_audit(
    view: View,
    *,
    limit: int = 50,
    cursor: str | None = None,
    event: str | None = None,
    account_id: str | None = None,
    by: str | None = None,
) -> AuditPage:
    """Return a page of the audit, newest first; raises BadParameter.

    ``by`` is a part of who did it, case aside; "*" stands for whatever a person did.
    """
    if event and event not in EVENTS:
        raise BadParameter(f"event: {event!r} is not an event; allowed: {', '.join(EVENTS)}")
    if account_id and not (account_id.isascii() and account_id.isdigit() and len(account_id) <= 20):
        raise BadParameter("account_id: is Mastodon's number of the account; the account's page in moderation has it")
    if by and len(by) > BY_MAX:
        raise BadParameter(f"by: is longer than {BY_MAX} characters")
    if not 1 <= limit <= LIMIT_MAX:
        raise BadParameter(f"limit: {limit} is not allowed; allowed: 1 to {LIMIT_MAX}")
    start = places.decode("audit", cursor, _PLACE) if cursor else None
    found, scanned, last = _collect(view, (event or "", account_id or "", by or ""), limit, start, SCAN_MAX)
    return AuditPage(
        entries=found,
        count=len(found),
        total=view.audit.count(),
        scanned=scanned,
        next_cursor=places.encode("audit", last) if last else None,
    )


def of_account(view: View, account_id: str) -> list[AuditRow]:
    """Return the latest entries about an account, newest first, found among the newest of all."""
    return _collect(view, ("", account_id, ""), _OF_ACCOUNT, None, _OF_ACCOUNT_SCAN)[0]


def _collect(
    view: View, where: tuple[str, str, str], limit: int, start: str | None, scan_max: int
) -> tuple[list[AuditRow], int, str | None]:
    """Return up to ``limit`` entries, how many were looked through, and after which one the next page begins."""
    found: list[AuditRow] = []
    scanned, at = 0, start
    width = _BATCH if any(where) else limit
    while scanned < scan_max:
        batch = view.audit.older(at, width + 1)
        for number, (place, entry) in enumerate(batch[:width]):
            scanned, at = scanned + 1, place
            if _wanted(entry, *where):
                found.append(_row(entry))
            if len(found) == limit:
                return found, scanned, at if number + 1 < len(batch) else None
        if len(batch) <= width:
            return found, scanned, None
    return found, scanned, at


def _wanted(entry: AuditEntry, event: str, account_id: str, by: str) -> bool:
    if (event and entry.event != event) or (account_id and entry.account_id != account_id):
        return False
    who = _by(entry)
    return not by or (bool(who) if by == "*" else by.casefold() in who.casefold())


def _by(entry: AuditEntry) -> str:
    # Re-arming told who did it in its reason, before entries had a place for that.
    return entry.by or (entry.why.removeprefix(_REARMED_BY) if entry.why.startswith(_REARMED_BY) else "")


def _row(entry: AuditEntry) -> AuditRow:
    return AuditRow(
        at=datetime.fromtimestamp(entry.at, UTC),
        event=entry.event,
        outcome=entry.outcome,
        why=entry.why,
        by=_by(entry),
        account_id=entry.account_id,
        acct=entry.acct,
        level=entry.level,
        score=entry.score,
        shadow_score=entry.shadow_score,
        rules=dict(entry.rules),
        shadow_rules=dict(entry.shadow_rules),
        report_id=entry.report_id,
    )
