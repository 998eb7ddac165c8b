"""Fills a Redis with something of everything, as a server has it that has run for a week. All times from ``now``."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from redis import Redis
from rq.results import Result

from mastowatch import metrics
from mastowatch.config import Loaded, Settings
from mastowatch.jobs import context as contexts
from mastowatch.jobs.context import View
from mastowatch.jobs.scheduler import get_scheduler, recurring_jobs
from mastowatch.ports.types import AuditEntry, Case, CaseReason, OpenReport, QueuePoint
from mastowatch.reliable.serializer import JsonQueue

TASKS = "mastowatch.jobs.tasks."
INSTANCE = "https://mastodon.example"
RULES = Path(__file__).parents[2] / "etc" / "rules.d"
_UNREACHABLE = (
    "Traceback (most recent call last):\n"
    '  File "/usr/lib/mastowatch/mastowatch/jobs/tasks.py", line 61, in analyze_and_maybe_report\n'
    "    account = mastodon.account(account_id)\n"
    '  File "/usr/lib/mastowatch/mastowatch/adapters/mastodon_api.py", line 204, in account\n'
    "    raise MastodonUnreachable(str(error)) from error\n"
    "mastowatch.errors.MastodonUnreachable: GET /api/v1/accounts/{id}: timed out after 20 s"
)
_REFUSED = (
    "Traceback (most recent call last):\n"
    '  File "/usr/lib/mastowatch/mastowatch/jobs/tasks.py", line 88, in annotate_report\n'
    "    report = mastodon.report(report_id)\n"
    "mastowatch.errors.MastodonRefused: 403: This action is not allowed"
)
_FAULT = (
    "Traceback (most recent call last):\n"
    '  File "/usr/lib/mastowatch/mastowatch/jobs/judging.py", line 40, in judge\n'
    "    verdict = rules.judge(facts)\n"
    "KeyError: 'created_at'"
)


def make_view(redis: Redis) -> View:
    """Return the View of the seeded server."""
    return contexts.view(Loaded(Settings(instance_base=INSTANCE, rules_dir=RULES, dry_run=False), {}), redis)


def seed(redis: Redis, now: float | None = None) -> View:
    """Fill ``redis`` and return its View."""
    at = now or time.time()
    view = seed_jobs(redis, at)
    view.history.record(history(at))
    _people(view, at)
    _counts(view)
    return view


def seed_jobs(redis: Redis, now: float | None = None) -> View:
    """Fill ``redis`` with jobs, workers and queues alone, and return its View."""
    at, view = now or time.time(), make_view(redis)
    _recurring(view, at)
    _waiting(redis, at)
    _running(redis, at)
    _ended(redis, at)
    return view


def fail_job(redis: Redis, job_id: str, error: str = _FAULT, *, at: float | None = None, task: str = "") -> None:
    """Leave a failed job, as a worker leaves it."""
    ended = at or time.time()
    name = task or "analyze_and_maybe_report"
    _record(redis, job_id, name, {"account_id": job_id.rpartition("-")[2]}, "default", ended - 2.5, "failed")
    redis.hset(f"rq:job:{job_id}", mapping={"started_at": iso(ended - 1.5), "ended_at": iso(ended)})
    redis.zadd("rq:failed:default", {job_id: ended + 31_536_000})
    redis.hincrby("rq:totals", "default:failed", 1)
    job = JsonQueue("default", connection=redis).fetch_job(job_id)
    assert job is not None
    Result.create_failure(job, 31_536_000, exc_string=error.replace("{id}", job_id.rpartition("-")[2]))
    _date_results(redis, job_id, ended)


def _date_results(redis: Redis, job_id: str, at: float) -> None:
    """Have the last result on record be of ``at``: RQ writes down when it was told."""
    key = f"rq:results:{job_id}"
    ((_, fields),) = redis.xrevrange(key, count=1)
    redis.delete(key)
    redis.xadd(key, fields, id=f"{int(at * 1000)}-0")


def history(now: float, days: int = 8) -> Iterator[QueuePoint]:
    """Yield a history that follows the day, by ten minutes, and by the minute for the last two hours."""
    old = [now - 7200 - 600 * step for step in range(days * 144)]
    totals = {"high": [0.0, 0.0], "default": [0.0, 0.0], "low": [0.0, 0.0]}
    last = min(old)
    for at in sorted([*old, *(now - 60 * step for step in range(120))]):
        day = 0.5 + 0.5 * math.sin((at % 86400) / 86400 * 2 * math.pi - 1.9)
        noise = 0.5 + 0.5 * math.sin(at / 211) * math.cos(at / 977)
        for queue, share in (("high", 0.3), ("default", 1.0), ("low", 0.08)):
            burst = 1.0 if now - 2400 < at < now - 1500 and queue == "default" else 0.0
            rate = share * (12 + 40 * day + 14 * noise) * (1 - 0.4 * burst)
            done, failed = totals[queue]
            totals[queue] = [done + rate * (at - last) / 60, failed + rate * (0.004 + 0.12 * burst) * (at - last) / 60]
            depth = int(share * (3 * noise + 9 * day) + 60 * burst)
            waited = (0.2 + 2.5 * noise * day) * share + 42 * burst * noise
            yield QueuePoint(at, queue, depth, round(waited, 3), 1, *(int(one) for one in totals[queue]), 2)
        last = at


def iso(at: float) -> str:
    """Return a time as RQ writes it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _record(
    redis: Redis, job_id: str, task: str, kwargs: dict[str, object], queue: str, at: float, status: str
) -> None:
    told = ", ".join(str(one) for one in kwargs.values())
    JsonQueue(queue, connection=redis).enqueue(
        TASKS + task, kwargs=kwargs, job_id=job_id, description=f"{task}({told})", job_timeout=120
    )
    redis.hset(f"rq:job:{job_id}", mapping={"status": status, "created_at": iso(at), "enqueued_at": iso(at)})
    if status != "queued":
        redis.lrem(f"rq:queue:{queue}", 0, job_id)


def _recurring(view: View, now: float) -> None:
    """Plan the recurring jobs and let each have run."""
    redis = view.redis
    get_scheduler(redis, view.settings).step(now - 20)
    for one in recurring_jobs(view.settings):
        redis.lrem(f"rq:queue:{one.queue}", 0, one.id)
        ended = {"status": "finished", "started_at": iso(now - 19.6), "ended_at": iso(now - 18.9)}
        redis.hset(f"rq:job:{one.id}", mapping=ended)
        redis.zadd(f"rq:finished:{one.queue}", {one.id: now + 3600})


def _waiting(redis: Redis, now: float) -> None:
    for number in range(14):
        at = now - 31 + 2 * number
        _record(redis, f"analyze_and_maybe_report-11520{number:02}", "analyze_and_maybe_report",
                {"account_id": f"11520{number:02}"}, "default", at, "queued")  # fmt: skip
    for number in range(2):
        _record(redis, f"process_new_status-11600{number}", "process_new_status", {"status_id": f"11600{number}"},
                "high", now - 1.2, "queued")  # fmt: skip
    job = "analyze_and_maybe_report-1153001"
    _record(redis, job, "analyze_and_maybe_report", {"account_id": "1153001"}, "default", now - 70, "scheduled")
    redis.zadd("rq:scheduled:default", {job: now + 180})
    redis.hset(f"rq:job:{job}", "retries_left", 2)
    job = "judge_again-1153002"
    _record(redis, job, "judge_again", {"account_id": "1153002"}, "default", now - 20, "deferred")
    redis.zadd("rq:deferred:default", {job: now + 3600})


def _running(redis: Redis, now: float) -> None:
    for number, (name, queues) in enumerate(
        (("mod-1-4711-3f2a9c", "high,default"), ("mod-1-4712-b81d07", "default,low"))
    ):
        worker = f"rq:worker:{name}"
        redis.sadd("rq:workers", worker)
        for queue in queues.split(","):
            redis.sadd(f"rq:workers:{queue}", worker)
        facts = {
            "state": "busy" if number == 0 else "idle",
            "queues": queues,
            "hostname": "mod-1",
            "pid": 4711 + number,
            "birth": iso(now - 190_000),
            "last_heartbeat": iso(now - 1),
            "successful_job_count": 48_211 - 9_000 * number,
            "failed_job_count": 7 - number,
            "total_working_time": 61_000.5,
            "dry_run": "false",
        }
        redis.hset(worker, mapping=facts)
    job = "poll_admin_accounts-now"
    _record(redis, job, "poll_admin_accounts", {}, "default", now - 6, "started")
    redis.hset(f"rq:job:{job}", mapping={"started_at": iso(now - 4.2), "worker_name": "mod-1-4711-3f2a9c"})
    redis.zadd("rq:wip:default", {f"{job}:8c1f": now + 60})
    redis.sadd("rq:worker:mod-1-4711-3f2a9c:executions", f"{job}:8c1f")
    redis.set("rq:scheduler_lock", "mod-1")


def _ended(redis: Redis, now: float) -> None:
    for number in range(12):
        fail_job(redis, f"analyze_and_maybe_report-1151{number:03}", _UNREACHABLE, at=now - 1700 - 40 * number)
    for number in range(3):
        fail_job(redis, f"annotate_report-88{number}", _REFUSED, at=now - 9000 - 600 * number, task="annotate_report")
    fail_job(redis, "analyze_and_maybe_report-1150777", _FAULT, at=now - 52_000)
    for number in range(9):
        job = f"analyze_and_maybe_report-11490{number:02}"
        _record(
            redis,
            job,
            "analyze_and_maybe_report",
            {"account_id": job[-7:]},
            "default",
            now - 40 - 9 * number,
            "finished",
        )
        redis.hset(f"rq:job:{job}", mapping={
            "started_at": iso(now - 38.6 - 9 * number), "ended_at": iso(now - 37.9 - 9 * number),
            "worker_name": "mod-1-4711-3f2a9c",
        })  # fmt: skip
        redis.zadd("rq:finished:default", {job: now + 86_000 - 9 * number})
        found = JsonQueue("default", connection=redis).fetch_job(job)
        assert found is not None
        Result.create(found, Result.Type.SUCCESSFUL, 86_400, return_value={"level": "none", "score": 0.4})
        _date_results(redis, job, now - 37.9 - 9 * number)
    job = "process_new_status-115999"
    _record(redis, job, "process_new_status", {"status_id": "115999"}, "high", now - 4000, "canceled")
    redis.zadd("rq:canceled:high", {job: now - 3900})


def _people(view: View, now: float) -> None:
    wave = CaseReason(
        "copy-paste-wave", "Same text from many accounts", 6.0, False, "“Earn 500 € a day” from 14 accounts"
    )
    link = CaseReason("crypto-link-spam", "Link to a crypto shop", 4.5, False, "links to coin-gift.example in 5 posts")
    name = CaseReason("sign-scripted-name", "Name made by a script", 1.5, False, "user83920174")
    dim = CaseReason("goods-spam", "Goods for sale", 3.0, True, "“cheap watches”")
    people = (
        ("115301", "user83920174@spam.example", "report", 12.0, "filed", (wave, link, name), "2207"),
        ("115302", "coin_gift_77@spam.example", "report", 10.5, "filed", (wave, link), "2206"),
        ("115303", "maria.garden@kind.example", "watch", 3.5, "watched", (name, dim), ""),
        ("115304", "deals_daily", "report", 7.5, "rehearsed", (link, dim), ""),
        ("115305", "user18273645@spam.example", "report", 9.0, "filed", (wave, name), "2205"),
        ("115306", "newsdesk@press.example", "none", 0.0, "watched", (dim,), ""),
        ("115307", "rapid_bot@other.example", "report", 6.0, "refused", (wave,), ""),
        ("115308", "long.name.that.does.not.end.soon.at.all@a-rather-long-server-name.example", "watch", 4.5, "watched",
         (link,), ""),
    )  # fmt: skip
    for number, (account, acct, level, score, outcome, reasons, report) in enumerate(people):
        at = now - 95 * (number + 1) ** 2
        why = (
            "" if outcome in ("filed", "watched") else "DRY_RUN is on" if outcome == "rehearsed" else "followed locally"
        )
        reported = tuple(one.rule_id for one in reasons) if report else ()
        case = Case(
            account_id=account,
            acct=acct,
            url=f"https://spam.example/@{acct.partition('@')[0]}",
            level=level,
            score=score,
            shadow_score=3.0 if dim in reasons else 0.0,
            outcome=outcome,
            why=why,
            judged_at=at,
            reasons=reasons,
            report_id=report,
            marker=f"mw-{account}" if report else "",
            status_ids=("9001", "9002") if report else (),
            generation=1 if report else 0,
            reported=reported,
        )
        view.cases.put(case)
        weights = {one.rule_id: one.weight for one in reasons if not one.shadow}
        shadow = {one.rule_id: one.weight for one in reasons if one.shadow}
        view.rule_stats.hits(account, {one.rule_id: one.shadow for one in reasons}, at)
        view.audit.add(AuditEntry(at, "judged", outcome, why, account, acct, level, score, 0.0,  # type: ignore[arg-type]
                                  weights, shadow, report))  # fmt: skip
        if report:
            opened = OpenReport(report, account, tuple(weights), at)
            view.rule_stats.filed(opened, now + 600)
            view.rule_stats.decided(opened, "kept" if number != 1 else "rejected", {}, now)  # type: ignore[arg-type]


def _counts(view: View) -> None:
    amounts = {
        metrics.ACCOUNTS_SEEN: 182_340, metrics.POSTS_SEEN: 913_022, metrics.ACCOUNTS_JUDGED: 61_407,
        metrics.STATUSES_JUDGED: 70_112, metrics.REPORTS_FILED: 312, metrics.REPORTS_REHEARSED: 41,
        metrics.WATCHED: 1_204, metrics.WEBHOOKS_QUEUED: 40_771,
    }  # fmt: skip
    view.tally.add_all(amounts)
    view.redis.hset("rq:totals", mapping={"default:finished": 91_002, "high:finished": 40_771, "low:finished": 2_016})
    for _ in range(130):
        view.budget.take("judge", paged=False)
