"""A Redis with something of everything that the API shows, under ids that do not change."""

from __future__ import annotations

import time
from pathlib import Path

from redis import Redis
from rq.job import JobStatus
from rq.results import Result

from mastowatch.config import Loaded, Settings
from mastowatch.jobs import context as contexts
from mastowatch.jobs.context import View
from mastowatch.jobs.queues import TASKS
from mastowatch.jobs.scheduler import get_scheduler
from mastowatch.ports.types import AuditEntry, Case, CaseReason, OpenReport
from mastowatch.reliable.serializer import JsonJob

RULES = Path(__file__).parents[1] / "etc" / "rules.d"
RULE = "casino-words"
WORKER = "mod-1-4711-3f2a9c"
ERROR = "mastowatch.errors.MastodonUnreachable: connection refused"
# Account ids by what became of the job that judges them.
WAITING, DELAYED, FAILED, FINISHED = ("109301", "109309"), ("109310",), ("109302", "109303"), ("109304",)


def view_of(redis: Redis) -> View:
    settings = Settings(rules_dir=RULES, instance_base="https://mastodon.example")
    return contexts.view(Loaded(settings, {}), redis)


def seed(view: View) -> None:
    """Fill an empty Redis."""
    now = time.time()
    get_scheduler(view.redis, view.settings).step(now)
    # Its lead would end after 3 s, in the middle of a test on a slow machine.
    view.redis.persist("rq:scheduler_lock")
    # One that recurs has ended its run, so that it may run again.
    _end(view.redis, "send_alerts", "high", now + 3600)
    for account_id in (*WAITING, *DELAYED, *FAILED, *FINISHED):
        view.jobs.analyze(account_id)
    for account_id in DELAYED:
        _move(view.redis, account_id, "scheduled", now + 3600)
    for account_id in FINISHED:
        _move(view.redis, account_id, "finished", now + 3600)
    for account_id in FAILED:
        job = _move(view.redis, account_id, "failed", now + 3600)
        traceback = f'Traceback (most recent call last):\n  File "...", line 1, in ...\n{ERROR}'
        Result.create_failure(job, 600, exc_string=traceback, worker_name=WORKER)
    _work(view.redis)
    _judge(view, now)


def analysis(account_id: str) -> str:
    """Return the id of the job that judges an account."""
    return TASKS["analyze_and_maybe_report"].job_id({"account_id": account_id})


def _end(redis: Redis, job_id: str, queue: str, score: float) -> None:
    redis.lrem(f"rq:queue:{queue}", 0, job_id)
    redis.zadd(f"rq:finished:{queue}", {job_id: score})
    JsonJob.fetch(job_id, connection=redis).set_status(JobStatus.FINISHED)


def _move(redis: Redis, account_id: str, status: str, score: float) -> JsonJob:
    job_id = analysis(account_id)
    redis.lrem("rq:queue:default", 0, job_id)
    redis.zadd(f"rq:{status}:default", {job_id: score})
    job = JsonJob.fetch(job_id, connection=redis)
    job.set_status(JobStatus(status))
    return job


def _work(redis: Redis) -> None:
    born = "2026-03-01T08:00:00.000000Z"
    redis.sadd("rq:workers", f"rq:worker:{WORKER}")
    told = {"state": "idle", "queues": "high,default,low", "hostname": "mod-1", "pid": "4711", "birth": born}
    redis.hset(f"rq:worker:{WORKER}", mapping={**told, "last_heartbeat": born, "rules": "3f0c6d1be2a4"})


def _judge(view: View, now: float) -> None:
    reason = CaseReason(RULE, "Casino advertising", 5.0, shadow=False, evidence="“online casino” in a post")
    acct, url, why = "win_big@spam.example", "https://spam.example/@win_big", "score 5.0 reaches the threshold"
    filed = Case("109302", acct, url, "report", 5.0, 0.0, "filed", why, now, (reason,), report_id="4711", marker="mw-1")
    view.cases.put(filed)
    view.cases.put(Case("109304", "a@b.example", "https://b.example/@a", "watch", 1.0, 0.0, "watched", "", now - 60))
    view.rule_stats.hits("109302", {RULE: False}, now)
    view.rule_stats.filed(OpenReport("4711", "109302", (RULE,), now), now + 3600)
    view.audit.add(AuditEntry(now, "judged", "filed", why, "109302", acct, "report", 5.0, rules={RULE: 5.0}))
    view.rule_switches.drop(RULE, "20 reports within an hour, and another one was due", "breaker", now)
    view.held.hold(RULE, "109304", now)
