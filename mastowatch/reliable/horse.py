"""The horse: a process that takes jobs and runs them, one after the other, until it is told to end or wears out.

Its parent (``worker``) forks it, watches it and kills it. The horse says on the ``slate`` what it does. All that
happens to a job in Redis happens in one script at its beginning and one at its end, and the one at the end takes the
next job as well: a job costs one round trip.
"""

from __future__ import annotations

import ctypes
import logging
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import uuid4

from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry as RedisRetry
from rq.callbacks import execute_failure_callback, execute_success_callback
from rq.exceptions import DeserializationError
from rq.job import Job, JobStatus, Retry
from rq.timeouts import JobTimeoutException
from rq.utils import as_text, utcformat

from mastowatch.logs import event, set_job_id
from mastowatch.reliable import ending, scripts
from mastowatch.reliable.doorbell import Doorbell
from mastowatch.reliable.ending import Ending, Run
from mastowatch.reliable.followups import follow_up
from mastowatch.reliable.line import Line, Script
from mastowatch.reliable.marker import Marker
from mastowatch.reliable.recovery import is_passing
from mastowatch.reliable.slate import Doing, Entry, Slate, Wish
from mastowatch.reliable.tidying import Tidying
from mastowatch.reliable.traces import Traces
from mastowatch.same_redis import same_redis

if TYPE_CHECKING:
    from mastowatch.reliable.worker import ReliableWorker

log = logging.getLogger(__name__)

BROKEN = 1  # the exit status of a horse that met something it should not have
EXECUTION_S = 90  # how long RQ may think that a job runs without a sign of life; ours comes every 2 s
LISTEN_S = 0.2  # how soon a waiting horse hears that it should end
LOOK_S = 1.0  # how often it looks whether it missed the bell
BUSY_IN_A_ROW = 20  # so many jobs without a pause, and the bell is taken down
SCRIPT_TRIES = 3  # so often a script may fail before the horse ends over it
FOLLOW_UP_S = 300
INTERRUPTED_MAX = 5  # runs of a job that its worker calls interrupted; the next such one fails
_PR_SET_PDEATHSIG = 1


_TAKE, _END, _FOLLOWED = (Script(lua) for lua in (scripts.TAKE, scripts.END, scripts.FOLLOWED))


class Horse:
    """Lives in the child process only; ``worker`` is the parent's object as it was at the fork."""

    def __init__(self, worker: ReliableWorker, slate: Slate, *, burst: bool = False) -> None:
        self.worker, self._slate, self._burst = worker, slate, burst
        # Tries once: redis-py would connect three times before it says that Redis stands still, and a horse that shows
        # no life for so long is killed, with the end of a job that nobody else knows of.
        self._redis = same_redis(worker.connection, retry=RedisRetry(NoBackoff(), 0))
        self._line = Line(self._redis)
        queues = worker.queue_keys()
        self._keys = [scripts.taken_key(worker.name), worker.key, *worker.gates, *queues]
        self._bell = Doorbell(self._redis, [*worker.gates, scripts.PAUSED_QUEUES, *queues])
        self._tidying = Tidying(worker)
        self._marker = Marker()
        self._pid, self._parent = os.getpid(), worker.pid or 0
        self._jobs = self._in_a_row = self._asked = self._up = 0
        self._worn = False
        self._execution_id = ""
        self._interrupted = 0
        self._note(Doing.STARTING)

    def run(self) -> NoReturn:
        """Work, and end the process."""
        code = BROKEN
        try:
            become_horse(self._parent)
            os.environ["RQ_WORKER_ID"] = self.worker.name
            self._traces = Traces()
            self._note(self._live())
            code = 0
        except BaseException as error:  # noqa: BLE001 -- nothing may get out of here: the parent's code is above us
            event(log, logging.ERROR, "horse_broken", error=f"{type(error).__name__}: {error}", exc_info=error)
        finally:
            logging.shutdown()
            os._exit(code)

    # --- its life ----------------------------------------------------------------------------------------

    def _live(self) -> Doing:
        turn = self.take()
        while True:
            kind, *rest = turn
            if kind == "job":
                turn = self._work(*rest)
            elif kind == "follow up":
                turn = self._follow_up(*rest)
            elif kind == "leftover":
                return Doing.LEFTOVER
            elif kind == "end":
                return Doing.CLEAN
            elif kind == "dropped":
                self._tell_dropped(*rest)
                turn = self.take()
            elif self._burst and kind in ("empty", "held"):
                return Doing.EMPTY
            else:
                self._rest(Doing.HELD if kind == "held" else Doing.WAITING)
                turn = self.take()

    def take(self) -> list[Any]:
        """Take the next job; returns scripts.TAKE's answer, or ["end"]."""
        if self._is_over():
            return ["end"]
        if not self.worker.may_take():
            return ["held"]
        self._execution_id = uuid4().hex
        # Without an answer nobody knows whether a job is in hand; the parent settles that.
        return self._insist(lambda: self._line.run(_TAKE, self._keys, self._take_arguments())) or ["leftover"]

    def _is_over(self) -> bool:
        return self._worn or self._slate.wish is Wish.END or os.getppid() != self._parent

    def _rest(self, doing: Doing) -> None:
        """Wait for the bell, and tidy up now and then."""
        self._in_a_row = 0
        self._tidy_if_due()
        until = time.monotonic() + LOOK_S
        while not self._is_over() and time.monotonic() < until:
            self._note(doing)
            if self._bell.wait(LISTEN_S):
                return

    def _tidy_if_due(self) -> None:
        if self._tidying.due():
            self._note(Doing.TIDYING, limit_s=120)
            self._tidying.run()

    def _insist(self, ask: Callable[[], list[Any]]) -> list[Any] | None:
        """Ask Redis until it answers; None if an end is wanted meanwhile. The scripts bear being asked twice."""
        pause, self._asked, self._up = 0.05, 0, 0
        while True:
            self._asked += 1
            try:
                answer = ask()
            except RedisError as error:
                self._bear(error)
            else:
                return [_text(answer[0]), *answer[1:]]
            self._still_alive()
            if self._is_over():
                return None
            time.sleep(pause)
            pause = min(pause * 2, 1.0)

    def _bear(self, error: RedisError) -> None:
        """Raise what asking again won't mend; a Redis that is away, full or read-only comes back."""
        self._tidying.put_off()
        # Its server may be gone without a word, or be the primary no longer.
        self._bell.take_down()
        if self._asked >= SCRIPT_TRIES and (
            not is_passing(error) if isinstance(error, ResponseError) else self._redis_answers_others()
        ):
            raise error
        if self._asked == 1:
            event(log, logging.DEBUG, "horse_waits_for_redis", error=f"{type(error).__name__}: {error}")

    def _redis_answers_others(self) -> bool:
        """Tell whether Redis answers others: then it is our question that it won't take, such as a huge result.

        Twice in a row: it may have come back just now, after our question and before the other.
        """
        self._still_alive()
        try:
            self._up = self._up + 1 if self._redis.ping() else 0
        except RedisError:
            self._up = 0
        return self._up > 1

    # --- a job -------------------------------------------------------------------------------------------

    def _work(self, queue_key: bytes, raw_id: bytes, record: list[bytes], status: bytes = b"queued") -> list[Any]:
        self._in_a_row += 1
        if self._in_a_row == BUSY_IN_A_ROW:
            self._bell.take_down()
        try:
            job_id = as_text(raw_id)
        except UnicodeDecodeError:
            self._drop_nameless(raw_id)
            return self.take()
        set_job_id(job_id)
        try:
            return self._work_on(job_id, as_text(queue_key).removeprefix("rq:queue:"), record, _text(status))
        finally:
            set_job_id(None)

    def _work_on(self, job_id: str, queue: str, record: list[bytes], status: str) -> list[Any]:
        job = self._read(job_id, record, status)
        if isinstance(job, str):
            return self._refuse(job_id, queue, job)
        job.origin = job.origin or queue
        end, run = self.perform(job, self._execution_id)
        self._jobs += 1
        self._worn = self._worn or self._jobs >= self.worker.horse_jobs
        return self.record(job, end, run)

    def _read(self, job_id: str, record: list[bytes], status: str) -> Job | str:
        """Return the job, or why it can't be run."""
        try:
            if not record:
                return "its record is gone"
            JobStatus(status)
            job = self.worker.job_class(job_id, connection=self.worker.connection, serializer=self.worker.serializer)
            fields = dict(zip(record[::2], record[1::2], strict=True))
            if b"data" not in fields:
                return "its record is incomplete"
            job.restore(fields)
            self._interrupted = int(fields.get(b"interrupted", 0))
            foreign = _foreign(job, self.worker.only)  # loads the data, which may be a pickle or damaged
        except RedisError:
            raise
        except DeserializationError:
            return "its data is no JSON (a pickle is never read)"
        except Exception as error:  # noqa: BLE001 -- a record can be damaged in any way, and must end here
            return f"its record can't be read: {type(error).__name__}"
        return foreign or job

    def perform(self, job: Job, execution_id: str) -> tuple[Ending, Run]:
        """Run the job and its callback; returns what came of it."""
        timeout = int(job.timeout or self.worker.queue_class.DEFAULT_TIMEOUT)
        self._note(Doing.RUNNING, job.id, execution_id, limit_s=max(timeout, 0))
        began = job.started_at or datetime.now(UTC)
        try:
            value = self.call(job, timeout)
            job.ended_at = datetime.now(UTC)
            run = Run(self.worker.name, execution_id, began, job.ended_at)
            if isinstance(value, Retry):
                return ending.asked_again(job, value, run), run
            self._note(Doing.RUNNING, job.id, execution_id, limit_s=job.success_callback_timeout)
            job._status = JobStatus.FINISHED  # noqa: SLF001 -- as rq.Worker does: callbacks read it
            execute_success_callback(job, self.worker.death_penalty_class, value)
            self._tell_done(job, run)
            return ending.succeeded(job, value, run, self.worker.default_result_ttl), run
        except BaseException:  # noqa: BLE001 -- SystemExit and the like are a job's failure, not the horse's end
            self._leave_if_a_copy()
            return self._failed(job, execution_id, began)

    def call(self, job: Job, timeout: int) -> Any:  # noqa: ANN401 -- any job's result
        """Call the job's function within its limit."""
        os.environ["RQ_JOB_ID"] = job.id
        if timeout < 0:
            value = _perform(job)
        else:
            with self.worker.death_penalty_class(timeout, JobTimeoutException, job_id=job.id):
                value = _perform(job)
        self._leave_if_a_copy()
        return value

    def _failed(self, job: Job, execution_id: str, began: datetime) -> tuple[Ending, Run]:
        caught = sys.exc_info()
        # What was cut off in its middle may have left anything behind; the next job gets a new process.
        self._worn = self._worn or isinstance(caught[1], (JobTimeoutException, MemoryError))
        if isinstance(caught[1], MemoryError):
            traceback.clear_frames(caught[2])  # what its variables hold is needed to record this
        job._status = JobStatus.FAILED  # noqa: SLF001 -- as above
        job.ended_at = datetime.now(UTC)
        interrupted = self._interrupted < INTERRUPTED_MAX and self.worker.is_interruption(caught[1])
        if not interrupted:
            self._note(Doing.RUNNING, job.id, execution_id, limit_s=job.failure_callback_timeout)
            try:
                execute_failure_callback(job, self.worker.death_penalty_class, *caught)
            except BaseException:  # noqa: BLE001 -- as rq.Worker does: it replaces the job's own error
                caught = sys.exc_info()
        self.worker.handle_exception(job, *caught, interrupted=interrupted)
        run = Run(self.worker.name, execution_id, began, job.ended_at)
        text = ending.described(*caught)
        if interrupted:
            return ending.interrupted(job, text, run, self._interrupted + 1), run
        return ending.failed(job, text, run), run

    def record(self, job: Job, end: Ending, run: Run) -> list[Any]:
        """Record the end of the job and take the next; returns scripts.TAKE's answer, or ["end"]."""
        self._note(Doing.RECORDING, job.id, run.execution_id)
        self._mind_what_was_changed()
        self._mind_what_was_closed()
        take_next = not self._is_over() and self.worker.may_take() and not self._tidying.overdue()
        self._execution_id = uuid4().hex
        arguments = end.arguments(job, run)

        def ask() -> list[Any]:
            wanted = [*self._take_arguments(), int(take_next), *arguments]
            return self._line.run(_END, self._keys, wanted)  # type: ignore[no-any-return]

        answer = self._insist_on_recording(ask, job)
        if answer[0] == "lost" and self._asked == 1:
            event(log, logging.WARNING, "job_lost_to_another_worker", queue=job.origin)
        if take_next:
            return [_text(answer[1]), *answer[2:]]
        self._tidy_if_due()
        return self.take()

    def _insist_on_recording(self, ask: Callable[[], list[Any]], job: Job) -> list[Any]:
        while True:
            answer = self._insist(ask)
            if answer is not None:
                return answer
            if os.getppid() != self._parent:
                os._exit(BROKEN)
            # The parent waits for its end, but the job is done: it would have to be done again. It may kill us.
            event(log, logging.DEBUG, "horse_keeps_an_ending", job_id=job.id)
            time.sleep(0.2)

    def _follow_up(self, raw_id: bytes, record: list[bytes]) -> list[Any]:
        job_id = as_text(raw_id)
        set_job_id(job_id)
        self._note(Doing.RUNNING, job_id, limit_s=FOLLOW_UP_S)
        try:
            self.follow_up(job_id, dict(zip(record[::2], record[1::2], strict=True)))
        except RedisError:
            return ["leftover"]
        finally:
            self._leave_if_a_copy()
            set_job_id(None)
        self._note(Doing.RECORDING, job_id)
        done = self._insist(lambda: [self._line.run(_FOLLOWED, self._keys[:1], [job_id])])
        return self.take() if done else ["leftover"]

    def follow_up(self, job_id: str, record: dict[bytes, bytes]) -> None:
        """Do what has to follow a job's end."""
        follow_up(self.worker, job_id, record)

    # --- small things ------------------------------------------------------------------------------------

    def _take_arguments(self) -> list[Any]:
        now = datetime.now(UTC)
        worker = self.worker
        return [worker.name, self._execution_id, utcformat(now), now.timestamp(), EXECUTION_S, len(worker.gates)]

    def _note(self, doing: Doing, job_id: str = "", execution_id: str = "", limit_s: float = 0.0) -> None:
        now = time.monotonic()
        self._entry = Entry(doing, now, limit_s, now, self._jobs, job_id, execution_id)
        self._slate.write(self._entry)

    def _still_alive(self) -> None:
        self._entry = replace(self._entry, seen=time.monotonic())
        self._slate.write(self._entry)

    def _mind_what_was_changed(self) -> None:
        changed = self._traces.found()
        if changed:
            event(log, logging.WARNING, "job_changed_its_process", what=changed, then="its process is replaced")
            self._worn = True

    def _mind_what_was_closed(self) -> None:
        """Connect anew if the job closed files that are not its own: their numbers may be another's by now."""
        if self._marker.untouched():
            return
        event(log, logging.WARNING, "job_closed_foreign_files", then="its process is replaced")
        self._worn = True
        self._line.hang_up()
        self._bell.take_down()
        for redis in (self._redis, self.worker.connection):
            redis.connection_pool.reset()

    def _leave_if_a_copy(self) -> None:
        """End a process that a job forked and that came back out of the job's function: it is no horse."""
        if os.getpid() != self._pid:
            os._exit(0)

    def _refuse(self, job_id: str, queue: str, reason: str) -> list[Any]:
        """Set a job aside whose record can't be read: failed, and left as it is for whoever looks."""
        event(log, logging.ERROR, "job_refused", queue=queue, reason=reason)
        job = self.worker.job_class(job_id, connection=self.worker.connection, serializer=self.worker.serializer)
        job.origin = queue
        now = datetime.now(UTC)
        run = Run(self.worker.name, self._execution_id, now, now)
        return self.record(job, ending.refused(job, reason, run), run)

    def _drop_nameless(self, raw_id: bytes) -> None:
        self.worker.connection.lrem(self._keys[0], 0, raw_id)  # type: ignore[arg-type]  # redis-py takes bytes too
        event(log, logging.ERROR, "job_refused", reason="its id is no text")

    def _tell_dropped(self, raw_id: bytes, why: bytes) -> None:
        event(log, logging.INFO, "job_dropped", job_id=raw_id.decode(errors="replace"), reason=_text(why))

    def _tell_done(self, job: Job, run: Run) -> None:
        if log.isEnabledFor(logging.DEBUG):
            took = round(run.seconds, 3)
            event(log, logging.DEBUG, "job_done", queue=job.origin, task=job.func_name, duration_s=took)


def _foreign(job: Job, only: Collection[str] | None) -> str:
    """Return what of a job nobody here has asked for, or "": a function, a callback or an address by another hand."""
    name = job.func_name
    if only is None:
        return ""
    if name not in only:
        return "its function is none that this worker calls"
    # The names as they stand in the record: to ask for the function itself would import it.
    callbacks = job._success_callback_name, job._failure_callback_name, job._stopped_callback_name  # noqa: SLF001
    return "it has a callback or a webhook, which no job here has" if any(callbacks) or job.webhooks else ""


def _perform(job: Job) -> Any:  # noqa: ANN401 -- any job's result
    """Run the job; however little it leaves of the stack, its end can be recorded."""
    limit = sys.getrecursionlimit()
    try:
        return job.perform()
    finally:
        sys.setrecursionlimit(limit)


def _text(raw: bytes | str) -> str:
    return raw if isinstance(raw, str) else raw.decode(errors="replace")


def become_horse(parent: int) -> None:
    """Make this process a horse: it dies with its parent, leads a group of its own, and minds no signal for others."""
    os.setpgrp()
    # Without its parent nobody would end it at its limit, and its job would be given to another.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(BROKEN)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # Not SIG_IGN, which a job's own children would inherit.
        signal.signal(number, lambda *_: None)
    random.seed()
    _be_the_first_to_go()


def _be_the_first_to_go() -> None:
    # When memory runs out, the kernel should end a job that can be run again, and not Mastodon's database.
    try:
        Path("/proc/self/oom_score_adj").write_text("500")
    except OSError as error:
        event(log, logging.DEBUG, "oom_score_kept", error=str(error))
