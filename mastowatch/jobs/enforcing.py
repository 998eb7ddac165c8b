r"""Takes the measure that a rule asks for beside the report, for a time, and undoes it exactly once.

planned --send--> sent --answer--> acted --reports open again--> done --expired--> undoing --answer--> undone
   \                \                                              \                  \--lifted meanwhile--> undone
    \--refused, or not gone on with--> failed                       \--moderators decided--> left

Every step is recorded before the next one is begun; what a death leaves is gone on with by the job itself or, after
a few minutes, by the recurring one. See docs/explanation/enforcement.md.
"""

from __future__ import annotations

import logging
import random
from dataclasses import replace

from mastowatch import metrics
from mastowatch.domain import enforcement
from mastowatch.domain.limits import EXPIRES_MAX
from mastowatch.domain.policy import Decision
from mastowatch.domain.verdict import Verdict
from mastowatch.errors import (
    ActionInDoubt,
    Deferred,
    MastodonAuthError,
    MastodonError,
    MastodonNotFound,
    MastodonRefused,
    ReportingPaused,
)
from mastowatch.jobs import guarding
from mastowatch.jobs.context import Context
from mastowatch.jobs.filing import SETTLE_S, Filing, Judgement
from mastowatch.logs import event
from mastowatch.ports.types import Account, AccountAction, ActionState, AuditEntry, AuditEvent

log = logging.getLogger(__name__)

# Actions that one run looks at; the next goes on.
_AT_ONCE = 100
# At so many in one run Mastodon fails for another reason than the account.
_FAILURES_MAX = 5
_LOCK_S = 130


def announce(context: Context, account: Account, verdict: Verdict, decision: Decision) -> str:
    """Return what a report says about the measure that goes with it, "" for none."""
    wanted = _wanted(context, verdict) if decision.action == "report" else None
    return wanted.told if wanted and not enforcement.is_needless(wanted, account) else ""


def enforce(context: Context, judgement: Judgement, done: Filing) -> None:
    """Take the measure that goes with a report that is open, once a report; go on with one that was begun.

    Raises RuleDropped where a rule of the verdict has used up its limit: judge again without it; RehearsalBegun where
    the dry run was turned on meanwhile.
    """
    if not context.settings.allow_enforcement or not done.report_id or done.outcome != "filed" or done.resolved:
        return
    context.ensure_filing()
    standing = context.actions.get(judgement.account.id)
    if done.announced and (standing is None or (standing.ended and standing.report_id != done.report_id)):
        _remember(context, judgement, done)
        return
    if standing is None or standing.ended:
        # One that ended for the same report stays what it is.
        standing = _plan(context, judgement, done)
    if standing is not None and standing.report_id == done.report_id:
        _go_on(context, standing)


def undo_expired(context: Context) -> int:
    """Undo what has expired, go on with what was left half done, and return how many came to an end.

    An account at which Mastodon fails keeps no other one waiting; the first such error is raised at the end.
    """
    context.ensure_running()
    if context.rehearsing():
        return 0
    ended, errors = 0, list[MastodonError]()
    due = list(context.actions.due(context.clock(), _AT_ONCE))
    # Those at which it always fails would come first in every run, and the others after them would stay restricted.
    random.shuffle(due)
    for action in due:
        if context.rehearsing():
            break
        try:
            ended += _alone(context, action.account_id)
        except Deferred:
            raise
        except MastodonError as error:
            errors.append(error)
            if len(errors) == _FAILURES_MAX:
                break
    if errors:
        raise errors[0]
    return ended


def _alone(context: Context, account_id: str) -> bool:
    """Look at one account's action while nobody judges it; one that is being judged has its turn at the next run."""
    with context.alone(f"account:{account_id}", _LOCK_S) as alone:
        action = context.actions.get(account_id) if alone else None
        return action is not None and not action.ended and _attend(context, action)


def _attend(context: Context, action: AccountAction) -> bool:
    try:
        account = context.mastodon("report").account(action.account_id)
    except MastodonNotFound:
        return _end(context, action, "left", "the account is gone")
    if action.state in ("planned", "sent") and action.measure not in enforcement.in_force(account):
        return _end(context, action, "failed", "it was not begun, or did not arrive")
    if action.state in ("sent", "acted"):
        _open_again(context, action if action.state == "acted" else _moved(context, action, "acted"))
        return False
    if action.state == "planned":
        return _end(context, action, "failed", "somebody else did it")
    return _undo(context, action, account)


# --- taking it ---


def _wanted(context: Context, verdict: Verdict) -> enforcement.Wanted | None:
    return enforcement.wanted(verdict, context.rules.rules) if context.settings.allow_enforcement else None


def _plan(context: Context, judgement: Judgement, done: Filing) -> AccountAction | None:
    wanted, account = _wanted(context, judgement.verdict), judgement.account
    if wanted is None or enforcement.is_needless(wanted, account):
        return None
    try:
        # A report that is open already was admitted for the rules of its day, not for one that hit later.
        guarding.admit(context, account, judgement.verdict, done.marker)
    except ReportingPaused:
        return None  # the account is held, and has its turn when a person has re-armed reporting
    now = context.clock()
    planned = AccountAction(
        account_id=account.id,
        measure=wanted.measure,
        rule_id=wanted.rule_id,
        report_id=done.report_id,
        state="planned",
        changed_at=now,
        expires_at=now + wanted.expires.total_seconds(),
        others=tuple(sorted(enforcement.in_force(account))),
    )
    return context.actions.plan(planned)


def _remember(context: Context, judgement: Judgement, done: Filing) -> None:
    """Record a measure that Redis has forgotten, by the report that announced it: it is not taken a second time.

    In force, it is ours, as moderators who decide resolve the report: it is undone in its time. If it is not, it was
    lifted, or has expired.
    """
    account, now, wanted = judgement.account, context.clock(), _wanted(context, judgement.verdict)
    claim = context.claims.get(account.id)
    expires = wanted.expires if wanted and wanted.measure == done.announced else EXPIRES_MAX
    stands = done.announced in enforcement.in_force(account)
    action = AccountAction(
        account_id=account.id,
        measure=done.announced,  # type: ignore[arg-type]  # ``announced`` returns nothing else
        rule_id=wanted.rule_id if wanted else next(iter(done.rules), "unknown"),
        report_id=done.report_id,
        state="done" if stands else "left",
        changed_at=now,
        expires_at=(claim.reported_at if claim else now) + expires.total_seconds(),
        why="" if stands else "Redis has forgotten it, and it is no longer in force",
    )
    context.actions.plan(action)
    why = f"report {done.report_id} says so; Redis had forgotten it"
    _audit(context, action, "enforced", action.measure if stands else "left", why)


def _go_on(context: Context, action: AccountAction) -> None:
    if action.state == "planned":
        reopen = context.mastodon("report").open_reports(action.account_id)
        action = _send(context, replace(action, reopen=reopen), expect=action)
    elif action.state == "sent":
        action = _look(context, action)
    if action.state == "acted":
        _open_again(context, action)


def _send(context: Context, action: AccountAction, *, expect: AccountAction) -> AccountAction:
    """Take the measure; an answer that is lost leaves ``sent``, which is looked up before anything is sent again."""
    context.ensure_filing()
    sent = replace(action, state="sent", changed_at=context.clock())
    _exchange(context, expect, sent)
    try:
        context.mastodon("report").take_measure(action.account_id, action.measure, action.report_id)
    except Deferred:
        _exchange(context, sent, replace(sent, state="planned", changed_at=context.clock()))
        raise
    except (MastodonAuthError, MastodonNotFound, MastodonRefused) as error:
        _end(context, sent, "failed", str(error))
        return replace(sent, state="failed")
    return _moved(context, sent, "acted")


def _look(context: Context, action: AccountAction) -> AccountAction:
    """Find out what became of a measure that was sent without an answer; send it again if it can't arrive any more."""
    account = context.mastodon("report").account(action.account_id)
    if action.measure in enforcement.in_force(account):
        return _moved(context, action, "acted")
    settled_at = action.changed_at + context.settings.request_timeout + SETTLE_S
    if context.clock() < settled_at:
        raise ActionInDoubt(f"the action on account {action.account_id} was sent and may still arrive", settled_at)
    return _send(context, action, expect=action)


def _open_again(context: Context, action: AccountAction) -> None:
    """Open the reports that Mastodon resolved with the measure: a person is to look at each. Then it is done."""
    mastodon, me = context.mastodon("report"), context.me_id()
    for report_id in action.reopen:
        try:
            report = mastodon.report(report_id)
            if report.resolved and report.resolved_by in ("", me):
                mastodon.reopen_report(report_id)
        except MastodonNotFound:
            continue
    _moved(context, action, "done")
    context.tally.add(metrics.ACTIONS_TAKEN)
    event(
        log,
        logging.INFO,
        "action_taken",
        account_id=action.account_id,
        measure=action.measure,
        rule_id=action.rule_id,
        report_id=action.report_id,
        expires_at=action.expires_at,
    )
    _audit(context, action, "enforced", action.measure, f"the rule {action.rule_id} asks for it")


# --- undoing it ---


def _undo(context: Context, action: AccountAction, account: Account) -> bool:
    """Undo the measure, unless moderators have decided otherwise since; a lost answer shows in the account."""
    left = enforcement.left_because(action, account)
    if left and action.state == "undoing" and action.measure not in enforcement.in_force(account):
        return _undone(context, action)
    left = left or _resolved(context, action)
    if left:
        return _end(context, action, "left", left)
    undoing = _moved(context, action, "undoing")
    try:
        context.mastodon("report").lift_measure(action.account_id, action.measure)
    except Deferred:
        _moved(context, undoing, "done")
        raise
    except (MastodonNotFound, MastodonRefused) as error:
        event(log, logging.WARNING, "action_not_undone", account_id=action.account_id, why=str(error))
        return _end(context, undoing, "left", str(error))
    return _undone(context, undoing)


def _resolved(context: Context, action: AccountAction) -> str:
    """Return that a person has resolved the report: whoever did has decided; "" where nobody has."""
    try:
        report = context.mastodon("report").report(action.report_id)
    except MastodonNotFound:
        return ""
    if report.resolved and report.resolved_by != context.me_id():
        return f"a moderator has resolved report {action.report_id}, so it stays"
    return ""


def _undone(context: Context, action: AccountAction) -> bool:
    context.tally.add(metrics.ACTIONS_UNDONE)
    return _end(context, action, "undone", "it has expired")


# --- the record ---


def _exchange(context: Context, expect: AccountAction, to: AccountAction) -> None:
    if not context.actions.move(expect, to):
        text = f"another worker acts on account {to.account_id}"
        raise ActionInDoubt(text, context.clock() + SETTLE_S)


def _moved(context: Context, action: AccountAction, state: ActionState) -> AccountAction:
    moved = replace(action, state=state, changed_at=context.clock())
    _exchange(context, action, moved)
    return moved


def _end(context: Context, action: AccountAction, state: ActionState, why: str) -> bool:
    _exchange(context, action, replace(action, state=state, changed_at=context.clock(), why=why))
    who, measure, undone = action.account_id, action.measure, state == "undone"
    if state == "failed":
        event(log, logging.WARNING, "action_failed", account_id=who, measure=measure, why=why)
    else:
        event(log, logging.INFO, "action_undone" if undone else "action_left", account_id=who, measure=measure, why=why)
    _audit(context, action, "undone", state, why)
    return True


def _audit(context: Context, action: AccountAction, what: AuditEvent, outcome: str, why: str) -> None:
    context.audit.add(
        AuditEntry(
            context.clock(),
            what,
            outcome,
            why,
            account_id=action.account_id,
            rules={action.rule_id: 0.0},
            report_id=action.report_id,
        )
    )
