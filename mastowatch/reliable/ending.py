"""What came of a job, as a value: where it goes, what its record and its result say. Decides, and touches nothing.

Follows RQ 3.0 (``rq.worker.base``: handle_job_success, handle_job_failure, handle_job_retry) in what is written, with
two differences: an attempt that will be tried again is recorded too, and texts are bounded.
"""

from __future__ import annotations

import json
import traceback
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from rq.defaults import DEFAULT_FAILURE_TTL
from rq.job import Job, JobStatus, Retry
from rq.repeat import Repeat
from rq.results import Result
from rq.utils import utcformat

# A traceback is for reading. Its ends say what was called and what went wrong.
TEXT_MAX = 32_000
RESULT_MAX = 10_000_000  # bytes of JSON; past some such size Redis hangs up on whoever sends it
KEEP_MAX_S = 10 * 365 * 86_400  # EXPIRE refuses what would be past the end of time
REFUSED_S = 86_400  # how long a record that can't be read is kept for whoever looks
FINISHED, FAILED, SCHEDULED = JobStatus.FINISHED.value, JobStatus.FAILED.value, JobStatus.SCHEDULED.value


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job: by whom, under which id, and when; aware datetimes."""

    worker_name: str
    execution_id: str
    began: datetime
    ended: datetime

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.ended - self.began).total_seconds()


@dataclass(frozen=True, slots=True)
class Ending:
    """``where``: ended, delayed, front, back or deleted. Ages in seconds; '' keeps a record as long as it is kept.

    ``outcome`` is what counts in the totals, ``follow_up`` what dependents, webhooks and slots are told.
    """

    where: str
    fields: dict[str, Any]
    registry: str = ""
    score: float | str = 0
    keep_s: int | str = ""
    result: dict[str, Any] = field(default_factory=dict)
    result_keep_s: int = -1
    counter: str = "failed_job_count"
    outcome: str = ""
    follow_up: str = ""

    def arguments(self, job: Job, run: Run) -> list[Any]:
        """Return what scripts.END wants to know, from ARGV[8] on."""
        sure = bool(self.follow_up and (job.webhooks or job.has_rate_limit))
        fields = [part for pair in self.fields.items() for part in pair]
        result = [part for pair in self.result.items() for part in pair]
        where = [job.id, run.execution_id, job.origin, self.where, self.registry, self.score, self.keep_s]
        counts = [self.result_keep_s, self.counter, run.seconds, self.outcome, self.follow_up, int(sure)]
        return [*where, *counts, len(fields), *fields, *result]


def succeeded(job: Job, value: Any, run: Run, default_result_ttl: int) -> Ending:  # noqa: ANN401 -- any job's result
    """Return the end of a job that returned ``value``."""
    ttl = min(job.get_result_ttl(default_result_ttl), KEEP_MAX_S)
    common: dict[str, Any] = {"counter": "successful_job_count", "outcome": FINISHED, "follow_up": FINISHED}
    if ttl != 0:
        common.update(result=_result(job, Result.Type.SUCCESSFUL, run, value=value), result_keep_s=ttl)
    if job.repeats_left:
        return _repeated(job, run, common)
    fields = {"status": FINISHED, "ended_at": utcformat(run.ended)}
    if ttl == 0:
        return Ending("deleted", fields, **common)
    registry = f"rq:finished:{job.origin}"
    score = run.ended.timestamp() + ttl if ttl > 0 else "+inf"
    return Ending("ended", fields, registry, score, ttl if ttl > 0 else "", **common)


def failed(job: Job, text: str, run: Run) -> Ending:
    """Return the end of a job that raised: another try if it has one left, else a failure for good."""
    keep = _keep(job)
    if job.should_retry:
        result = _result(job, Result.Type.RETRIED, run, text=text)
        end = "front" if job.enqueue_at_front_on_retry else "back"
        fields = {"retries_left": (job.retries_left or 0) - 1}
        return _again(job, run, job.get_retry_interval(), end, result, keep, fields)
    return _for_good(job, run, keep, _result(job, Result.Type.FAILED, run, text=text))


def asked_again(job: Job, retry: Retry, run: Run) -> Ending:
    """Return the end of a job that returned ``retry``: it goes on later, unless it did so too often."""
    keep = _keep(job)
    done = job.number_of_retries or 0
    if done and done >= retry.max:
        return _for_good(job, run, keep, _result(job, Result.Type.MAX_RETRIES_EXCEEDED, run, value=retry))
    front = bool(job.enqueue_at_front_on_retry or retry.enqueue_at_front)
    fields: dict[str, Any] = {"number_of_retries": done + 1}
    if front:
        fields["enqueue_at_front_on_retry"] = 1
    pause = Retry.get_interval(done, retry.intervals)
    result = _result(job, Result.Type.RETRIED, run, value=retry)
    return _again(job, run, pause, "front" if front else "back", result, keep, fields)


def interrupted(job: Job, text: str, run: Run, times: int) -> Ending:
    """Return the end of a run that ended for no fault of the job's, for the ``times``-th time: it has all its tries."""
    keep = _keep(job)
    result = _result(job, Result.Type.RETRIED, run, text=text)
    return _again(job, run, 0, "back", result, keep, {"interrupted": times})


def refused(job: Job, reason: str, run: Run) -> Ending:
    """Return the end of a job whose record can't be read; of ``job`` only its id and origin are known."""
    fields = {"status": FAILED, "ended_at": utcformat(run.ended)}
    result = _result(job, Result.Type.FAILED, run, text=f"Refused: {reason}.")
    score = run.ended.timestamp() + REFUSED_S
    return Ending("ended", fields, f"rq:failed:{job.origin}", score, REFUSED_S, result, REFUSED_S, outcome=FAILED)


def described(kind: Any, error: Any, trace: Any) -> str:  # noqa: ANN401 -- what sys.exc_info gives
    """Return the traceback as text, as far as the error lets itself be described."""
    try:
        return "".join(traceback.format_exception(kind, error, trace))
    except BaseException as second:  # noqa: BLE001 -- it runs what the error's class says, which may be anything
        lines = "".join(traceback.format_tb(trace))
        return f"{lines}{kind.__name__}: (its text can't be made: {type(second).__name__})\n"


def bounded(text: str) -> str:
    """Return ``text`` as UTF-8 can hold it, and without its middle if it is very long."""
    if len(text) > TEXT_MAX:
        half = TEXT_MAX // 2
        text = f"{text[:half]}\n[... {len(text) - TEXT_MAX} characters left out ...]\n{text[-half:]}"
    return text.encode(errors="backslashreplace").decode()


def _result(job: Job, kind: Result.Type, run: Run, *, value: Any = None, text: str | None = None) -> dict[str, Any]:  # noqa: ANN401 -- any job's result
    # RQ's own writing of it; what has no JSON form is replaced there by a note that says so.
    written = Result(
        job.id,
        kind,
        connection=job.connection,
        return_value=value,
        exc_string=None if text is None else bounded(text),
        worker_name=run.worker_name,
        serializer=job.serializer,
        execution_id=run.execution_id,
        execution_started_at=run.began,
        execution_ended_at=run.ended,
    ).serialize()
    if len(written.get("return_value", "")) > RESULT_MAX * 4 // 3:  # base64
        note = job.serializer.dumps(f"A result of over {RESULT_MAX} bytes was not kept")
        written["return_value"] = b64encode(note).decode()
    return written


def _again(
    job: Job, run: Run, pause_s: int, end: str, result: dict[str, Any], keep: int, fields: dict[str, Any]
) -> Ending:
    ended = {"ended_at": utcformat(run.ended), **fields}
    ttl = job.ttl or ""  # how long it may wait, once more
    if pause_s:
        at = int((run.ended + timedelta(seconds=pause_s)).timestamp())
        ended["status"] = SCHEDULED
        # While it waits, its slot is another's; a dependent learns of it only when it has ended.
        then = SCHEDULED if job.has_rate_limit else ""
        return Ending("delayed", ended, f"rq:scheduled:{job.origin}", at, ttl, result, keep, follow_up=then)
    ended.update(status=JobStatus.QUEUED.value, enqueued_at=utcformat(datetime.now(UTC)))
    return Ending(end, ended, keep_s=ttl, result=result, result_keep_s=keep)


def _keep(job: Job) -> int:
    return min(DEFAULT_FAILURE_TTL if job.failure_ttl is None else job.failure_ttl, KEEP_MAX_S)


def _for_good(job: Job, run: Run, keep: int, result: dict[str, Any]) -> Ending:
    fields = {"status": FAILED, "ended_at": utcformat(run.ended)}
    score = run.ended.timestamp() + keep if keep >= 0 else keep
    outcome: dict[str, Any] = {"outcome": FAILED, "follow_up": FAILED}
    if keep == 0:
        return Ending("deleted", fields, **outcome)
    return Ending("ended", fields, f"rq:failed:{job.origin}", score, max(keep, 0) or "", result, keep, **outcome)


def _repeated(job: Job, run: Run, common: dict[str, Any]) -> Ending:
    intervals = job.repeat_intervals or []
    pause_s = Repeat.get_interval(0, intervals) if intervals else 0
    fields: dict[str, Any] = {"ended_at": utcformat(run.ended), "repeats_left": (job.repeats_left or 0) - 1}
    common["keep_s"] = job.ttl or ""
    if len(intervals) > 1:
        fields["repeat_intervals"] = json.dumps(intervals[1:])
    if pause_s:
        at = int((run.ended + timedelta(seconds=pause_s)).timestamp())
        fields["status"] = SCHEDULED
        return Ending("delayed", fields, f"rq:scheduled:{job.origin}", at, **common)
    fields.update(status=JobStatus.QUEUED.value, enqueued_at=utcformat(datetime.now(UTC)))
    return Ending("back", fields, **common)
