"""Puts the jobs of a run on their queues, in batches, and knows which were acknowledged."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry as RedisRetry
from rq import Queue
from rq.job import Retry
from rq.queue import EnqueueData
from rq.serializers import JSONSerializer

FUNCTION = "tests.chaos.jobs.effect"
JOB_TIMEOUT_S = 5
KEPT_S = 24 * 3600  # the record of a job must outlast the run
_LARGEST_BATCH = 40


class Enqueuer(threading.Thread):
    """Enqueues until ``jobs`` of them are acknowledged: one every ``pause_s``, never more than ``allow`` says.

    A job is acknowledged once the call that enqueued it has returned. After an error nobody knows whether it is on
    its queue; the next try takes another id, so that no error can make one job two.
    """

    def __init__(self, url: str, queues: Sequence[str], *, jobs: int, pause_s: float, rng: random.Random) -> None:
        super().__init__(name="enqueuer")
        self._redis = Redis.from_url(url, retry=RedisRetry(NoBackoff(), 0))
        self._queues = [Queue(name, connection=self._redis, serializer=JSONSerializer) for name in queues]
        self._jobs, self._pause_s, self._rng = jobs, pause_s, rng
        self._allowed = 0
        self._tried = 0
        self._ended = False
        self.acknowledged: dict[str, str] = {}  # job id: name of its queue
        self.refused = 0

    def allow(self, share: float) -> None:
        """Let so much of all jobs be enqueued by now; ``share`` is from 0 to 1."""
        self._allowed = min(self._jobs, int(self._jobs * share) + 1)

    @property
    def finished(self) -> bool:
        """Whether all jobs are acknowledged."""
        return len(self.acknowledged) >= self._jobs

    def end(self) -> None:
        """Enqueue no more."""
        self._ended = True
        self.join()
        self._redis.close()

    def run(self) -> None:
        """Enqueue batch after batch."""
        while not self.finished and not self._ended:
            room = self._allowed - len(self.acknowledged)
            count = min(room, self._rng.randint(1, _LARGEST_BATCH))
            if count > 0:
                self._enqueue(self._rng.choice(self._queues), count)
            time.sleep(max(count, 1) * self._pause_s)

    def _enqueue(self, queue: Queue, count: int) -> None:
        try:
            if self._rng.random() < 0.5:
                self._at_once(queue, count)
            else:
                self._one_by_one(queue, count)
        except RedisError:
            self.refused += 1
            time.sleep(0.05)

    def _at_once(self, queue: Queue, count: int) -> None:
        batch = [self._next() for _ in range(count)]
        queue.enqueue_many(batch)
        self.acknowledged.update(dict.fromkeys((str(job.job_id) for job in batch), queue.name))

    def _one_by_one(self, queue: Queue, count: int) -> None:
        for _ in range(count):
            job = self._next()
            queue.enqueue(
                job.func,
                args=job.args,
                job_id=job.job_id,
                retry=job.retry,
                job_timeout=job.timeout,
                result_ttl=job.result_ttl,
            )
            self.acknowledged[str(job.job_id)] = queue.name

    def _next(self) -> EnqueueData:
        self._tried += 1
        job_id = f"job-{self._tried:05}"
        return Queue.prepare_data(
            FUNCTION,
            args=(job_id, *self._sleeps()),
            job_id=job_id,
            retry=Retry(max=10),
            timeout=JOB_TIMEOUT_S,
            result_ttl=KEPT_S,
        )

    def _sleeps(self) -> tuple[float, float]:
        """Return how long the job sleeps before and after its effect: most a few ms, one in fifty much longer."""
        longest = 0.3 if self._rng.random() < 0.02 else 0.015
        return round(self._rng.uniform(0.001, longest), 4), round(self._rng.uniform(0.001, longest), 4)
