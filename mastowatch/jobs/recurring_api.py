"""The recurring jobs: next and last runs, run now, pause, intervals."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Body, Path, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from mastowatch.jobs.actions import Actions
from mastowatch.jobs.context import View
from mastowatch.jobs.described import LOCATION, told
from mastowatch.jobs.jobs_api import Done, accepted
from mastowatch.jobs.recurrence import RecurringRow, recurring_rows
from mastowatch.jobs.refusals import WrongState
from mastowatch.reliable.scheduler import EVERY_MAX_S, Recurring

_ID = "poll_admin_accounts"
_ROW = RecurringRow.model_config["json_schema_extra"]["example"]  # type: ignore[index]
_UNKNOWN = {404: "there is no recurring job 'polls'; there are: poll_admin_accounts, poll_admin_accounts_local"}
Id = Annotated[str, Path(description="The recurring job's id.", examples=[_ID])]


class Schedule(BaseModel):
    """The recurring jobs. One-off jobs that wait for their time are under status=scheduled."""

    jobs: list[RecurringRow]
    count: int


class Rescheduled(BaseModel):
    """The recurring jobs that were planned anew."""

    ids: list[str]


class Paused(BaseModel):
    """Whether a recurring job is paused."""

    id: str
    paused: bool


def _whole(value: object) -> object:
    # In JSON, 60.0 is the same number as 60.
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Interval(BaseModel):
    """How often a recurring job is to run."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"example": {"interval_s": 60}})

    interval_s: Annotated[int | None, BeforeValidator(_whole)] = Field(
        ge=1, le=EVERY_MAX_S, description="Seconds; null: as the settings say."
    )


def router(view: View, actions: Actions, schedule: Sequence[Recurring]) -> APIRouter:
    """Return the routes under /scheduled and /recurring."""
    routes = APIRouter(tags=["recurring"])

    def rows() -> list[RecurringRow]:
        return recurring_rows(view.redis, schedule, view.clock())

    @routes.get("/scheduled", **told("List the recurring jobs", "list_recurring", {"jobs": [_ROW], "count": 1}))
    def scheduled() -> Schedule:
        """List the recurring jobs with their next and last runs."""
        found = rows()
        return Schedule(jobs=found, count=len(found))

    @routes.post("/scheduled/reschedule", **told("Plan all anew", "reschedule", {"ids": [_ID]}))
    def reschedule() -> Rescheduled:
        """Plan the recurring jobs anew, now. Touches MastoWatch's own only."""
        return Rescheduled(ids=actions.reschedule())

    _add_acting(routes, actions)

    @routes.put("/recurring/{job_id}/interval", **told("Change an interval", "set_interval", _ROW, problems=_UNKNOWN))
    def interval(job_id: Id, given: Annotated[Interval, Body()]) -> RecurringRow:
        """Have it run so often from now on, also over restarts; `null` puts the settings' interval back."""
        actions.set_interval(job_id, given.interval_s)
        return next(one for one in rows() if one.id == job_id)

    return routes


def _add_acting(routes: APIRouter, actions: Actions) -> None:
    @routes.post(
        "/recurring/{job_id}/run",
        **told(
            "Run a recurring job now",
            "run_recurring",
            {"id": _ID, "status": "queued"},
            status=202,
            headers=LOCATION,
            problems={**_UNKNOWN, 409: f"the last run of {_ID} still waits or runs"},
        ),
    )
    def run(job_id: Id, response: Response) -> Done:
        """Queue a run right now; its plan stays as it is."""
        return accepted(response, actions.run_recurring(job_id))

    @routes.post(
        "/recurring/{job_id}/pause",
        **told("Pause a recurring job", "pause_recurring", {"id": _ID, "paused": True}, problems=_UNKNOWN),
    )
    def pause(job_id: Id) -> Paused:
        """Let the ticks of a recurring job pass, also over restarts; a run that has begun goes on."""
        with contextlib.suppress(WrongState):
            actions.pause_recurring(job_id)
        return Paused(id=job_id, paused=True)

    @routes.post(
        "/recurring/{job_id}/resume",
        **told("Resume a recurring job", "resume_recurring", {"id": _ID, "paused": False}, problems=_UNKNOWN),
    )
    def resume(job_id: Id) -> Paused:
        """Let a recurring job run again, from its next tick on."""
        with contextlib.suppress(WrongState):
            actions.resume_recurring(job_id)
        return Paused(id=job_id, paused=False)
