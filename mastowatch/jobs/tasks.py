"""The tasks: plain functions that fetch by id, judge, decide, act. Call them directly within ``context.use``.

One that can't go on now (no budget, another worker at the same account, the panic stop) returns an
``rq.job.Retry``: RQ puts the job back for later, without using up one of its retries, and the worker is free.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import ParamSpec

from rq.job import Retry

from mastowatch import metrics
from mastowatch.domain.policy import decide
from mastowatch.errors import AccountBusy, Deferred, MastodonNotFound, Stopped
from mastowatch.jobs import context as contexts
from mastowatch.jobs import polling, reporting
from mastowatch.jobs.context import Context
from mastowatch.jobs.queues import TASKS
from mastowatch.ports.types import Account, Origin, QueuePoint, Status

P = ParamSpec("P")
Result = dict[str, int | float | str]

# A job that waits may do so for ever; only failures are counted and limited.
_WAITS_MAX = 1_000_000
_WHILE_STOPPED_S = 30
_BUSY_S = 5


def _may_wait(task: Callable[P, Result]) -> Callable[P, Result | Retry]:
    @wraps(task)
    def run(*args: P.args, **kwargs: P.kwargs) -> Result | Retry:
        context = contexts.current()
        try:
            return task(*args, **kwargs)
        except Stopped:
            return _later(_WHILE_STOPPED_S)
        except Deferred as error:
            context.tally.add(metrics.DEFERRED)
            return _later(error.retry_at - context.clock())

    return run


def _later(seconds: float) -> Retry:
    return Retry(max=_WAITS_MAX, interval=max(1, math.ceil(seconds)))


def poll_admin_accounts() -> Result:
    """Look at the remote accounts this server knows; queue the judgement of those worth a look."""
    return _poll("remote")


def poll_admin_accounts_local() -> Result:
    """Look at the local accounts; queue the judgement of those worth a look."""
    return _poll("local")


def _poll(origin: Origin) -> Result:
    try:
        return {**polling.poll(contexts.current(), origin).as_result()}
    except Stopped as error:
        return {"ended": str(error)}


@_may_wait
def analyze_and_maybe_report(account_id: str) -> Result:
    """Fetch an account and its posts, judge them, and report the account if it deserves it."""
    return _judge(contexts.current(), account_id)


@_may_wait
def process_new_status(status_id: str) -> Result:
    """Judge the author of a post that came in by webhook or stream."""
    context = contexts.current()
    context.ensure_running()
    try:
        status = context.mastodon("judge").status(status_id)
    except MastodonNotFound:
        return {"outcome": "gone"}
    return _judge(context, status.account_id, status)


def record_queue_stats() -> Result:
    """Add a point to the history of each queue."""
    context = contexts.current()
    now = context.clock()
    facts = context.jobs.facts(now)
    context.history.record(
        QueuePoint(
            now, one.name, one.depth, one.oldest_s, one.started, one.finished_total, one.failed_total, one.workers
        )
        for one in facts
    )
    return {"queues": len(facts), "depth": sum(one.depth for one in facts)}


def _judge(context: Context, account_id: str, *extra: Status) -> Result:
    """Judge one account, alone: a second worker at the same account waits its turn."""
    context.ensure_running()
    owner = uuid.uuid4().hex
    ttl_s = TASKS["analyze_and_maybe_report"].timeout_s + 10
    if not context.locks.acquire(f"account:{account_id}", owner, ttl_s):
        raise AccountBusy(f"another worker judges account {account_id}", context.clock() + _BUSY_S)
    try:
        return _judge_alone(context, account_id, extra)
    finally:
        context.locks.release(f"account:{account_id}", owner)


def _judge_alone(context: Context, account_id: str, extra: tuple[Status, ...]) -> Result:
    try:
        account = context.mastodon("judge").account(account_id)
        statuses = _posts(context, account, extra)
    except MastodonNotFound:
        return {"outcome": "gone"}
    settings = context.settings
    verdict = context.rules.judge(
        account,
        statuses,
        datetime.fromtimestamp(context.clock(), UTC),
        watch_at=settings.watch_threshold,
        report_at=settings.report_threshold,
    )
    decision = decide(
        verdict,
        account,
        me_id=context.me_id(),
        exempt_accounts=settings.exempt_accounts,
        exempt_domains=settings.exempt_domains,
        dry_run=settings.dry_run,
    )
    case = reporting.act(context, reporting.Judgement(account, statuses, verdict, decision))
    context.judged.remember(account_id, polling.fingerprint(account, context.judged_by()))
    context.tally.add(metrics.ACCOUNTS_JUDGED)
    context.tally.add(metrics.STATUSES_JUDGED, len(statuses))
    return {"outcome": case.outcome, "level": case.level, "score": case.score, "report_id": case.report_id}


def _posts(context: Context, account: Account, extra: tuple[Status, ...]) -> tuple[Status, ...]:
    """Return the account's newest posts with those at hand among them, each once."""
    fetched = context.mastodon("judge").account_statuses(account.id) if account.statuses or extra else ()
    known = {status.id for status in fetched}
    return (*(status for status in extra if status.id not in known), *fetched)
