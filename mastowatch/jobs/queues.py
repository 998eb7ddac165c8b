"""The queues, and how each task is put on one: time limit, retries, and how long its record is kept.

Jobs carry ids and JSON, nothing else.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis
from rq.job import Job, Retry

from mastowatch.config import Settings
from mastowatch.config.settings import QUEUES
from mastowatch.reliable.deliveries import Record, record
from mastowatch.reliable.facts import QueueFacts, queue_facts
from mastowatch.reliable.queue import enqueue_once
from mastowatch.reliable.serializer import JsonQueue

HIGH, DEFAULT, LOW = QUEUES
# Without leading zeros: "01" would be another job and another lock for the same account.
_ID = re.compile(r"0|[1-9][0-9]{0,19}", re.ASCII)
# Mastodon gives so many posts at once.
IDS_MAX = 20
# No more work is looked for while so many jobs of a queue wait, as Mastodon's limits let some 1,500 accounts an hour be
# judged: more would fill Redis, and be found again later anyway.
WAITING_MAX = 10_000
# So many more of local newcomers: a wave from elsewhere must not hide who signs up here.
LOCAL_MORE = 1_000
# What a job carries under one name: an id, or a list of them where the name ends like this.
Argument = str | list[str]
_LIST = "_ids"
# Back-off in seconds: a restart of Mastodon takes about a minute, an upgrade a few.
_BACK_OFF = [10, 60, 300]


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A task as it may be queued or triggered: ``arguments`` are names of Mastodon ids, all of them required.

    One whose name ends in ``_ids`` is a list of 1 to IDS_MAX.
    """

    name: str
    queue: str
    timeout_s: int
    about: str
    arguments: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Where RQ imports the function from."""
        return f"mastowatch.jobs.tasks.{self.name}"

    def job_id(self, arguments: Mapping[str, Argument]) -> str:
        """Return the id under which this work is queued at most once."""
        return "-".join([self.name, *(_in_job_id(arguments[name]) for name in self.arguments)])

    def describe(self, arguments: Mapping[str, Argument]) -> str:
        """Return the call in words for people."""
        told = (one if isinstance(one, str) else f"{len(one)} from {one[0]}" for one in arguments.values())
        return f"{self.name}({', '.join(told)})"

    def check(self, arguments: Mapping[str, object]) -> dict[str, Argument]:
        """Return the arguments as ids; raises ValueError that names the argument and what is allowed."""
        for name in arguments:
            if name not in self.arguments:
                raise ValueError(f"{name}: {self.name} takes {', '.join(self.arguments) or 'no arguments'}")
        return {name: _checked(name, arguments.get(name)) for name in self.arguments}


def is_id(text: str) -> bool:
    """Tell whether ``text`` is an id of Mastodon: up to 20 digits."""
    return _ID.fullmatch(text) is not None


def _in_job_id(value: Argument) -> str:
    """Return a part of a job's id: digits and hyphens, as in all ids of ours, and not too many."""
    if isinstance(value, str):
        return value
    digest = hashlib.sha256(",".join(value).encode()).digest()
    return f"{value[0]}-{len(value)}-{int.from_bytes(digest[:8])}"


def _checked(name: str, value: object) -> Argument:
    if not name.endswith(_LIST):
        return _checked_id(name, value)
    if not isinstance(value, list) or not 1 <= len(value) <= IDS_MAX:
        raise ValueError(f"{name}: must be a list of 1 to {IDS_MAX} Mastodon ids")
    return [_checked_id(name, one) for one in value]


def _checked_id(name: str, value: object) -> str:
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if not is_id(text):
        raise ValueError(f"{name}: must be a Mastodon id, 1 to 20 digits")
    return text


# The explicit list of what may be queued and triggered; nothing outside it can be reached by name.
TASKS: Mapping[str, TaskSpec] = {
    spec.name: spec
    for spec in (
        TaskSpec("poll_admin_accounts", DEFAULT, 300, "Look at the newest remote accounts, then sweep on."),
        TaskSpec("poll_admin_accounts_local", DEFAULT, 300, "Look at the newest local accounts, then sweep on."),
        TaskSpec(
            "analyze_and_maybe_report",
            DEFAULT,
            120,
            "Judge one account and report it if it deserves it.",
            ("account_id",),
        ),
        TaskSpec("judge_again", DEFAULT, 120, "Judge an account again, after what runs.", ("account_id",)),
        TaskSpec("process_new_status", HIGH, 120, "Judge the author of one new post.", ("status_id",)),
        TaskSpec("annotate_report", HIGH, 120, "Add a verdict to the case of a reported account.", ("report_id",)),
        TaskSpec("read_report_outcomes", LOW, 300, "Read what moderators made of the reports."),
        # Below the worker's own limit on a stop: up to twenty accounts, one after the other.
        TaskSpec("process_new_statuses", DEFAULT, 300, "Judge the authors of up to 20 new posts.", ("status_ids",)),
        TaskSpec("poll_public_timeline", DEFAULT, 120, "Look at new posts on the public timeline."),
        TaskSpec("undo_expired_actions", DEFAULT, 300, "Undo measures against accounts that have expired."),
        TaskSpec("send_alerts", HIGH, 60, "Tell of rules that have been dropped."),
        # Takes milliseconds, and matters most while the other queues are long.
        TaskSpec("record_queue_stats", HIGH, 30, "Add a point to the queues' history."),
    )
}


class Jobs:
    """Puts tasks on their queues."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis, self._settings = redis, settings

    def submit(self, name: str, arguments: Mapping[str, object] | None = None, *, at_front: bool = False) -> Job | None:
        """Queue the task ``name`` unless the same work waits, is delayed, or runs already (then: None).

        Raises KeyError for an unknown task, ValueError for a wrong argument.
        """
        spec = TASKS[name]
        checked = spec.check(arguments or {})
        return enqueue_once(
            get_queue(spec.queue, self._redis),
            spec.path,
            job_timeout=spec.timeout_s,
            at_front=at_front,
            **self._options(spec, checked),
        )

    def record(self, name: str, arguments: Mapping[str, object], *, urgent: bool = False) -> Record:
        """Return the job that ``submit`` would queue, for whoever queues many at once; asks Redis nothing.

        ``urgent`` puts it on the queue that is served first. Raises as ``submit`` does.
        """
        spec = TASKS[name]
        checked = spec.check(arguments)
        return record(
            get_queue(HIGH if urgent else spec.queue, self._redis),
            spec.path,
            timeout=spec.timeout_s,
            **self._options(spec, checked),
        )

    def analyze(self, account_id: str, *, at_front: bool = False) -> bool:
        """Queue the judgement of an account; False if it is queued already."""
        return self.submit("analyze_and_maybe_report", {"account_id": account_id}, at_front=at_front) is not None

    def analyze_again(self, account_id: str) -> None:
        """Queue the judgement of an account, also of one that is being judged right now, maybe a moment too early.

        That one gets another job, which waits for the first.
        """
        if not self.analyze(account_id):
            self.submit("judge_again", {"account_id": account_id})

    def full(self, more: int = 0) -> str:
        """Say that WAITING_MAX judgements, and so many more, wait or are delayed, "" while they are fewer.

        For those who look for work and can do so again later: what has been found is queued in any case.
        """
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.llen(f"rq:queue:{DEFAULT}")
            pipe.zcard(f"rq:scheduled:{DEFAULT}")
            waiting = sum(pipe.execute())
        return f"{waiting:,} judgements wait already" if waiting >= WAITING_MAX + more else ""

    def facts(self, now: float) -> list[QueueFacts]:
        """Return how the queues stand; ``now`` is epoch seconds."""
        return queue_facts(self._redis, QUEUES, now)

    def _options(self, spec: TaskSpec, checked: Mapping[str, Argument]) -> dict[str, Any]:
        """Return what RQ is told of a job, however it is queued; for the timeout it has two names."""
        return {
            "job_id": spec.job_id(checked) if spec.arguments else f"{spec.name}-now",
            "kwargs": checked,
            "result_ttl": self._settings.result_ttl,
            "failure_ttl": self._settings.failure_ttl,
            "retry": Retry(max=len(_BACK_OFF), interval=_BACK_OFF),
            "description": spec.describe(checked),
        }


def get_queue(name: str, redis: Redis) -> JsonQueue:
    """Return the queue called ``name``."""
    return JsonQueue(name, connection=redis)
