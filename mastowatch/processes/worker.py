"""``mastowatch worker``: runs jobs from its queues, one at a time, in a process of their own that it watches."""

from __future__ import annotations

import logging
from dataclasses import replace

from mastowatch.config import Loaded
from mastowatch.config.loading import masked
from mastowatch.errors import MastoWatchError
from mastowatch.jobs import context as contexts
from mastowatch.jobs.worker import create_worker
from mastowatch.logs import event
from mastowatch.processes.loop import Loop
from mastowatch.processes.notify import Notifier

log = logging.getLogger(__name__)


def run(loaded: Loaded, *, instance: str = "") -> None:
    """Serve the queues in the settings until SIGTERM; then finish the job at hand and leave.

    Raises ConfigError or a rule error at the start; a bad rule at a reload only leaves the old ones in force.
    """
    redis = contexts.connect(loaded)
    context = contexts.build(loaded, redis)
    contexts.put(context)
    notifier = Notifier()
    queues = loaded.settings.worker_queues
    worker = create_worker(redis, context, queues, instance=instance, alive=notifier.alive)

    def step() -> bool:
        worker.step()  # waits by itself
        return True

    def describe() -> str:
        rules = len(contexts.current().rules)
        state = f"stopping; {worker.condition}" if worker.stopping else worker.condition
        return f"{state}; {worker.jobs_done} jobs done; queues {', '.join(queues)}; {rules} rules"

    def reload() -> None:
        reload_rules(loaded)
        worker.renew_horse()  # it has the old rules

    event(
        log,
        logging.INFO,
        "worker_started",
        worker=worker.name,
        queues=list(queues),
        instance_base=loaded.settings.instance_base,
        dry_run=loaded.settings.dry_run,
        redis=masked(loaded)["REDIS_URL"],
        rules=len(context.rules),
        rules_dir=str(loaded.settings.rules_dir),
    )
    Loop(
        step,
        notifier=notifier,
        describe=describe,
        idle_s=0.0,
        reload=reload,
        on_stop=worker.request_stop,
        finished=lambda: worker.stopped,
    ).run()
    worker.leave()
    event(log, logging.INFO, "worker_stopped", worker=worker.name, jobs=worker.jobs_done)


def reload_rules(loaded: Loaded) -> None:
    """Put the rules on disk in force; a bad file is named and leaves the old rules in force."""
    context = contexts.current()
    try:
        rules = contexts.load_rules(loaded.settings.rules_dir)
    except (MastoWatchError, ExceptionGroup) as error:
        event(log, logging.ERROR, "rules_not_reloaded", error=str(error), in_force=context.rules.digest)
        return
    contexts.put(replace(context, rules=rules))
    event(log, logging.INFO, "rules_reloaded", rules=len(rules), digest=rules.digest)
