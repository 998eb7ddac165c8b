"""Stands between a decision and an act: breakers that count before anything is filed, and who is never reported.

What can't be counted or looked up is full: nothing is done, and the job comes back later. See
docs/explanation/breakers.md.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace

from mastowatch import metrics
from mastowatch.domain import breaker, policy
from mastowatch.domain.policy import Decision
from mastowatch.domain.verdict import Verdict
from mastowatch.errors import MastodonNotFound, ReportingPaused, RuleDropped, StoreUnavailable, Uncountable
from mastowatch.jobs.alerts import to_go_on
from mastowatch.jobs.context import Context
from mastowatch.logs import event
from mastowatch.ports.types import EVERY_RULE, Account, AuditEntry, Dropped, DroppedBy, Full, Quota

log = logging.getLogger(__name__)

_UNCOUNTABLE_RETRY_S = 10


def shadowed(context: Context) -> Collection[str]:
    """Return the ids of the rules that count apart for now; raises Uncountable when that can't be read."""
    with _full_when_uncountable(context):
        return context.rule_switches.shadowed().keys()


def spare(context: Context, account: Account, decision: Decision) -> Decision:
    """Return the decision, or that the account is left alone because people of this server follow it.

    Asked only right before a report, as it costs a request.
    """
    if not (policy.followers_matter(decision) and context.settings.exempt_followed_locally):
        return decision
    try:
        followed = context.mastodon("judge").followed_locally(account.id)
    except MastodonNotFound:
        return decision  # it has gone meanwhile, which filing finds out
    return policy.spare_followed() if followed else decision


def keep(
    context: Context,
    account: Account,
    verdict: Verdict,
    decision: Decision,
    dropped: Collection[str],
    whole: Callable[[], Verdict],
) -> Decision:
    """Return the decision, with its reason where a dropped rule made it.

    An account that would be reported with ``dropped`` rules counting is held: judged again when they are re-armed.
    ``whole`` is the verdict if all of them counted; a rule that looks at a dropped one is in none but that.
    Raises RuleDropped where one of them has been re-armed meanwhile: judge again with it.
    """
    if decision.action not in ("none", "watch"):
        return decision
    settled = {rule.id for rule in context.rules.rules if rule.mode == "report"} & set(dropped)
    missing = [reason for reason in verdict.reasons if reason.shadow and reason.rule_id in settled]
    if not missing or whole().level != "report":
        return decision
    with _full_when_uncountable(context):
        for reason in missing:
            context.held.hold(reason.rule_id, account.id, context.clock())
        # Whoever has re-armed one since may have looked for held accounts before this one was there.
        rearmed = {reason.rule_id for reason in missing} - context.rule_switches.shadowed().keys()
    if rearmed:
        raise RuleDropped(f"re-armed meanwhile: {', '.join(sorted(rearmed))}")
    names = ", ".join(reason.rule_id for reason in missing)
    return replace(decision, why=f"{decision.why}; dropped to shadow: {names}")


def admit(context: Context, account: Account, verdict: Verdict, marker: str) -> None:
    """Count the report ``marker`` on ``account`` before it is filed; counted once, however often it is tried.

    Raises RuleDropped (judge again without it), ReportingPaused, or Uncountable. In each case nothing was counted, and
    the account is judged again when a person has re-armed what kept it back.
    """
    with _full_when_uncountable(context):
        _refuse_dropped(context, account, verdict)
        full = context.quotas.take(marker, _quotas(context, verdict), context.clock())
        for one in full:
            # Held first: a death in between leaves an account that is judged once more, not one that is forgotten.
            context.held.hold(one.scope, account.id, context.clock())
            drop(context, one.scope, breaker.why(one), "breaker")
    _raise_for(full)


def drop(context: Context, rule_id: str, why: str, by: DroppedBy) -> bool:
    """Drop a rule to shadow (EVERY_RULE: pause all reporting), loudly; False if that is so already."""
    now = context.clock()
    if not context.rule_switches.drop(rule_id, why, by, now):
        return False
    everything = rule_id == EVERY_RULE
    event(
        log,
        logging.WARNING,
        "reporting_paused" if everything else "rule_dropped",
        rule_id=rule_id,
        by=by,
        why=why,
        to_go_on=to_go_on(rule_id),
    )
    context.tally.add(metrics.RULES_DROPPED)
    context.audit.add(
        AuditEntry(now, "dropped", "paused" if everything else "shadow", f"{by}: {why}", rules={rule_id: 0.0})
    )
    return True


def _refuse_dropped(context: Context, account: Account, verdict: Verdict) -> None:
    """Refuse what the verdict did not know of yet, or must not lead to."""
    paused = context.rule_switches.paused()
    if paused is not None:
        context.held.hold(EVERY_RULE, account.id, context.clock())
        if context.rule_switches.paused() is not None:
            raise ReportingPaused(_paused(paused))
        # Re-armed meanwhile; whoever did may have looked for held accounts before this one was there.
    dropped = context.rule_switches.shadowed().keys() & set(verdict.counting_rules)
    for rule_id in sorted(dropped):
        context.held.hold(rule_id, account.id, context.clock())
    if dropped:
        raise RuleDropped(f"dropped to shadow meanwhile: {', '.join(sorted(dropped))}")


def _raise_for(full: tuple[Full, ...]) -> None:
    by_scope = {one.scope: one for one in full}
    if EVERY_RULE in by_scope:
        raise ReportingPaused(f"all reporting is paused: {breaker.why(by_scope[EVERY_RULE])}")
    if full:
        raise RuleDropped(f"dropped to shadow: {', '.join(sorted(by_scope))}")


def _paused(dropped: Dropped) -> str:
    return f"all reporting is paused: {dropped.why}"


def _quotas(context: Context, verdict: Verdict) -> tuple[Quota, ...]:
    limits = {rule.id: rule.limits for rule in context.rules.rules}
    chosen = context.settings
    defaults = breaker.Defaults(
        rule_per_hour=chosen.rule_reports_per_hour,
        rule_per_day=chosen.rule_reports_per_day,
        all_per_hour=chosen.reports_per_hour,
        all_per_day=chosen.reports_per_day,
    )
    return breaker.quotas(((rule_id, limits[rule_id]) for rule_id in verdict.counting_rules), defaults)


@contextmanager
def _full_when_uncountable(context: Context) -> Iterator[None]:
    try:
        yield
    except StoreUnavailable as error:
        retry_at = context.clock() + _UNCOUNTABLE_RETRY_S
        raise Uncountable(f"the breakers can't be counted, so they are full: {error}", retry_at) from error
