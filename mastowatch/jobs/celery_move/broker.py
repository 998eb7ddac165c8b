"""What Celery has in its Redis: queues, messages, workers that listen, beat's entries, and what is left behind.

Source: kombu 5.7 ``transport/redis.py``, and celery 5.7. RedBeat's keys: redbeat 2.3 ``schedulers.py``.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

from mastowatch.errors import ConfigError
from mastowatch.jobs.celery_move.messages import route_of, unpack_delivered
from mastowatch.jobs.celery_move.moving import Place
from mastowatch.jobs.records import text

SEPARATOR = "\x06\x16"
# A list for each step of priority; the first has the queue's bare name. The lower the number the sooner. Celery's own
# steps are 0, 3, 6 and 9; who sets others (priority_steps) takes all ten.
_STEPS = ("", *(f"{SEPARATOR}{step}" for step in range(1, 10)))
_BINDINGS = ("_kombu.binding.", "_kombu.binding_permanent.")
# Celery's own channels, no queues of tasks.
_CHANNELS = ("celeryev", "celery.pidbox", "reply.celery.pidbox")


@dataclass(frozen=True, slots=True)
class Found:
    """A message: where it lies, its bytes as they stand there, and the message itself."""

    place: Place
    raw: bytes
    message: bytes


@dataclass(frozen=True, slots=True)
class BeatEntry:
    """An entry of RedBeat's schedule."""

    name: str
    task: str
    every_s: float | None


def _found(place: Place, raw: Any) -> Found:  # noqa: ANN401 -- redis-py says bytes or str; here it gives bytes
    return Found(place, raw, unpack_delivered(raw) if place.tag else raw)


def _bound_queue(key: str, member: str) -> str:
    """Return the queue of a binding; raises ConfigError where another separator was set."""
    if member.count(SEPARATOR) < 2:
        raise ConfigError(
            f"--broker: {key} was written with a separator of its own (sep in broker_transport_options), so lists with"
            " a priority are not found; name each of Celery's lists with --queue, like --queue celery --queue celery:3"
        )
    return member.rpartition(SEPARATOR)[2]


def _is_bound(member: str, key: str, queue: str) -> bool:
    """Tell whether a binding leads from a routing key to a queue; with a separator that is not known, maybe."""
    if SEPARATOR in member:
        return member.partition(SEPARATOR)[0] == key and member.rpartition(SEPARATOR)[2] == queue
    return member.startswith(key) and member.endswith(queue)


class Broker:
    """Celery's side. ``prefix`` is its ``global_keyprefix``; ``queues`` are looked at beside those that are bound."""

    def __init__(self, redis: Redis, prefix: str = "", queues: Sequence[str] = ()) -> None:
        self._redis, self._prefix, self._named = redis, prefix, tuple(queues)

    def queues(self) -> list[str]:
        """Return the names of Celery's queues, sorted: those named, or else all that are bound, and its default.

        Raises ConfigError where Celery names its lists in a way of its own.
        """
        if self._named:
            return sorted(set(self._named))
        found = {"celery"}
        for beginning in _BINDINGS:
            for key in self._keys(f"{beginning}*"):
                found |= {_bound_queue(key, text(member)) for member in self._redis.smembers(key)}
        return sorted(name for name in found if name and not name.endswith(_CHANNELS) and "celeryev." not in name)

    def delivered(self) -> Iterator[Found]:
        """Yield the messages that workers took and never acknowledged; one that is not removed may come twice.

        Where queues were named, those of other queues are others', whose workers may be at them right now.
        """
        for tag, raw in self._redis.hscan_iter(self._unacked, count=200):
            if not self._named or self._is_named(raw):
                yield _found(Place(self._unacked, text(tag)), raw)

    def lists(self) -> list[str]:
        """Return the keys of the lists that queues are made of, the most urgent of each queue first."""
        return [f"{self._prefix}{queue}{step}" for queue in self.queues() for step in _STEPS]

    def oldest(self, key: str, skip: int) -> list[Found]:
        """Return up to a hundred messages of a list, the oldest first, without the ``skip`` oldest ones."""
        raws = self._redis.lrange(key, -skip - 100, -skip - 1)
        return [_found(Place(key), raw) for raw in reversed(raws)]

    def count(self) -> dict[str, int]:
        """Return how many messages lie in each queue, and how many are delivered and not acknowledged."""
        with self._redis.pipeline(transaction=False) as pipe:
            names = self.queues()
            for queue in names:
                for step in _STEPS:
                    pipe.llen(f"{self._prefix}{queue}{step}")
            lengths = pipe.execute()
        width = len(_STEPS)
        counts = {name: sum(lengths[at * width : (at + 1) * width]) for at, name in enumerate(names)}
        return counts | {"delivered, not acknowledged": len({found.place.tag for found in self.delivered()})}

    def listening(self) -> int:
        """Return how many of Celery's workers listen: each gets a ping to which no reply is asked for."""
        ping: dict[str, Any] = {
            "method": "ping",
            "arguments": {},
            "destination": None,
            "pattern": None,
            "matcher": None,
        }
        body = b64encode(json.dumps(ping).encode()).decode()
        properties = {
            "delivery_mode": 2,
            "delivery_info": {"exchange": "celery.pidbox", "routing_key": ""},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": "mastowatch",
        }
        message = {
            "body": body,
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {"clock": 1, "expires": 1},
            "properties": properties,
        }
        database = int(self._redis.connection_pool.connection_kwargs.get("db") or 0)
        channel = f"{self._prefix}/{database}.celery.pidbox"
        return int(self._redis.publish(channel, json.dumps(message)))

    def beat_entries(self) -> list[BeatEntry]:
        """Return RedBeat's entries. Celery's own beat keeps its schedule in a file of pickles, which is not read."""
        found = []
        for raw in self._redis.zrange("redbeat::schedule", 0, -1):
            name = text(raw)
            told = self._redis.hget(name, "definition")
            try:
                entry = json.loads(told) if told else {}
                every = (entry.get("schedule") or {}).get("every")
                every_s = None if every is None else float(every)
                found.append(BeatEntry(str(entry["name"]), str(entry["task"]), every_s))
            except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
                found.append(BeatEntry(name, "", None))
        return found

    def leftovers(self) -> list[str]:
        """Return Celery's keys that hold no task: bindings, marks of its own, replies, and results of old tasks."""
        patterns = ("_kombu.binding*", "unacked_mutex", "*.reply.celery.pidbox", "celery-task*-meta-*")
        keys = {key for pattern in patterns for key in self._keys(pattern)}
        if not self._redis.hlen(self._unacked):
            keys |= set(self._keys("unacked_index"))
        return sorted(keys)

    def clear(self, keys: Sequence[str]) -> int:
        """Delete ``keys``, a thousand at a time; return how many there were."""
        return sum(int(self._redis.unlink(*keys[at : at + 1000])) for at in range(0, len(keys), 1000))

    def _is_named(self, raw: bytes) -> bool:
        """Tell whether a delivered message came from a queue that was named, by its exchange and routing key."""
        exchange, key = route_of(raw)
        if not exchange:
            return key in self._named
        bound = [text(member) for member in self._redis.smembers(f"{self._prefix}_kombu.binding.{exchange}")]
        return any(_is_bound(member, key, queue) for member in bound for queue in self._named)

    @property
    def _unacked(self) -> str:
        return f"{self._prefix}unacked"

    def _keys(self, pattern: str) -> Iterator[str]:
        for raw in self._redis.scan_iter(f"{self._prefix}{pattern}", count=1000):
            yield text(raw)
