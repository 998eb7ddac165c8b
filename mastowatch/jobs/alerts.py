"""Tells an address outside, once each, what has been dropped; what could not be told is tried at the next tick."""

from __future__ import annotations

import logging
import uuid
from datetime import UTC, datetime

from mastowatch import metrics
from mastowatch.jobs.context import Context
from mastowatch.logs import event
from mastowatch.ports.alerts import Alert
from mastowatch.ports.types import EVERY_RULE, Dropped

log = logging.getLogger(__name__)
_LOCK_S = 60


def send_due(context: Context) -> int:
    """Send the alerts that are due and return how many went out; raises AlertNotSent, and the rest stays due."""
    if context.alerts is None:
        return 0
    owner = uuid.uuid4().hex
    if not context.locks.acquire("alerts", owner, _LOCK_S):
        return 0
    try:
        due = context.rule_switches.untold()
        for one in due:
            context.alerts.send(_alert(one, context.settings.instance_base))
            context.rule_switches.told(one)
            context.tally.add(metrics.ALERTS_SENT)
            event(log, logging.INFO, "alert_sent", rule_id=one.rule_id)
        return len(due)
    finally:
        context.locks.release("alerts", owner)


def describe(dropped: Dropped) -> str:
    """Return what was dropped and why, in a sentence."""
    if dropped.rule_id == EVERY_RULE:
        return f"All reporting is paused: {dropped.why}."
    return f"The rule {dropped.rule_id} was dropped to shadow: {dropped.why}."


def to_go_on(dropped: Dropped) -> str:
    """Return the command that re-arms it."""
    return f"mastowatch rules arm {'all' if dropped.rule_id == EVERY_RULE else dropped.rule_id}"


def _alert(dropped: Dropped, instance: str) -> Alert:
    return Alert(
        event="reporting_paused" if dropped.rule_id == EVERY_RULE else "rule_dropped",
        rule_id=dropped.rule_id,
        by=dropped.by,
        why=dropped.why,
        at=datetime.fromtimestamp(dropped.at, UTC).isoformat(timespec="seconds"),
        instance=instance,
        text=f"MastoWatch ({instance}): {describe(dropped)} To go on, once you have looked: {to_go_on(dropped)}",
    )
