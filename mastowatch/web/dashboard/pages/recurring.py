"""The recurring jobs: when each runs, what came of the last run, and how often it shall."""

from __future__ import annotations

from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse

from mastowatch.jobs.recurrence import recurring_rows, scheduler_alive
from mastowatch.jobs.refusals import BadParameter, Unknown
from mastowatch.web.dashboard.access import Form
from mastowatch.web.dashboard.pages.verbs import many
from mastowatch.web.dashboard.shown import span
from mastowatch.web.dashboard.site import Site

_COLUMNS = (
    ("Job", ""),
    ("Every", ""),
    ("Next run", ""),
    ("Last run", "mid"),
    ("Outcome", ""),
    ("Took", "num roomy"),
    ("Skipped", "num roomy"),
)
_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}


def add(app: FastAPI, site: Site) -> None:
    """Add the page and its actions."""
    view = site.view
    switch = Depends(site.changing("switch"))
    act = Depends(site.changing("act"))

    @app.get("/recurring", response_class=HTMLResponse)
    def recurring(request: Request) -> HTMLResponse:
        """Show the recurring jobs."""
        rows, alive = recurring_rows(view.redis, site.schedule, view.clock()), scheduler_alive(view.redis)
        columns = [*_COLUMNS, *([("Actions", "actions")] if site.access.may(request, "act") else [])]
        told: dict[str, Any] = {"rows": rows, "scheduler": alive, "columns": columns}
        return site.page(request, "recurring.html", at="/recurring", live=True, **told)

    @app.post("/recurring/reschedule", response_class=HTMLResponse, dependencies=[switch])
    def reschedule(request: Request) -> Response:
        """Plan all of them anew, from now on."""
        planned = site.actions(request).reschedule()
        return site.done(request, "/recurring", f"{many(len(planned), 'recurring job').capitalize()} planned anew.")

    @app.post("/recurring/{job_id}/run", response_class=HTMLResponse, dependencies=[act])
    def run(request: Request, job_id: str) -> Response:
        """Queue it now, whatever its plan says."""
        queued = site.actions(request).run_recurring(job_id)
        return site.done(request, f"/jobs/{queued}", f"{job_id} is queued; this is its run.")

    @app.post("/recurring/{job_id}/pause", response_class=HTMLResponse, dependencies=[act])
    def pause(request: Request, job_id: str) -> Response:
        """Let its ticks pass."""
        site.actions(request).pause_recurring(job_id)
        return site.done(request, "/recurring", f"{job_id} is paused: it does not run until it is resumed.")

    @app.post("/recurring/{job_id}/resume", response_class=HTMLResponse, dependencies=[act])
    def resume(request: Request, job_id: str) -> Response:
        """Let it run again."""
        site.actions(request).resume_recurring(job_id)
        return site.done(request, "/recurring", f"{job_id} is resumed: it runs at its next tick.")

    @app.get("/recurring/{job_id}/interval", response_class=HTMLResponse)
    def ask(request: Request, job_id: str) -> HTMLResponse:
        """Show the form that changes how often it runs."""
        rows = recurring_rows(view.redis, [one for one in site.schedule if one.id == job_id], view.clock())
        if not rows:
            raise Unknown(f"{job_id} does not recur; see the list of recurring jobs")
        row = rows[0]
        count, unit = in_units(row.interval_s)
        told: dict[str, Any] = {"row": row, "count": count, "unit": unit, "units": [(name, name) for name in _UNITS]}
        return site.page(request, "interval.html", at="/recurring", **told)

    @app.post("/recurring/{job_id}/interval", response_class=HTMLResponse)
    def set_interval(request: Request, job_id: str, form: Form = switch) -> Response:
        """Change how often it runs, or go back to what the settings say."""
        every_s = None if form.get("default") else seconds(form.get("count", ""), form.get("unit", ""))
        site.actions(request).set_interval(job_id, every_s)
        said = "as the settings say" if every_s is None else f"every {span(every_s)}"
        return site.done(request, "/recurring", f"{job_id} runs {said} from now on.")


def seconds(count: str, unit: str) -> int:
    """Return an interval of the form in seconds; raises BadParameter that says what is allowed."""
    if unit not in _UNITS:
        raise BadParameter(f"unit: {unit!r} is not allowed; allowed: {', '.join(_UNITS)}")
    if not count.isascii() or not count.isdigit() or len(count) > 6:
        raise BadParameter("count: must be a whole number, like 30")
    return int(count) * _UNITS[unit]


def in_units(interval_s: int) -> tuple[int, str]:
    """Return an interval as people say it: 90 -> 90 s, 3600 -> 1 h."""
    unit = next(unit for unit, size in reversed(_UNITS.items()) if interval_s % size == 0)
    return interval_s // _UNITS[unit], unit
