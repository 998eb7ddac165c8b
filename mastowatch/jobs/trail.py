"""Leaves a line in the audit and in the journal for each thing that a person has done."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from mastowatch.errors import StoreUnavailable
from mastowatch.logs import event
from mastowatch.ports import store
from mastowatch.ports.types import AuditEntry

log = logging.getLogger(__name__)


class Where(Protocol):
    """What a line needs; a Context and a View have it."""

    @property
    def audit(self) -> store.Audit: ...  # noqa: D102 -- as in Context
    @property
    def clock(self) -> Callable[[], float]: ...  # noqa: D102


def leave(where: Where, by: str, done: str, what: str) -> None:
    """Note that ``by`` has ``done`` something to ``what``, and so it is: names and ids only, no text of anybody's."""
    event(log, logging.WARNING, "person_acted", done=done, what=what, by=by)
    write(where, AuditEntry(where.clock(), "action", done, what, by=by))


def write(where: Where, entry: AuditEntry) -> None:
    """Add an entry on what has been done; one that can't be written undoes nothing, so it is told in the journal."""
    try:
        where.audit.add(entry)
    except StoreUnavailable as error:
        # To answer that it failed would have it done a second time.
        done, what = entry.outcome, entry.why
        event(log, logging.ERROR, "audit_not_written", done=done, what=what, by=entry.by, error=str(error))
