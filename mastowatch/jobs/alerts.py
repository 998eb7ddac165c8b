"""Tells an address outside, once each, what has been dropped; what could not be told is tried at the next tick."""

from __future__ import annotations

import logging
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
    with context.alone("alerts", _LOCK_S) as alone:
        due = context.rule_switches.untold() if alone else ()
        for one in due:
            context.alerts.send(_alert(one, context.settings.instance_base))
            context.rule_switches.told(one)
            context.tally.add(metrics.ALERTS_SENT)
            event(log, logging.INFO, "alert_sent", rule_id=one.rule_id)
        return len(due)


def describe(dropped: Dropped) -> str:
    """Return what was dropped and why, in a sentence."""
    if dropped.rule_id == EVERY_RULE:
        return f"All reporting is paused: {dropped.why}."
    return f"The rule {dropped.rule_id} was dropped to shadow: {dropped.why}."


def to_go_on(rule_id: str) -> str:
    """Return the command that re-arms it."""
    return f"mastowatch rules arm {'all' if rule_id == EVERY_RULE else rule_id}"


def _alert(dropped: Dropped, instance: str) -> Alert:
    todo = f"To go on, once you have looked: {to_go_on(dropped.rule_id)}"
    return Alert(
        event="reporting_paused" if dropped.rule_id == EVERY_RULE else "rule_dropped",
        rule_id=dropped.rule_id,
        by=dropped.by,
        why=dropped.why,
        at=datetime.fromtimestamp(dropped.at, UTC).isoformat(timespec="seconds"),
        instance=instance,
        text=f"MastoWatch ({instance}): {describe(dropped)} {todo}",
    )
