"""The query parameters that the API's routes share: which jobs are meant, yes or no, and times."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response
from fastapi.dependencies.models import Dependant
from pydantic import BeforeValidator, WithJsonSchema

from mastowatch.config.settings import QUEUES
from mastowatch.jobs.listing import LIMIT_MAX, STATUSES, JobFilter
from mastowatch.jobs.records import ERROR_MAX
from mastowatch.jobs.refusals import BadParameter

TEXT_MAX = 200
CURSOR_MAX = 200
# A number larger than that is milliseconds, not seconds: the year 5138.
EPOCH_MAX = 100_000_000_000
_EPOCH = re.compile(r"[0-9]{1,12}(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?")
# A plus sign that nobody has escaped is a space in a query.
_SPACED_OFFSET = re.compile(r" (?=[0-9]{2}:?[0-9]{2}$)")


def _flag(value: object) -> object:
    if value in (True, False, "true", "false"):
        return value in (True, "true")
    raise ValueError("must be true or false")


Flag = Annotated[bool, BeforeValidator(_flag)]
DryRun = Annotated[Flag, Query(description="Only count what would be done.")]
Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many at most.", examples=[50])]
_CURSOR = "`next_cursor` of the page before, unchanged; the first page without it."
JobCursor = Annotated[
    str | None, Query(max_length=CURSOR_MAX, description=_CURSOR, json_schema_extra={"format": "job-cursor"})
]
CaseCursor = Annotated[
    str | None, Query(max_length=CURSOR_MAX, description=_CURSOR, json_schema_extra={"format": "case-cursor"})
]
AuditCursor = Annotated[
    str | None, Query(max_length=CURSOR_MAX, description=_CURSOR, json_schema_extra={"format": "audit-cursor"})
]
_MOMENT: dict[str, Any] = {
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "number", "minimum": 0, "maximum": EPOCH_MAX}]
}
Moment = Annotated[str | None, WithJsonSchema(_MOMENT)]
_WHEN = (
    "about when a job ended; for a scheduled one, when it is due; for others, when it was queued. ISO 8601 or epoch."
)


def seconds(name: str, value: str | None) -> float | None:
    """Return a time in ISO 8601 (UTC where it names no offset) or epoch seconds as the latter; raises BadParameter."""
    if value is None:
        return None
    if _EPOCH.fullmatch(value) and (at := float(value)) <= EPOCH_MAX:
        return at
    # RFC 3339 knows leap seconds and small letters, Python doesn't.
    plain = _SPACED_OFFSET.sub("+", value.upper()) if "T" in value.upper() else value
    try:
        found = datetime.fromisoformat(re.sub(r"(T[0-9]{2}:[0-9]{2}):60", r"\1:59", plain))
        at = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        told = f"{name}: must be a time like 2026-03-01T12:00:00Z, or epoch seconds up to {EPOCH_MAX}"
        raise BadParameter(told) from error
    return at if math.isfinite(at) else None


async def known_only(request: Request) -> None:
    """Refuse a query parameter that the route does not know, or one given twice: a typo would mean other jobs."""
    allowed = sorted(_names(request.scope["route"].dependant))
    for name in request.query_params:
        if name not in allowed:
            there_are = f"allowed: {', '.join(allowed)}" if allowed else "there are none here"
            raise BadParameter(f"{name}: is not a parameter; {there_are}")
        if len(request.query_params.getlist(name)) > 1:
            raise BadParameter(f"{name}: is given more than once")


def _names(dependant: Dependant) -> set[str]:
    below = (_names(one) for one in dependant.dependencies)
    return {one.alias for one in dependant.query_params}.union(*below)


def which(
    queue: Annotated[
        str | None,
        Query(
            description="One queue; all when none is named. Others that RQ knows are allowed as well.",
            json_schema_extra={"enum": list(QUEUES)},
            examples=["default"],
        ),
    ] = None,
    status: Annotated[
        str | None,
        Query(
            description="One of RQ's eleven statuses; all when none is named.",
            json_schema_extra={"enum": list(STATUSES)},
            examples=["failed"],
        ),
    ] = None,
    function: Annotated[
        str | None,
        Query(
            max_length=TEXT_MAX,
            min_length=1,
            description="The job's function: its import path or the last part of it, in full.",
            examples=["analyze_and_maybe_report"],
        ),
    ] = None,
    error: Annotated[
        str | None,
        Query(
            max_length=TEXT_MAX,
            min_length=1,
            description="Text in the line that names the last error; case does not matter.",
            examples=["connection refused"],
        ),
    ] = None,
    text: Annotated[
        str | None,
        Query(
            max_length=TEXT_MAX,
            min_length=1,
            description="Text in the id or the description; case does not matter.",
            examples=["109302"],
        ),
    ] = None,
    failure: Annotated[
        str | None,
        Query(
            max_length=2 * ERROR_MAX,
            min_length=1,
            description="A group of `GET /jobs/failures`: its `error`, a colon and a space, and its `message`.",
            examples=["mastowatch.errors.MastodonUnreachable: connection refused"],
        ),
    ] = None,
    since: Annotated[Moment, Query(description=f"From then on: {_WHEN}", examples=["2026-03-01T00:00:00Z"])] = None,
    until: Annotated[Moment, Query(description=f"Until then: {_WHEN}", examples=["2026-03-02T00:00:00Z"])] = None,
) -> JobFilter:
    """Return which jobs are meant."""
    first, last = seconds("since", since), seconds("until", until)
    return JobFilter(queue, status, function, error, text, first, last, failure)


Which = Annotated[JobFilter, Depends(which)]


def link_next(request: Request, response: Response, next_cursor: str | None) -> None:
    """Name the next page in a Link header, where there is one."""
    if next_cursor:
        response.headers.update(next_link(request, next_cursor))


def next_link(request: Request, next_cursor: str | None) -> Mapping[str, str]:
    """Return the Link header of a page, empty on the last."""
    if not next_cursor:
        return {}
    following = request.url.include_query_params(cursor=next_cursor)
    return {"Link": f'<{following.path}?{following.query}>; rel="next"'}
