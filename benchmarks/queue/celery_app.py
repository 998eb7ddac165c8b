"""The celery application, for celery's own virtual environment: nothing of this project's dependencies is imported."""

from __future__ import annotations

import os

from celery import Celery

from benchmarks.queue import instrument, jobs
from benchmarks.queue.engines import QUEUES, REDIS_ENV, RESULTS_ENV

_URL, _RESULTS = os.environ[REDIS_ENV], bool(os.environ.get(RESULTS_ENV))

instrument.install()
app = Celery("benchmarks", broker=_URL, backend=_URL if _RESULTS else None)
app.conf.update(
    broker_connection_retry_on_startup=True,
    task_acks_late=True,
    task_default_queue=QUEUES[1],
    task_ignore_result=not _RESULTS,
    worker_prefetch_multiplier=1,
)
TASKS = {job.__name__: app.task(name=f"jobs.{job.__name__}")(job) for job in (jobs.noop, jobs.nap)}
