"""The /switches API: all that holds work back, and the two switches that people turn."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field

from mastowatch.jobs.actions import Actions
from mastowatch.jobs.context import View
from mastowatch.jobs.described import told
from mastowatch.jobs.switches import Switchboard, read_switches

_BOARD: dict[str, Any] = {
    "dry_run": {"on": True, "from_settings": False, "by": "the API", "at": "2026-03-01T12:00:00Z"},
    "panic_stop": {"on": False, "from_settings": False, "by": None, "at": None},
    "reporting_paused": None,
    "dropped": [],
    "paused_queues": [{"queue": "low", "by": "alice on the dashboard", "at": "2026-03-01T11:00:00Z"}],
    "maintenance": None,
}


class Switch(BaseModel):
    """How a switch is to stand."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"example": {"on": True}})

    on: bool = Field(description="`true` turns it on.")


def router(view: View, actions: Actions) -> APIRouter:
    """Return the routes under /switches."""
    routes = APIRouter(prefix="/switches", tags=["switches"])

    @routes.get("", **told("Show what holds work back", "read_switches", _BOARD))
    def switches() -> Switchboard:
        """Tell how dry run and panic stop stand, who turned them and when, and what is dropped or paused."""
        return read_switches(view)

    @routes.post("/dry-run", **told("Turn the dry run", "set_dry_run", _BOARD))
    def dry_run(given: Annotated[Switch, Body()]) -> Switchboard:
        """Have reports only rehearsed, or filed again; `DRY_RUN=true` in the settings can't be turned off here."""
        actions.set_dry_run(on=given.on)
        return read_switches(view)

    @routes.post("/panic-stop", **told("Turn the panic stop", "set_panic_stop", _BOARD))
    def panic_stop(given: Annotated[Switch, Body()]) -> Switchboard:
        """Halt all work at once, or let it go on; `PANIC_STOP=true` in the settings can't be turned off here."""
        actions.set_panic_stop(on=given.on)
        return read_switches(view)

    return routes
