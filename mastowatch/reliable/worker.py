"""An RQ worker that loses no job: the parent, which registers, watches its horse, and brings back what others lost.

The parent never runs a job and never reads one, so nothing in a job can end it. Its horse (``horse``) takes jobs and
runs them; what both know stands on a ``slate``. What stock RQ 3.0 does otherwise: it pops from several queues into
nothing but memory, raises out of a signal handler between take and start, forks for every job, and keeps its recovery
locked for up to 15 minutes after a worker died.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NoReturn

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry
from rq import Worker
from rq.command import handle_command, parse_payload
from rq.exceptions import DeserializationError
from rq.job import Job
from rq.job_lifecycle import call_exception_handlers
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.utils import as_text, utcformat
from rq.worker import DequeueStrategy, WorkerStatus
from rq.worker_registration import register

from mastowatch.logs import event
from mastowatch.reliable import scripts
from mastowatch.reliable.horse import EXECUTION_S, Horse
from mastowatch.reliable.keeper import Death, Keeper, Limits
from mastowatch.reliable.recovery import How, bury, forget_taker, settle
from mastowatch.reliable.serializer import JsonJob, JsonQueue
from mastowatch.reliable.slate import Doing, Slate, cut
from mastowatch.reliable.tidying import tidying_lock
from mastowatch.same_redis import same_redis

log = logging.getLogger(__name__)

# A worker that is silent for LIFE_S is dead, and its job is brought back by the next look of any other: within
# LIFE_S + BEAT_S, 11 s, by the clock of Redis alone. After GAP_S without any sign of life from anybody nobody is dead
# before a life has passed anew.
LIFE_S, BEAT_S, GAP_S = 9, 2.0, 4.0
TURN_S = 0.2  # how soon the parent sees a command, or a horse past its limits
GRACE_S = 10.0  # beyond its limit a job that no signal reaches is killed
REDIS_S = 3.0  # how long the parent waits for an answer: it has a horse to watch and a watchdog to feed
HORSE_JOBS, HORSE_MIB = 1000, 512
_NOT_OURS = ("max_idle_time", "with_scheduler", "dequeue_strategy")  # of the options of RQ's work()
COMMANDS_MAX = 100  # heard a turn
LISTEN_AGAIN_S = 10.0
WORDS_MAX = 500  # of an error's text in the journal; the rest is in the job's record


def fresh_name(instance: str = "") -> str:
    """Return a worker name that no earlier start has used: a reused one would be refused until its key expires."""
    host = socket.gethostname().partition(".")[0]
    parts = (host, instance, str(os.getpid()), uuid.uuid4().hex[:6])
    return "-".join(part for part in parts if part)


def _nothing() -> None:
    return None


def _always() -> bool:
    return True


def _never(error: BaseException | None) -> bool:
    del error
    return False


class ReliableWorker(Worker):
    """Serves ``queues`` in this order; ``work`` is a whole life, ``step`` one turn of it for a process with its own.

    ``gates``: keys in Redis that hold work back while they exist, looked at in the very step that takes a job;
    ``rq:suspended`` always is one. ``may_take`` is asked before each take, in the horse, and ``is_interruption`` of
    what a job raises: then it runs again, some times, without using up a try. ``alive`` is called whenever the loop
    has turned and the horse is idle or inside its job's limit; feed the watchdog there. ``labels`` stand beside the
    worker's registration, for whoever shows workers. The horse is replaced after ``horse_jobs`` jobs or past
    ``horse_mib`` MiB (killed past twice that, as the machine has others to feed). ``stop_s``: so many seconds after
    it was told to stop, a worker puts its job back and goes. ``only``: the functions that it calls, by their
    paths; a job with another one, with a callback or with a webhook is refused, since whoever can write into Redis
    could have anything called by its name. None: any.
    """

    job_class = JsonJob
    queue_class: type[Queue] = JsonQueue
    horse_class = Horse

    def __init__(
        self,
        queues: Sequence[str],
        *,
        connection: Redis,
        name: str | None = None,
        gates: Sequence[str] = (),
        may_take: Callable[[], bool] = _always,
        is_interruption: Callable[[BaseException | None], bool] = _never,
        alive: Callable[[], None] = _nothing,
        labels: Mapping[str, str] | None = None,
        horse_jobs: int = HORSE_JOBS,
        horse_mib: int = HORSE_MIB,
        grace_s: float = GRACE_S,
        stop_s: float | None = None,
        only: Collection[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._horses_connection, self.only = connection, only
        super().__init__(
            list(queues),
            name=name or fresh_name(),
            connection=_impatient(connection),
            serializer=JSONSerializer,
            worker_ttl=LIFE_S,
            log_job_description=False,
            prepare_for_work=False,  # it would need Redis to answer already; `_register` does it
        )
        self.hostname, self.pid = socket.gethostname(), os.getpid()
        self.gates = (scripts.SUSPENDED, *gates)
        self.may_take, self._alive, self._clock = may_take, alive, clock
        self.is_interruption = is_interruption
        self.horse_jobs, self._stop_s = horse_jobs, stop_s
        self._labels: dict[Any, Any] = dict(labels or {})
        self._labels_told = False
        self._keeper = Keeper(Limits(grace_s, horse_mib))
        self._death = Death(clean=True)
        self._beat_script = self.connection.register_script(scripts.BEAT)
        self._next_beat = self._next_listen = 0.0
        self._burst = self._born = self._held = self._heard = False
        self._dead: list[bytes] = []
        self._max_jobs: int | None = None
        self._stop_asked_at: float | None = None
        self._forced = self._dismissed = False
        self._wake, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        os.set_blocking(self._wake, False)

    # --- what others ask of it ---------------------------------------------------------------------------

    def request_stop(self, signum: int = signal.SIGTERM, frame: object = None) -> None:
        """Stop after the job at hand; asked again, put that job back and stop at once.

        Only sets flags: raising here is how jobs get lost.
        """
        del signum, frame
        self._forced = self._forced or self._stop_requested
        if self._stop_asked_at is None:
            self._stop_asked_at = time.monotonic()
        self._stop_requested = True
        with suppress(BlockingIOError):  # full: it will wake up all the same
            os.write(self._waker, b".")

    @property
    def stopping(self) -> bool:
        """Whether a stop was asked for."""
        return self._stop_requested

    @property
    def dismissed(self) -> bool:
        """Whether it was a command that told it to stop: somebody wants it gone, and not back at once."""
        return self._dismissed

    @property
    def stopped(self) -> bool:
        """Whether a worker that was told to stop has nothing left to do but to leave."""
        return self._stop_requested and not self._keeper.pid and (self._death.clean or self._forced)

    @property
    def jobs_done(self) -> int:
        """How many jobs it has run since its start."""
        return self._keeper.jobs

    @property
    def condition(self) -> str:
        """How it is: starting, idle, suspended, or busy with a job."""
        if not self._keeper.pid:
            return "starting"
        entry = self._keeper.entry
        if entry.job_id:
            return f"busy with {entry.job_id}"
        return {Doing.STARTING: "starting", Doing.HELD: "suspended"}.get(entry.doing, "idle")

    @classmethod
    def find_by_key(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- RQ's
        """Return a worker that is registered somewhere, to look at, as rq.Worker."""
        return Worker.find_by_key(*args, **kwargs)

    @classmethod
    def all(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- RQ's
        """Return all registered workers, to look at, as rq.Worker."""
        return Worker.all(*args, **kwargs)

    @property
    def exception_handlers(self) -> list[Callable[..., Any]]:
        """The handlers that were pushed with RQ's push_exc_handler."""
        return self._exc_handlers

    def renew_horse(self) -> None:
        """Have the horse replaced after the job at hand, by one that knows what the parent knows now."""
        self._keeper.ask_to_end()

    def adjust(self, *, labels: Mapping[str, str], horse_jobs: int, horse_mib: int, stop_s: float | None) -> None:
        """Take other labels and limits (see the class), and have the horse replaced after the job at hand."""
        self._labels, self._labels_told = dict(labels), False
        self.horse_jobs, self._stop_s = horse_jobs, stop_s
        self._keeper.limit_memory(horse_mib)
        self.renew_horse()

    @property
    def horse_pid(self) -> int:
        """The horse's process id, 0 without one."""
        return self._keeper.pid

    @property
    def connection_timeout(self) -> int:
        """How long RQ should wait for Redis at least, in seconds."""
        return int(REDIS_S)

    def get_current_job_id(self) -> str | None:
        """Return the id of the job that runs here; of a worker elsewhere, as RQ does."""
        if self.pid != os.getpid() or not self._keeper.pid:
            return super().get_current_job_id()
        entry = self._keeper.entry
        # Without a run of it, only what has to follow its end is at hand: no command is meant for that.
        return (entry.execution_id and entry.job_id) or None

    def kill_horse(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """Kill the horse and what its job has started."""
        if sig == signal.SIGKILL:
            self._keeper.kill("counted", "a command told it to end")
        else:
            self._keeper.signal(sig)

    def request_stop_execution(self, execution_id: str) -> None:
        """Stop this run of a job, if it still is the one at hand."""
        entry = self._keeper.entry
        if self._keeper.pid and entry.execution_id == execution_id:
            self._stopped_job_id = entry.job_id
            self.kill_horse()

    # --- its life ----------------------------------------------------------------------------------------

    def work(self, burst: bool = False, *, max_jobs: int | None = None, **logging_options: Any) -> bool:  # type: ignore[override]  # noqa: ANN401, FBT001, FBT002 -- RQ's signature; the rest of it is about logging
        """Work until SIGTERM or SIGINT, or with ``burst`` until the queues are empty; return whether a job ran.

        With ``max_jobs``, stop after so many.
        """
        asked = [name for name in _NOT_OURS if logging_options.get(name) not in (None, False, DequeueStrategy.DEFAULT)]
        if asked:
            raise ValueError(f"{', '.join(asked)}: not for this worker; see docs/explanation/job-safety.md")
        self._burst, self._stop_requested, self._forced, self._stop_asked_at = burst, False, False, None
        self._death, done = Death(clean=True), self.jobs_done
        self._max_jobs = None if max_jobs is None else done + max_jobs
        before = {number: signal.signal(number, self.request_stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            while not self.stopped:
                self._patient_step()
                self._stop_requested = self._stop_requested or self._jobs_left() <= 0
            self.leave()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return self.jobs_done > done

    def _jobs_left(self) -> int:
        return self.horse_jobs if self._max_jobs is None else self._max_jobs - self.jobs_done

    def _patient_step(self) -> None:
        try:
            self.step()
        except RedisError as error:
            event(log, logging.WARNING, "redis_away", error=type(error).__name__)
            self._alive()
            time.sleep(0.5)

    def step(self, wait_s: float = TURN_S) -> None:
        """Do one turn: see to the horse, show life, bring back what the dead have left; then wait a moment.

        Raises redis.exceptions.RedisError when Redis is away; call again later, nothing is lost.
        """
        self._see_to_horse()
        try:
            self._settle_own_hand()
            self._beat_if_due()
            self._hear_commands()
            self._bury_dead()
        except RedisError:
            # The channel of commands may be that of a server which has gone silently, or is the primary no longer.
            self._stop_listening()
            self._next_beat = 0.0  # a turn that asks nothing would seem to say that Redis is back
            # Whoever looks next finds what is left in hand; nothing here is worth waiting for.
            self._forced = self._forced or (self._stop_requested and not self._keeper.pid)
            raise
        if self._keeper.may_fork() and not self._stop_requested and self._jobs_left() > 0:
            self.pid = os.getpid()
            self._keeper.fork(self._be_horse)
        self._tell_whether_open()
        self._alive()
        self._keeper.wait(0 if self.stopped else wait_s, self._wake)
        with suppress(BlockingIOError):
            os.read(self._wake, 4096)

    def leave(self) -> None:
        """Take the registration back, at the end of the process; with Redis away it runs out by itself."""
        try:
            if self._born:
                forget_taker(self.connection, self.name)
                self.register_death()
                self._born = False
        except RedisError as error:
            event(log, logging.WARNING, "worker_left_unregistered", error=type(error).__name__)
        self._stop_listening()
        self.connection.connection_pool.disconnect()

    # --- the horse ---------------------------------------------------------------------------------------

    def _be_horse(self, slate: Slate) -> NoReturn:
        self._is_horse = True
        self.horse_jobs = min(self.horse_jobs, self._jobs_left())
        self.connection = self._horses_connection
        for queue in self.queues:
            queue.connection = self.connection
        self.horse_class(self, slate, burst=self._burst).run()

    def _see_to_horse(self) -> None:
        """Notice its death; end it if it passed a limit or if we are to stop."""
        death = self._keeper.reap()
        if death is not None:
            self._death = death
            if death.clean:
                self._stopped_job_id = None  # it had ended before it could be stopped
            self._stop_requested = self._stop_requested or death.empty  # only a burst ends so
        if not self._keeper.pid:
            return
        if self._stop_requested:
            self._keeper.ask_to_end()
            overdue = self._stop_s is not None and time.monotonic() > (self._stop_asked_at or 0) + self._stop_s
            self._forced = self._forced or overdue
            if self._forced:
                self._keeper.kill("free", "its worker was told to stop at once")
        self._keeper.check()

    def _tell_whether_open(self) -> None:
        doing = self._keeper.entry.doing
        held = doing is Doing.HELD
        if held != self._held and (held or doing in (Doing.WAITING, Doing.RUNNING)):
            self._held = held
            event(log, logging.WARNING, "work_halted" if held else "work_goes_on", worker=self.name)

    def _settle_own_hand(self) -> None:
        """Settle what a dead horse held: no horse is left that could be taking."""
        if self._death.clean or self._keeper.pid:
            return
        hand: list[Any] = self.connection.lrange(scripts.taken_key(self.name), 0, -1)
        for raw in hand:
            how, why = self._verdict(raw.decode(errors="replace"))
            settle(self.connection, raw, self.name, self.queues[0].name, how, why)
        tidying_lock(self.connection, self.name).release()
        self._death, self._stopped_job_id = Death(clean=True), None

    def _verdict(self, job_id: str) -> tuple[How, str]:
        job_id = cut(job_id)
        if job_id == self._stopped_job_id:
            return "stopped", "Job stopped by user, work-horse terminated."
        if self._stopped_job_id or (self._death.victim and job_id != self._death.victim):
            # It was killed for another job, which had just ended.
            return "free", "Work-horse terminated for another job; this one had only begun."
        return self._death.blame, f"Work-horse terminated unexpectedly: {self._death.why}."

    # --- registration, signs of life, the dead ---------------------------------------------------------------

    def _beat_if_due(self) -> None:
        now = self._clock()
        if now < self._next_beat:
            return
        if not self._born:
            self._register()
        answer = self._beat()
        if not answer[0]:
            self._register()
            answer = self._beat()
        if not self._labels_told:
            self._tell_labels()
        self._next_beat = now + BEAT_S
        self._dead = answer[1:]

    def _beat(self) -> list[Any]:
        entry = self._keeper.entry
        self.last_heartbeat = datetime.now(UTC)
        running = (entry.job_id, entry.execution_id) if self._keeper.pid else ("", "")
        when: list[Any] = [utcformat(self.last_heartbeat), self.last_heartbeat.timestamp(), LIFE_S]
        arguments = [*when, *running, EXECUTION_S, self.name, int(GAP_S * 1000)]
        answer: list[Any] = self._beat_script(keys=[self.key, scripts.taken_key(self.name)], args=arguments)
        return answer

    def _bury_dead(self) -> None:
        """Bury some of the dead; the rest at the next turn, as we have to show life ourselves."""
        until = self._clock() + BEAT_S / 4
        while self._dead and self._clock() < until:
            name = self._dead.pop()
            try:
                self._bury(as_text(name))
            except UnicodeDecodeError:
                self.connection.srem(scripts.TAKERS, name)  # no worker of ours or of RQ's is called so

    def _bury(self, name: str) -> None:
        bury(self.connection, name, self.queues[0].name)

    def _register(self) -> None:
        if self._born:
            self.connection.delete(self.key)  # what an expired registration has left
        self._set_ip_address(self.connection)
        self.register_birth()
        self._born = True

    def register_birth(self) -> None:
        """Register for LIFE_S, in one step.

        RQ's own registration lives a minute longer until the first sign of life after it: a worker that is killed in
        between would stand among the living all that time. Raises ValueError if another one of this name lives; one
        that was born when we were is ourselves, and the answer got lost.
        """
        birth, death = self.connection.hmget(self.key, ["birth", "death"])
        ours = self.birth_date is not None and birth == utcformat(self.birth_date).encode()
        if not ours and death is None and self.connection.exists(self.key):
            raise ValueError(f"There exists an active worker named {self.name!r} already")
        with self.connection.pipeline() as pipeline:
            pipeline.delete(self.key)
            self.birth_date = self.last_heartbeat = datetime.now(UTC)
            pipeline.hset(self.key, mapping={**self.serialize(), **self._labels})
            self.set_state(WorkerStatus.IDLE, pipeline)
            register(self, pipeline)
            pipeline.expire(self.key, LIFE_S)
            pipeline.execute()
        self._labels_told = True

    def _tell_labels(self) -> None:
        if self._labels:
            self.connection.hset(self.key, mapping=self._labels)
        self._labels_told = True

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:  # noqa: ANN401 -- RQ's signature
        """Prolong the registration by LIFE_S, whatever RQ asks for: a long life would hide a death."""
        del timeout
        super().heartbeat(LIFE_S, pipeline=pipeline)

    # --- commands ----------------------------------------------------------------------------------------

    def _hear_commands(self) -> None:
        """Hear what `rq` and the API send; without a thread, which a fork would leave in any state."""
        if self.pubsub is None and not self._listen():
            return
        for _ in range(COMMANDS_MAX):
            self._heard = False
            if self.pubsub is None or (self.pubsub.get_message(timeout=0.0) is None and not self._heard):
                return

    def _listen(self) -> bool:
        """Subscribe to the worker's channel; where that is not allowed it works all the same, and tries again."""
        if self._clock() < self._next_listen:
            return False
        self._next_listen = self._clock() + LISTEN_AGAIN_S
        pubsub = self.connection.pubsub()
        try:
            pubsub.subscribe(**{self.pubsub_channel_name: self._obey})
            pubsub.get_message(timeout=REDIS_S)  # what was refused shows here
        except ResponseError as error:
            pubsub.close()
            event(log, logging.WARNING, "deaf_to_commands", error=str(error), again=f"in {LISTEN_AGAIN_S:.0f} s")
            return False
        self.pubsub = pubsub
        return True

    def _stop_listening(self) -> None:
        if self.pubsub is not None:
            self.pubsub.close()
            self.pubsub, self._next_listen = None, 0.0

    def handle_payload(self, message: Any) -> None:  # noqa: ANN401 -- redis-py's message
        """Obey a command of RQ's. A second one to shut down, unlike a second SIGTERM, does not put the job back."""
        payload = parse_payload(message)
        if payload["command"] == "shutdown":
            if self._stop_requested:
                return
            self._dismissed = True
            event(log, logging.WARNING, "worker_dismissed", worker=self.name)
        handle_command(self, payload)

    def _obey(self, message: Any) -> None:  # noqa: ANN401 -- redis-py's message
        self._heard = True
        try:
            self.handle_payload(message)
        except Exception as error:  # noqa: BLE001 -- anybody who reaches Redis can send anything
            event(log, logging.WARNING, "command_not_understood", error=type(error).__name__)

    # --- in the horse ------------------------------------------------------------------------------------

    def handle_exception(self, job: Job, *exc_info: Any, interrupted: bool = False) -> None:  # noqa: ANN401 -- RQ's signature
        """Log one line for a job that raised; its traceback is in the job's record."""
        error = exc_info[1]
        event(
            log,
            logging.WARNING if job.should_retry or interrupted else logging.ERROR,
            "job_interrupted" if interrupted else "job_failed",
            queue=job.origin,
            task=_name_of(job),
            error=f"{type(error).__name__}: {_words_of(error)}",
            retries_left=job.retries_left or 0,
        )
        if interrupted:
            return
        try:
            call_exception_handlers(self._exc_handlers, job, *exc_info)
        except BaseException as second:  # noqa: BLE001 -- it must not take the place of what the job itself raised
            event(log, logging.ERROR, "exception_handler_failed", error=f"{type(second).__name__}: {_words_of(second)}")


def _name_of(job: Job) -> str:
    try:
        return job.func_name or ""
    except DeserializationError:
        return ""


def _words_of(error: Any) -> str:  # noqa: ANN401 -- whatever was raised
    try:
        return str(error)[:WORDS_MAX]
    except BaseException as second:  # noqa: BLE001 -- an error that can't even be printed
        return f"(its text can't be made: {type(second).__name__})"


def _impatient(connection: Redis) -> Redis:
    """Return a client of the same Redis that waits REDIS_S at most and asks once."""
    if connection.connection_pool.connection_kwargs.get("decode_responses"):
        raise ValueError("a worker needs a Redis client without decode_responses: RQ's records are bytes")
    return same_redis(connection, socket_timeout=REDIS_S, socket_connect_timeout=REDIS_S, retry=Retry(NoBackoff(), 0))
