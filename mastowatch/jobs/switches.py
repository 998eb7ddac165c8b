"""Reads all that holds work back, in one place: dry run, panic stop, dropped rules, paused queues."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field

from mastowatch.jobs.context import View
from mastowatch.jobs.dropped_api import DroppedRow, dropped_row
from mastowatch.jobs.maintenance import all_paused
from mastowatch.jobs.queue_control import paused_queues
from mastowatch.ports.types import SwitchName


class SwitchRow(BaseModel):
    """A switch: it is on if the settings say so or if a person has turned it on."""

    model_config = ConfigDict(frozen=True)

    on: bool
    from_settings: bool = Field(description="The settings turn it on, so that no switch turns it off.")
    by: str | None = Field(description="Who turned the switch last; null where nobody ever has.")
    at: datetime | None = Field(description="When that was.")


class PausedQueueRow(BaseModel):
    """A paused queue."""

    model_config = ConfigDict(frozen=True)

    queue: str
    by: str
    at: datetime


class MaintenanceRow(BaseModel):
    """A pause of all queues at once, by `mastowatch pause`."""

    model_config = ConfigDict(frozen=True)

    by: str
    at: datetime
    reason: str = Field(description='"" where nobody has given one.')
    queues: list[str] = Field(description="What `mastowatch resume` resumes: not what had been paused before.")


class Switchboard(BaseModel):
    """All that holds work back."""

    model_config = ConfigDict(frozen=True)

    dry_run: SwitchRow = Field(description="Reports are rehearsed and not filed.")
    panic_stop: SwitchRow = Field(description="No job is taken.")
    reporting_paused: DroppedRow | None = Field(description="Set while a breaker has paused all reporting.")
    dropped: list[DroppedRow] = Field(description="Rules that breakers have dropped to shadow.")
    paused_queues: list[PausedQueueRow]
    maintenance: MaintenanceRow | None = Field(
        default=None, description="Set while all queues are paused for maintenance."
    )


def read_switches(view: View) -> Switchboard:
    """Return how everything stands."""
    settings = view.settings
    paused, rules = view.rule_switches.paused(), view.rule_switches.shadowed()
    return Switchboard(
        dry_run=_row(view, "dry_run", from_settings=settings.dry_run),
        panic_stop=_row(view, "panic_stop", from_settings=settings.panic_stop),
        reporting_paused=dropped_row(view, paused) if paused else None,
        dropped=[dropped_row(view, one) for one in sorted(rules.values(), key=lambda one: one.at)],
        paused_queues=[
            PausedQueueRow(queue=queue, by=one.by, at=datetime.fromtimestamp(one.at, UTC))
            for queue, one in sorted(paused_queues(view.redis).items())
        ],
        maintenance=_maintenance(view),
    )


def _maintenance(view: View) -> MaintenanceRow | None:
    pause = all_paused(view.redis)
    if pause is None:
        return None
    at = datetime.fromtimestamp(pause.at, UTC)
    return MaintenanceRow(by=pause.by, at=at, reason=pause.reason, queues=list(pause.queues))


def _row(view: View, name: SwitchName, *, from_settings: bool) -> SwitchRow:
    state = view.switches.state(name)
    return SwitchRow(
        on=from_settings or (state is not None and state.on),
        from_settings=from_settings,
        by=state.by or None if state else None,
        at=datetime.fromtimestamp(state.at, UTC) if state else None,
    )
