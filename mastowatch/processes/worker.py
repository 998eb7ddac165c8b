"""``mastowatch worker``: runs jobs from its queues, one at a time, in a process of their own that it watches."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from redis import Redis

from mastowatch.config import Loaded
from mastowatch.config.loading import masked
from mastowatch.jobs import context as contexts
from mastowatch.jobs.context import Context
from mastowatch.jobs.rule_reload import RuleFiles
from mastowatch.jobs.worker import adjust_worker, create_worker
from mastowatch.logs import event
from mastowatch.processes.layout import Agreement
from mastowatch.processes.loop import Loop
from mastowatch.processes.notify import Notifier
from mastowatch.processes.reloading import OF_REDIS, Reloader
from mastowatch.reliable.facts import queue_depths
from mastowatch.reliable.worker import ReliableWorker

log = logging.getLogger(__name__)

DISMISSED = 3  # the unit has it among SuccessExitStatus and RestartPreventExitStatus
LOOK_S = 5.0  # how old the queues' depths in the STATUS may be
LEAVE_S = 10.0  # from the end of the last job to the end of the process


def run(loaded: Loaded, *, instance: str = "") -> int:
    """Serve the queues in the settings until SIGTERM; then finish the job at hand and leave.

    Returns the exit status: 0, or DISMISSED if it was a command that stopped it, and systemd should not start it again.
    Raises ConfigError or a rule error at the start; a bad file at a reload only leaves the old ones in force.
    """
    redis = contexts.connect(loaded)
    files = RuleFiles(loaded.settings.rules_dir)
    context = contexts.build(loaded, redis)
    contexts.put(context)
    notifier = Notifier()
    worker = create_worker(redis, context, loaded.settings.worker_queues, instance=instance, alive=notifier.alive)
    reloader = Reloader(loaded, lambda found: _adopt(found, redis, worker, files), [*OF_REDIS, "WORKER_QUEUES"])
    depths = _Depths(worker.connection, loaded.settings.worker_queues)

    def step() -> bool:
        if files.changed():
            _take_rules(files, worker)
        worker.step()  # waits by itself
        return True

    def describe() -> str:
        state = f"stopping; {worker.condition}" if worker.stopping else worker.condition
        return f"{state}; {worker.jobs_done} jobs done; waiting: {depths.text()}; {len(contexts.current().rules)} rules"

    _tell_start(loaded, worker, len(context.rules))
    with Agreement(redis, "worker", alive=notifier.alive) as agreement:
        Loop(
            agreement.guard(step),
            notifier=notifier,
            describe=describe,
            idle_s=0.0,
            reload=reloader.reload,
            on_stop=worker.request_stop,
            finished=lambda: worker.stopped,
            stop_s=lambda: reloader.loaded.settings.worker_stop_timeout + LEAVE_S,
        ).run()
        worker.leave()
        event(log, logging.INFO, "worker_stopped", worker=worker.name, jobs=worker.jobs_done)
    return DISMISSED if worker.dismissed else 0


def _tell_start(loaded: Loaded, worker: ReliableWorker, rules: int) -> None:
    settings = loaded.settings
    event(
        log,
        logging.INFO,
        "worker_started",
        worker=worker.name,
        queues=list(settings.worker_queues),
        instance_base=settings.instance_base,
        dry_run=settings.dry_run,
        redis=masked(loaded)["REDIS_URL"],
        rules=rules,
        rules_dir=str(settings.rules_dir),
    )


def _adopt(loaded: Loaded, redis: Redis, worker: ReliableWorker, files: RuleFiles) -> None:
    """Put settings and the rules on disk in force; bad rules are named and leave the old ones in force."""
    before = contexts.current().rules
    context = contexts.build(loaded, redis, before)
    _put(replace(context, rules=files.read(loaded.settings.rules_dir, before)), worker)


def _take_rules(files: RuleFiles, worker: ReliableWorker) -> None:
    """Put the rules on disk in force from the next job on, if they are good, and others than before."""
    context = contexts.current()
    rules = files.read(context.settings.rules_dir, context.rules)
    if rules.digest != context.rules.digest:
        _put(replace(context, rules=rules), worker)


def _put(context: Context, worker: ReliableWorker) -> None:
    contexts.put(context)
    adjust_worker(worker, context)


class _Depths:
    """How many jobs wait, by queue; asks Redis every LOOK_S."""

    def __init__(self, redis: Redis, queues: tuple[str, ...]) -> None:
        self._redis, self._queues = redis, queues
        self._text = ""
        self._look_at = 0.0

    def text(self) -> str:
        if time.monotonic() >= self._look_at:
            depths = queue_depths(self._redis, self._queues)
            self._text = ", ".join(f"{name} {depth}" for name, depth in depths.items())
            self._look_at = time.monotonic() + LOOK_S
        return self._text
