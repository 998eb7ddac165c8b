"""The move itself: one message after the other, so that it may be stopped at any time, and goes on when run again."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mastowatch.jobs.celery_move.broker import Broker, Found
from mastowatch.jobs.celery_move.mapping import Foreign, Recurs, translate
from mastowatch.jobs.celery_move.messages import Task, Unread, read
from mastowatch.jobs.celery_move.moving import Mover
from mastowatch.jobs.queues import Jobs

# What may come of a message, in the words of the report.
KINDS: Mapping[str, str] = {
    "queued": "put on its queue",
    "delayed": "waits for its time",
    "joined": "the same work waits already",
    "known": "moved in an earlier run",
    "recurs": "left to the schedule, which brings the next run by itself",
    "expired": "dropped, as Celery would have done",
    "unknown": "not ours, or not readable: kept in the file",
    "busy": "left, as the same work runs",
    "gone": "taken by somebody else meanwhile",
}


@dataclass
class Report:
    """What became of the messages: counts by kind, and by (Celery's name of the task, kind)."""

    kinds: Counter[str] = field(default_factory=Counter)
    tasks: Counter[tuple[str, str]] = field(default_factory=Counter)

    def count(self, name: str, kind: str) -> None:
        """Count one message."""
        self.kinds[kind] += 1
        self.tasks[name or "?", kind] += 1


class Aside:
    """The file for what has no place here: a JSON object a line, each message once. Only its owner may read it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._torn = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
        self._known = set(_digests(path))

    def put(self, found: Found, name: str, why: str) -> None:
        """Write the message down, for good, before it is removed; raises OSError."""
        digest = hashlib.sha256(found.message).hexdigest()
        if digest in self._known:
            return
        line = {
            "task": name,
            "why": why,
            "from": found.place.key,
            "message_sha256": digest,
            "message": found.message.decode("utf-8", "backslashreplace"),
        }
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            # A crash may have cut off the last line.
            file.write(("\n" if self._torn else "") + json.dumps(line) + "\n")
            file.flush()
            os.fsync(descriptor)
        self._torn = False
        self._known.add(digest)


@dataclass(frozen=True)
class Move:
    """Moves what ``broker`` has; ``mover`` is None for a rehearsal, which counts and changes nothing."""

    broker: Broker
    mover: Mover | None
    jobs: Jobs
    aside: Aside | None
    names: Mapping[str, str]
    clock: Callable[[], float]

    def run(self, report: Report, goes_on: Callable[[], bool] = lambda: True) -> Report:
        """Move until all is moved or ``goes_on`` is False; ``report`` grows meanwhile. Raises RedisError, OSError."""
        seen: set[str] = set()
        for found in self.broker.delivered():
            if goes_on() and found.place.tag not in seen:
                seen.add(found.place.tag)  # a hash is read in no order, and while it shrinks
                self._count(found, report)
        for key in self.broker.lists():
            left = 0
            while goes_on() and (page := self.broker.oldest(key, left)):
                left += sum(not self._count(found, report) for found in page if goes_on())
        return report

    def _count(self, found: Found, report: Report) -> bool:
        """Move one message and count it; return whether it is gone from where it lay."""
        name, kind = self._one(found)
        report.count(name, kind)
        return self.mover is not None and kind != "busy"

    def _one(self, found: Found) -> tuple[str, str]:
        task = read(found.message)
        if isinstance(task, Unread):
            return task.name, self._put_aside(found, task.name, task.why)
        if task.expires is not None and task.expires <= self.clock():
            return task.name, self._drop(found, "expired")
        here = translate(task, self.names)
        if isinstance(here, Foreign):
            return task.name, self._put_aside(found, task.name, here.why)
        if isinstance(here, Recurs):
            return task.name, self._drop(found, "recurs")
        return task.name, self._move(found, task, here.task, here.arguments)

    def _move(self, found: Found, task: Task, name: str, arguments: Mapping[str, str]) -> str:
        due = task.eta if task.eta is not None and task.eta > self.clock() else None
        if self.mover is None:
            return "queued" if due is None else "delayed"
        # A message without an id, which Celery does not write, is known by its bytes.
        identity = task.id or hashlib.sha256(found.message).hexdigest()
        return self.mover.move(found.place, found.raw, identity, self.jobs.record(name, arguments), due)

    def _drop(self, found: Found, kind: str) -> str:
        if self.mover is not None:
            self.mover.remove(found.place, found.raw)
        return kind

    def _put_aside(self, found: Found, name: str, why: str) -> str:
        if self.mover is not None and self.aside is not None:
            self.aside.put(found, name, why)
            self.mover.remove(found.place, found.raw)
        return "unknown"


def _digests(path: Path) -> Iterator[str]:
    """Yield which messages stand in the file from an earlier run; what else stands there is passed over.

    A last line that was cut off by a crash is written anew.
    """
    if not path.exists():
        return
    for line in path.read_bytes().splitlines():
        try:
            digest = json.loads(line)["message_sha256"]
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
        if isinstance(digest, str):
            yield digest
