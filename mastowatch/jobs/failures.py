"""Groups failures that are the same but for numbers and ids: a hundred tracebacks are mostly three errors."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field
from redis import Redis

from mastowatch.jobs.failure_names import named, whole_name
from mastowatch.jobs.listing import failed_rows

NAMES_MAX = 5


class FailureGroup(BaseModel):
    """Failed and stopped jobs with the same error."""

    model_config = ConfigDict(frozen=True)

    error: str = Field(description="The error's class, with its module; empty where the text names none.")
    message: str = Field(description="What it says; each number or id is N.")
    count: int
    functions: list[str] = Field(description="The functions that failed so, the most frequent first; at most 5.")
    queues: list[str]
    first_at: datetime | None
    last_at: datetime | None
    example_id: str = Field(description="The latest job that failed so.")

    @property
    def name(self) -> str:
        """What a JobFilter asks for to mean just these."""
        return whole_name(self.error, self.message)


class FailureGroups(BaseModel):
    """The failures by error, the most frequent first."""

    model_config = ConfigDict(frozen=True)

    groups: list[FailureGroup]
    scanned: int = Field(description="Entries looked through, the newest first; at most 2,000 a request.")
    total: int = Field(description="Entries in the lists of failures.")
    next_cursor: str | None = Field(description="Give it as `cursor` to group the ones before; null if there are none.")


@dataclass
class _Group:
    count: int = 0
    functions: Counter[str] = field(default_factory=Counter)
    queues: Counter[str] = field(default_factory=Counter)
    times: list[datetime] = field(default_factory=list)
    example_id: str = ""


def failure_groups(redis: Redis, now: float, *, queue: str | None = None, cursor: str | None = None) -> FailureGroups:
    """Return the newest 2,000 failures by error; ``now`` is epoch seconds. Raises BadParameter."""
    rows, page = failed_rows(redis, now, queue, cursor)
    groups: dict[tuple[str, str], _Group] = {}
    for row in rows:
        group = groups.setdefault(named(row.error or ""), _Group(example_id=row.id))
        group.count += 1
        if row.function:
            group.functions[row.function] += 1
        group.queues[row.queue] += 1
        if row.ended_at:
            group.times.append(row.ended_at)
    ordered = sorted(groups.items(), key=lambda item: -item[1].count)
    return FailureGroups(
        groups=[_told(*name, group) for name, group in ordered],
        scanned=page.scanned,
        total=page.total,
        next_cursor=page.next_cursor,
    )


def _told(error: str, message: str, group: _Group) -> FailureGroup:
    return FailureGroup(
        error=error,
        message=message,
        count=group.count,
        functions=_most(group.functions),
        queues=_most(group.queues),
        first_at=min(group.times, default=None),
        last_at=max(group.times, default=None),
        example_id=group.example_id,
    )


def _most(names: Counter[str]) -> list[str]:
    return [name for name, _ in names.most_common(NAMES_MAX)]
