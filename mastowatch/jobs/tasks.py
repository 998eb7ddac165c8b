"""The tasks: plain functions that fetch by id, judge, decide, act. Call them directly within ``context.use``.

One that can't go on now (no budget, another worker at the same account, the panic stop) returns an
``rq.job.Retry``: RQ puts the job back for later, without using up one of its retries, and the worker is free.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import ParamSpec

from rq.job import Retry, get_current_job

from mastowatch import metrics
from mastowatch.errors import Deferred, MastodonError, MastodonNotFound, Stopped
from mastowatch.jobs import alerts, annotating, enforcing, judging, outcomes, polling, timeline
from mastowatch.jobs import context as contexts
from mastowatch.jobs.context import Context
from mastowatch.jobs.judging import Result
from mastowatch.jobs.queues import HIGH
from mastowatch.ports.mastodon import Mastodon, Purpose
from mastowatch.ports.types import Origin, QueuePoint, Status

P = ParamSpec("P")

# A job that waits may do so for ever; only failures are counted and limited.
_WAITS_MAX = 1_000_000
_WHILE_STOPPED_S = 30


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


def _at_hand() -> Context:
    """Return the Context; what came by the most urgent queue, as from a webhook, has its own share of the budget."""
    context = contexts.current()
    job = get_current_job()
    if job is None or job.origin != HIGH:
        return context

    def urgent(purpose: Purpose) -> Mastodon:
        return context.mastodon("webhook" if purpose == "judge" else purpose)

    return replace(context, mastodon=urgent)


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
    return judging.judge(_at_hand(), account_id)


@_may_wait
def judge_again(account_id: str) -> Result:
    """Judge an account that was being judged when a campaign was found, or a rule re-armed, that concerns it."""
    return judging.judge(contexts.current(), account_id)


@_may_wait
def process_new_status(status_id: str) -> Result:
    """Judge the author of a post that a webhook told of."""
    context = _at_hand()
    context.ensure_running()
    try:
        status = context.mastodon("judge").status(status_id)
    except MastodonNotFound:
        return {"outcome": "gone"}
    return judging.judge(context, status.account_id, status)


@_may_wait
def process_new_statuses(status_ids: list[str]) -> Result:
    """Judge the authors of posts that came in by the stream or a look at the timeline.

    Whoever can't be judged now is queued alone, so that the others are not judged once more for that. So are those who
    come after one at whom Mastodon fails: it may be away, or fail at this one each time.
    """
    context = contexts.current()
    context.ensure_running()
    by_author: dict[str, list[Status]] = {}
    for status in context.mastodon("judge").statuses(status_ids):
        by_author.setdefault(status.account_id, []).append(status)
    filed = waiting = 0
    failed = False
    for account_id, statuses in by_author.items():
        try:
            if not failed:
                filed += judging.judge(context, account_id, *statuses)["outcome"] == "filed"
                continue
        except Deferred:
            pass
        except MastodonError:
            failed = True
        waiting += context.jobs.analyze(account_id)
    return {"posts": sum(map(len, by_author.values())), "accounts": len(by_author), "filed": filed, "waiting": waiting}


def poll_public_timeline() -> Result:
    """Look at the public timeline, unless the stream reads along; queue the judgement of posts worth a look."""
    try:
        return {**timeline.look(contexts.current()).as_result()}
    except Stopped as error:
        return {"ended": str(error)}


def send_alerts() -> Result:
    """Tell the address in ALERT_WEBHOOK_FILE what has been dropped; what can't be told is tried at the next tick."""
    return {"sent": alerts.send_due(contexts.current())}


def undo_expired_actions() -> Result:
    """Undo measures that have expired, and go on with those that a death left half done."""
    try:
        return {"settled": enforcing.undo_expired(contexts.current())}
    except (Stopped, Deferred) as error:
        return {"ended": str(error)}


@_may_wait
def annotate_report(report_id: str) -> Result:
    """Judge the account that somebody else has reported, and add the verdict to its case; files nothing."""
    return annotating.annotate(_at_hand(), report_id)


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


def read_report_outcomes() -> Result:
    """Read what moderators made of the reports, and drop rules that were wrong too often."""
    try:
        return {**outcomes.read(contexts.current()).as_result()}
    except Stopped as error:
        return {"ended": str(error)}
