"""``mastowatch jobs show ID``: one job in full."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import datetime

from mastowatch.cli.records import answer
from mastowatch.cli.tables import ago, lines_of, moment, plain, print_json, span, to_json
from mastowatch.config import Loaded
from mastowatch.jobs.context import View
from mastowatch.jobs.detail import Attempt, JobDetail, read_job


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Print the job; 1 if there is none."""
    return answer(loaded, lambda view: _show(view, arguments))


def _show(view: View, arguments: argparse.Namespace) -> int:
    now = view.clock()
    job = read_job(view.redis, arguments.id, now)
    if arguments.json:
        print_json(job)
        return 0
    facts = [(name, value) for name, value in _facts(job, now) if value]
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        print(f"{name:<{width}}  {plain(value)}")
    for number, attempt in enumerate(job.attempts, 1):
        for line in _attempt(number, attempt):
            print(line)
    return 0


def _facts(job: JobDetail, now: float) -> Iterator[tuple[str, str]]:
    """Yield names and values; those without a value are left out."""
    yield "id", job.id
    yield "status", job.status
    yield "queue", job.queue if job.place is None else f"{job.queue}, {job.place} before it"
    yield "function", job.function or "can't be read"
    yield "arguments", _arguments(job)
    yield "created", _moment(job.created_at, now)
    yield "due", _moment(job.due_at, now)
    yield "queued", _moment(job.enqueued_at, now)
    yield "started", _moment(job.started_at, now)
    yield "ended", _moment(job.ended_at, now)
    yield "took", "" if job.duration_s is None else span(job.duration_s)
    yield "may take", "" if job.timeout_s is None else span(job.timeout_s)
    yield "worker", job.worker_name or ""
    yield "retries left", "" if job.retries_left is None else str(job.retries_left)
    yield "error", job.error or ""
    yield "result", _result(job)


def _arguments(job: JobDetail) -> str:
    if not job.readable:
        return "can't be read: they are no JSON"
    told = [*map(to_json, job.args), *(f"{name}={to_json(value)}" for name, value in job.kwargs.items())]
    return ", ".join(told)


def _result(job: JobDetail) -> str:
    if not job.result_readable:
        return "can't be read: it is no JSON"
    return to_json(job.result) if job.status == "finished" else ""


def _moment(at: datetime | None, now: float) -> str:
    return f"{moment(at)} ({ago(at, now)})" if at is not None else ""


def _attempt(number: int, attempt: Attempt) -> Iterator[str]:
    took = f", took {span(attempt.duration_s)}" if attempt.duration_s is not None else ""
    worker = f", by {plain(attempt.worker_name)}" if attempt.worker_name else ""
    yield f"attempt {number}: {attempt.outcome} {moment(attempt.at)}{took}{worker}"
    yield from (f"  {line}" for line in lines_of(attempt.traceback or ""))
