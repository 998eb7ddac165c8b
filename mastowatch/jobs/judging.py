"""Judges one account: fetches it and its posts, asks the rules and the policy, and has the decision carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from mastowatch import metrics
from mastowatch.domain.policy import decide
from mastowatch.errors import AccountBusy, MastodonNotFound, RehearsalBegun, RuleDropped
from mastowatch.jobs import campaigns, enforcing, guarding, learning, polling, reporting
from mastowatch.jobs.context import Context
from mastowatch.jobs.filing import Judgement
from mastowatch.jobs.queues import TASKS
from mastowatch.ports.types import Account, Case, Sighting, Status

Result = dict[str, int | float | str]
Act = Callable[[Context, Judgement], Case]
_BUSY_S = 5
# Each round drops a rule at least; more than these hit nobody.
_ROUNDS_MAX = 20


def judge(context: Context, account_id: str, *extra: Status, act: Act = reporting.act) -> Result:
    """Judge one account, with the posts at hand, alone: a second worker at the same account waits its turn.

    ``act`` carries the decision out, and returns the case.
    """
    context.ensure_running()
    with context.alone(f"account:{account_id}", TASKS["analyze_and_maybe_report"].timeout_s + 10) as alone:
        if not alone:
            raise AccountBusy(f"another worker judges account {account_id}", context.clock() + _BUSY_S)
        return _judge_alone(context, account_id, extra, act)


def _judge_alone(context: Context, account_id: str, extra: tuple[Status, ...], act: Act) -> Result:
    rehearsing = context.rehearsing()
    try:
        account = context.mastodon("judge").account(account_id)
        statuses = _posts(context, account, extra)
    except MastodonNotFound:
        reporting.record_gone(context, account_id)
        return {"outcome": "gone"}
    try:
        case = _decide_and(act, context, account, statuses, rehearsing=rehearsing)
    except RehearsalBegun:
        rehearsing = True
        case = _decide_and(act, context, account, statuses, rehearsing=True)
    if act is reporting.act:  # one that was only looked at has yet to be acted on
        # By what was decided, not by how the switch stands by now: else nobody would look again when it is turned.
        judged_by = context.judged_by(rehearsing=rehearsing)
        context.judged.remember(account_id, polling.fingerprint(account, judged_by))
    context.tally.add(metrics.ACCOUNTS_JUDGED)
    context.tally.add(metrics.STATUSES_JUDGED, len(statuses))
    return {"outcome": case.outcome, "level": case.level, "score": case.score, "report_id": case.report_id}


def _decide_and(
    act: Act, context: Context, account: Account, statuses: tuple[Status, ...], *, rehearsing: bool
) -> Case:
    """Decide and act; once more for each rule that is dropped to shadow meanwhile, without it."""
    now = datetime.fromtimestamp(context.clock(), UTC)
    seen = campaigns.note(context, account, statuses, now)
    for _ in range(_ROUNDS_MAX):
        with suppress(RuleDropped):
            judgement = _judgement(context, account, statuses, now, seen, rehearsing=rehearsing)
            case = act(context, judgement)
            if act is reporting.act:  # its hits are counted when it is acted on
                learning.note(context, judgement, case)
            return case
    raise AccountBusy("its rules are dropped and re-armed all the time", context.clock() + _BUSY_S)


def _judgement(
    context: Context,
    account: Account,
    statuses: tuple[Status, ...],
    now: datetime,
    seen: Mapping[Sighting, tuple[str, ...]],
    *,
    rehearsing: bool,
) -> Judgement:
    """Return what the rules in force and the policy make of the account."""
    settings, dropped = context.settings, guarding.shadowed(context)
    judged = partial(
        context.rules.judge,
        account,
        statuses,
        now,
        campaigns=seen,
        watch_at=settings.watch_threshold,
        report_at=settings.report_threshold,
    )
    verdict = judged(shadowed=dropped)
    decision = decide(
        verdict,
        account,
        me_id=context.me_id(),
        exempt_accounts=settings.exempt_accounts,
        exempt_domains=settings.exempt_domains,
        our_bots=settings.our_bots,
        dry_run=rehearsing,
    )
    decision = guarding.spare(context, account, decision)
    decision = guarding.keep(context, account, verdict, decision, dropped, judged)
    action = enforcing.announce(context, account, verdict, decision)
    return Judgement(account, statuses, verdict, decision, action)


def _posts(context: Context, account: Account, extra: tuple[Status, ...]) -> tuple[Status, ...]:
    """Return the account's newest posts with those at hand among them, each once."""
    fetched = context.mastodon("judge").account_statuses(account.id) if account.statuses or extra else ()
    known = {status.id for status in fetched}
    return (*(status for status in extra if status.id not in known), *fetched)
