"""Tells pages that are open what has changed: ``GET /events``, server-sent events.

``counters``: HTML for the header. ``changed``: the page fetches its live part. ``gone`` and ``back``: Redis.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import FastAPI, Request
from redis.exceptions import RedisError
from starlette.responses import Response

from mastowatch.errors import StoreUnavailable
from mastowatch.jobs.context import View
from mastowatch.jobs.pulse import Pulse, read_pulse
from mastowatch.jobs.recurrence import recurring_rows
from mastowatch.jobs.switches import read_switches
from mastowatch.jobs.workforce import read_workers
from mastowatch.web.dashboard.site import Site
from mastowatch.web.live import Event, Live


@dataclass(frozen=True, slots=True)
class Look:
    """How things stand: ``html`` as the header shows it; another ``stamp``: pages would show other things."""

    redis: bool
    html: str = ""
    stamp: object = None


def add(app: FastAPI, site: Site) -> None:
    """Add the route."""
    live = Live(lambda: look(site), tell)

    @app.get("/events")
    async def events(request: Request) -> Response:
        """Tell what changes from now on, until the session ends."""
        return live.response(until=site.access.signed_out(request))


def look(site: Site) -> Look:
    """Look once; a Redis that is away is a look, too."""
    now = site.view.clock()
    pulse = read_pulse(site.view.redis, now)
    if not pulse.redis:
        return Look(redis=False)
    try:
        stamp = _stamp(site, pulse, now)
    except (RedisError, StoreUnavailable):
        return Look(redis=False)
    return Look(redis=True, html=site.pages.render("counters.html", counters=pulse), stamp=stamp)


def tell(before: Look | None, now: Look) -> Iterator[Event]:
    """Yield what to tell those who know of ``before``."""
    if not now.redis:
        if before is None or before.redis:
            yield Event("gone", "")
        return
    if before is not None and not before.redis:
        yield Event("back", "")
    if before is None or now.html != before.html:
        yield Event("counters", now.html)
    if before is not None and now.stamp != before.stamp:
        yield Event("changed", "")


def _stamp(site: Site, pulse: Pulse, now: float) -> object:
    view: View = site.view
    workers = [(one.name, one.state, one.current_job_id) for one in read_workers(view.redis)]
    recurring = [
        (one.next_run_at, one.last_status, one.paused) for one in recurring_rows(view.redis, site.schedule, now)
    ]
    # Its age grows while nothing else happens; the page counts on by itself.
    counted = pulse.model_dump(exclude={"oldest_s"})
    return counted, workers, recurring, read_switches(view), view.audit.recent(1), view.tally.read()
