"""The part of the API about rules that have been dropped: see them, and re-arm them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from mastowatch.jobs.actions import Actions
from mastowatch.jobs.context import View
from mastowatch.jobs.described import told
from mastowatch.ports.types import Dropped

_ROW = {
    "rule_id": "casino-words",
    "why": "20 reports within an hour, and another one was due",
    "by": "breaker",
    "at": "2026-03-01T03:12:44Z",
    "held": 7,
}


class DroppedRow(BaseModel):
    """A rule that counts apart, as if it were in shadow, or the pause of all reporting."""

    rule_id: str = Field(description="`*` for all reporting.")
    why: str
    by: str = Field(description="`breaker`, or `precision`: what moderators decided on its reports.")
    at: datetime
    held: int = Field(description="Accounts kept back; they are judged again when it is re-armed.")


class DroppedRules(BaseModel):
    """What has been dropped."""

    paused: DroppedRow | None = Field(description="Set while all reporting is paused.")
    rules: list[DroppedRow]


class ArmedRules(BaseModel):
    """What was re-armed."""

    ids: list[str] = Field(description="`*` stands for all reporting.")
    queued: int = Field(description="How many accounts that were kept back are judged again.")


def router(view: View, actions: Actions) -> APIRouter:
    """Return the routes under /rules about dropped rules."""
    routes = APIRouter(prefix="/rules", tags=["rules"])

    @routes.get("/dropped", **told("List the dropped rules", "list_dropped", {"paused": None, "rules": [_ROW]}))
    def dropped() -> DroppedRules:
        """List the rules that were dropped to shadow, and whether all reporting is paused."""
        paused, rules = view.rule_switches.paused(), view.rule_switches.shadowed()
        return DroppedRules(
            paused=dropped_row(view, paused) if paused else None,
            rules=[dropped_row(view, one) for one in sorted(rules.values(), key=lambda one: one.at)],
        )

    @routes.post(
        "/{rule_id}/arm",
        **told(
            "Re-arm a rule",
            "arm_rule",
            {"ids": ["casino-words"], "queued": 7},
            problems={404: "the rule 'casino-words' is not dropped; the list of dropped rules has those that are"},
        ),
    )
    def arm_rule(
        rule_id: Annotated[
            str,
            Path(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$", description="A rule's id, or `all`.", examples=["casino-words"]),
        ],
    ) -> ArmedRules:
        """Let a rule report again; `all` re-arms every rule that was dropped, and ends the pause of all reporting."""
        armed = actions.arm(rule_id)
        return ArmedRules(ids=list(armed.scopes), queued=armed.queued)

    return routes


def dropped_row(view: View, dropped: Dropped) -> DroppedRow:
    """Return what was dropped, and how many accounts it keeps back."""
    return DroppedRow(
        rule_id=dropped.rule_id,
        why=dropped.why,
        by=dropped.by,
        at=datetime.fromtimestamp(dropped.at, UTC),
        held=len(view.held.waiting(dropped.rule_id)),
    )
