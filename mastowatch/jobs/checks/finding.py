"""What a check has found: one line, and where something is wrong, what it means and what mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# unknown: this user may not see it, or what it rests on is away.
State = Literal["ok", "note", "warning", "failure", "unknown"]

# Every check, in the order in which it is told: what the others rest on comes first.
NAMES = (
    "settings",
    "rules",
    "file-modes",
    "package",
    "layout",
    "units",
    "watchdogs",
    "disk",
    "journal",
    "redis",
    "redis-version",
    "redis-role",
    "redis-policy",
    "redis-memory",
    "redis-persistence",
    "redis-database",
    "redis-latency",
    "mastodon-server",
    "mastodon-version",
    "certificate",
    "clock",
    "mastodon-token",
    "mastodon-scopes",
    "mastodon-role",
    "request-budget",
    "webhooks",
    "stream",
    "breakers",
    "switches",
    "workers",
    "scheduler",
    "recurring-jobs",
    "queues",
    "stuck-jobs",
    "failed-jobs",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """``check`` is a name of ``NAMES`` and an anchor in docs/howto/doctor.md, like "redis-persistence".

    ``says`` is one line with what was found. Where that is not ok, ``means`` says in one sentence what follows from
    it, and ``mend`` is a command to paste, if there is one.
    """

    check: str
    state: State
    says: str
    means: str = ""
    mend: str = ""
