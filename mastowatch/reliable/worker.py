"""An RQ worker that loses no job: atomic take, a hand that outlives it, and a stop that only sets a flag.

What stock RQ 3.0 does otherwise: it pops from several queues into nothing but memory, raises out of a signal
handler between take and start, and keeps its recovery locked for up to 15 minutes after a worker died.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq import Worker
from rq.exceptions import DeserializationError, NoSuchJobError
from rq.executions import Execution
from rq.job import Job, JobStatus
from rq.queue import Queue
from rq.registry import clean_registries
from rq.serializers import JSONSerializer
from rq.suspension import is_suspended
from rq.utils import as_text
from rq.worker import WorkerStatus
from rq.worker_registration import clean_worker_registry

from mastowatch.logs import event, set_job_id
from mastowatch.reliable.lock import OwnedLock
from mastowatch.reliable.recovery import recover_dead, settle
from mastowatch.reliable.refusal import set_aside
from mastowatch.reliable.serializer import JsonJob, JsonQueue
from mastowatch.reliable.taking import Taker

log = logging.getLogger(__name__)

# A worker that is silent for LIFE_S is dead and its jobs are brought back; it speaks every BEAT_S.
LIFE_S = 20
BEAT_S = 5.0
MAINTENANCE_S = 10.0
LOOK_S = 1.0  # how often it is asked whether work may be taken at all
TOTALS = "rq:totals"  # a hash, one field a queue and outcome: how many jobs ended so, ever


def fresh_name(instance: str = "") -> str:
    """Return a worker name that no earlier start has used: a reused one would be refused until its key expires."""
    host = socket.gethostname().partition(".")[0]
    parts = (host, instance, str(os.getpid()), uuid.uuid4().hex[:6])
    return "-".join(part for part in parts if part)


def _nothing() -> None:
    return None


def _always() -> bool:
    return True


class ReliableWorker(Worker):
    """Serves ``queues`` in this order. ``step`` does one thing; the process owns loop, signals and systemd.

    ``may_take`` is asked before each take (a panic stop closes it). ``alive`` is called whenever the loop or a
    running job inside its limit has shown life; feed the watchdog there. ``labels`` stand beside the worker's
    registration, for whoever shows workers.
    """

    job_class = JsonJob
    queue_class: type[Queue] = JsonQueue

    def __init__(
        self,
        queues: Sequence[str],
        *,
        connection: Redis,
        name: str | None = None,
        may_take: Callable[[], bool] = _always,
        alive: Callable[[], None] = _nothing,
        labels: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            list(queues),
            name=name or fresh_name(),
            connection=connection,
            serializer=JSONSerializer,
            worker_ttl=LIFE_S,
            job_monitoring_interval=int(BEAT_S),
            log_job_description=False,
            prepare_for_work=False,  # it would need Redis to answer already; `_register` does it
        )
        self.hostname, self.pid = socket.gethostname(), os.getpid()
        self.log_result_lifespan = False
        self._may_take, self._alive, self._clock = may_take, alive, clock
        self._labels: dict[Any, Any] = dict(labels or {})
        self._taker = Taker(connection, self.name, self.queue_keys())
        self._maintenance = OwnedLock(connection, "rq:maintenance", self.name, ttl_s=30)
        self._next_beat = self._next_maintenance = self._next_look = 0.0
        self._open = True
        self._born = False
        self._hand_in_doubt = True

    # --- the life of the process -------------------------------------------------------------------------

    def request_stop(self, signum: int = signal.SIGTERM, frame: object = None) -> None:
        """Stop after the job at hand. Only sets a flag: raising here is how jobs get lost."""
        del signum, frame
        self._stop_requested = True

    @property
    def stopping(self) -> bool:
        """Whether a stop was asked for."""
        return self._stop_requested

    @property
    def condition(self) -> str:
        """How it is, in RQ's words: starting, idle, busy or suspended."""
        state = self.get_state()
        return state.value if isinstance(state, WorkerStatus) else state

    def step(self) -> bool:
        """Do one thing: keep up the registration, clean up, take and run a job; return whether a job ran.

        Raises redis.exceptions.RedisError when Redis is away; call again later, nothing is lost.
        """
        try:
            return self._step()
        except RedisError:
            # Whatever is in hand stays there and is settled as soon as Redis answers again.
            self._hand_in_doubt = True
            raise

    def _step(self) -> bool:
        self._keep_registered()
        self._maintain_now_and_then()
        self._alive()
        if self._stop_requested or not self._open_for_work():
            return False
        taken = self._taker.take()
        if taken is None:
            return False
        self._run(*taken)
        return True

    def leave(self) -> None:
        """Take the registration back, at the end of the process; with Redis away it runs out by itself."""
        if not self._born:
            return
        try:
            self._taker.unregister()
            self.register_death()
            self.unsubscribe()
        except RedisError as error:
            event(log, logging.WARNING, "worker_left_unregistered", error=type(error).__name__)

    def _keep_registered(self) -> None:
        if self._clock() >= self._next_beat:
            if not self._registered():
                self._register()
            self.heartbeat()
            # No job runs here, so nothing should be in hand: a Redis restored from a snapshot may say otherwise.
            self._hand_in_doubt = self._hand_in_doubt or bool(self._taker.held())
            self._next_beat = self._clock() + BEAT_S
        if self._hand_in_doubt:
            settle(self, self.name, "the connection to Redis was lost")
            self._hand_in_doubt = False

    def _registered(self) -> bool:
        # Not by the key alone: RQ's heartbeat makes one of its own, without a birth and in no set of workers.
        with self.connection.pipeline(transaction=False) as pipe:
            pipe.hexists(self.key, "birth")
            pipe.sismember(self.redis_workers_keys, self.key)
            return all(pipe.execute())

    def _register(self) -> None:
        self.connection.delete(self.key)
        self._set_ip_address(self.connection)
        self.register_birth()
        if self._labels:
            self.connection.hset(self.key, mapping=self._labels)
        self.set_state(WorkerStatus.IDLE)
        if not self._born:
            self.subscribe()
        self._born = True

    def _open_for_work(self) -> bool:
        if self._clock() >= self._next_look:
            self._open = not is_suspended(self.connection) and self._may_take()
            self._next_look = self._clock() + LOOK_S
            self._tell_whether_open()
        return self._open

    def _tell_whether_open(self) -> None:
        wanted = WorkerStatus.IDLE if self._open else WorkerStatus.SUSPENDED
        if self.get_state() == wanted:
            return
        if WorkerStatus.SUSPENDED in (wanted, self.get_state()):
            event(log, logging.WARNING, "work_goes_on" if self._open else "work_halted", worker=self.name)
        self.set_state(wanted)

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:  # noqa: ANN401 -- RQ's signature
        """Prolong the registration by LIFE_S, whatever RQ asks for: a long life would hide a death."""
        del timeout
        super().heartbeat(LIFE_S, pipeline=pipeline)

    # --- a job -------------------------------------------------------------------------------------------

    def _run(self, queue_key: str, job_id: str) -> None:
        queue = self.queue_class.from_queue_key(queue_key, connection=self.connection, serializer=self.serializer)
        set_job_id(job_id)
        try:
            job = self._fetch(job_id, queue)
            if job is not None:
                self.execute_job(job, queue)
            self._settle_or_let_go(job_id, queue)
        finally:
            self.executions.clear()
            set_job_id(None)

    def _fetch(self, job_id: str, queue: Queue) -> Job | None:
        """Return the job, or None for one that is canceled or that was set aside as it can't be read."""
        try:
            job: Job = self.job_class.fetch(job_id, connection=self.connection, serializer=self.serializer)
            if job.get_status(refresh=False) == JobStatus.CANCELED:
                return None
            job.func_name  # noqa: B018 -- loads the data, which may be a pickle or damaged
        except RedisError:
            raise
        except NoSuchJobError:
            reason = "its record is incomplete" if self.connection.exists(f"rq:job:{job_id}") else ""
        except DeserializationError:
            reason = "its data is no JSON (a pickle is never read)"
        except Exception as error:  # noqa: BLE001 -- a record can be damaged in any way, and must end here
            reason = f"its record can't be read: {type(error).__name__}"
        else:
            return job
        if reason:
            set_aside(self.connection, job_id, queue.name, reason, time.time())
        return None

    def _settle_or_let_go(self, job_id: str, queue: Queue) -> None:
        raw = self.connection.hget(f"rq:job:{job_id}", "status")
        # A job whose result is not kept is gone as soon as it has finished.
        status = as_text(raw) if raw else JobStatus.FINISHED.value
        if status == JobStatus.STARTED:
            settle(self, self.name, "its process could not record how it ended")
            return
        self._taker.done(job_id)
        if status in (JobStatus.FINISHED, JobStatus.FAILED):
            self.connection.hincrby(TOTALS, f"{queue.name}:{status}", 1)

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """Prolong everything while the job runs; Redis being away must not take our eyes off the horse."""
        self._alive()
        try:
            super().maintain_heartbeats(job, execution)
        except RedisError as error:
            event(log, logging.WARNING, "heartbeat_missed", job_id=job.id, error=type(error).__name__)

    def perform_job(self, job: Job, queue: Queue, execution: Execution) -> bool:
        """Run the job in the horse, with its id on every line it logs."""
        set_job_id(job.id)
        began = self._clock()
        done = super().perform_job(job, queue, execution)
        if done:
            event(
                log,
                logging.DEBUG,
                "job_done",
                queue=queue.name,
                task=job.func_name,
                duration_s=round(self._clock() - began, 3),
            )
        return done

    def handle_exception(self, job: Job, *exc_info: Any) -> None:  # noqa: ANN401 -- RQ's signature
        """Log one line for a job that raised; its traceback is in the job's record."""
        error = exc_info[1]
        event(
            log,
            logging.WARNING if job.should_retry else logging.ERROR,
            "job_failed",
            queue=job.origin,
            task=job.func_name,
            error=f"{type(error).__name__}: {error}",
            retries_left=job.retries_left or 0,
        )

    # --- cleaning up -------------------------------------------------------------------------------------

    def _maintain_now_and_then(self) -> None:
        now = self._clock()
        if now < self._next_maintenance:
            return
        self._next_maintenance = now + MAINTENANCE_S
        if not self._maintenance.hold():
            return
        try:
            recover_dead(self)
            for queue in self.queues:
                clean_registries(queue, self._exc_handlers)
                clean_worker_registry(queue)
        finally:
            self._maintenance.release()

    def _pubsub_exception_handler(self, exc: Exception, pubsub: Any, pubsub_thread: Any) -> None:  # noqa: ANN401
        """Keep the thread that listens for stop commands; redis-py subscribes anew by itself."""
        del pubsub, pubsub_thread
        if not isinstance(exc, RedisError):
            raise exc
        time.sleep(1.0)
