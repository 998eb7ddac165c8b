"""``GET /jobs/events``: how the jobs stand, told anew whenever that has changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from mastowatch.jobs.context import View
from mastowatch.jobs.described import refused
from mastowatch.jobs.pulse import Pulse, read_pulse
from mastowatch.web.live import Event, Live

PATH = "/jobs/events"
_EXAMPLE = f"retry: 2000\n\nevent: pulse\ndata: {Pulse(waiting=12, running=2, workers=2).model_dump_json()}\n\n"
# Of each event.
_SCHEMA = {"type": "object", "properties": {"event": {"type": "string"}, "data": {"type": "string"}}}
_ABOUT = "`event: pulse` with JSON, at once and then after each change, one a second at most."
_FULL = "as many listen as may; close a page that is open elsewhere, or try again later"


class EventStream(Response):
    """What the description of the API calls the answer."""

    media_type = "text/event-stream"


def router(view: View) -> APIRouter:
    """Return the route."""
    live = Live(lambda: read_pulse(view.redis, view.clock()), _told)
    routes = APIRouter(tags=["jobs"])
    stream = {"description": _ABOUT, "content": {EventStream.media_type: {"schema": _SCHEMA, "example": _EXAMPLE}}}

    @routes.get(
        PATH,
        summary="Listen",
        operation_id="listen",
        response_class=EventStream,
        responses={200: stream, 503: refused(503, _FULL, title="Too many listeners", instance=PATH)},
    )
    async def events(
        limit: Annotated[int | None, Query(ge=1, le=1000, description="End after so many events.")] = None,
    ) -> Response:
        """Tell by server-sent events how the jobs stand: at once, and then after each change.

        At most 50 listen at a time. A stream ends after 15 minutes; clients come again by themselves.
        """
        return live.response(limit)

    return routes


def _told(before: Pulse | None, now: Pulse) -> Iterator[Event]:
    if now != before:
        yield Event("pulse", now.model_dump_json())
