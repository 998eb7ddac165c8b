"""What may be done to jobs: its words, and the states in which it makes sense to offer it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fastapi import Request

from mastowatch.jobs.refusals import Unknown
from mastowatch.web.dashboard.access import Forbidden, Role
from mastowatch.web.dashboard.site import Site

Action = Literal["cancel", "requeue", "delete", "run"]
_WAITING = frozenset({"queued", "scheduled", "deferred", "rate_limited", "ready_to_enqueue"})
_ENDED = frozenset({"failed", "stopped", "canceled", "finished"})


@dataclass(frozen=True, slots=True)
class Verb:
    """One action. ``label`` stands on its button, ``done`` tells of it, ``asks``: not without being asked twice."""

    action: Action
    label: str
    done: str
    statuses: frozenset[str]
    asks: bool = False
    danger: bool = False
    warning: str = ""


VERBS: Mapping[str, Verb] = {
    verb.action: verb
    for verb in (
        Verb("run", "Run now", "put first on their queues", frozenset({"queued", "scheduled"})),
        Verb("requeue", "Queue again", "queued again", _ENDED),
        Verb(
            "cancel",
            "Cancel",
            "canceled",
            _WAITING | {"started"},
            asks=True,
            danger=True,
            warning="What waits is taken off its queue; what runs is stopped. A canceled job can be queued again.",
        ),
        Verb(
            "delete",
            "Delete",
            "deleted",
            _WAITING | _ENDED,
            asks=True,
            danger=True,
            warning="Their records go for good: arguments, results and tracebacks. This can't be undone.",
        ),
    )
}


def fitting(statuses: Sequence[str]) -> Sequence[Verb]:
    """Return what makes sense for jobs that have one of these statuses."""
    return [verb for verb in VERBS.values() if verb.statuses.intersection(statuses)]


def verb_of(action: str) -> Verb:
    """Return the action of that name; raises Unknown."""
    if action not in VERBS:
        raise Unknown(f"there is no action {action!r}; there are {', '.join(VERBS)}")
    return VERBS[action]


def must(site: Site, request: Request, needs: Role) -> None:
    """Raise Forbidden where a page asks about a change that this person may not make."""
    if not site.access.may(request, needs):
        raise Forbidden(f"This needs the role “{needs}”, which yours is not.")


def many(count: int, what: str = "job") -> str:
    """Return a number of things: "no jobs", "1 job", "1,234 jobs"."""
    return f"{count:,} {what}{'' if count == 1 else 's'}".replace(",", "\u202f") if count else f"no {what}s"
