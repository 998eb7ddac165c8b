"""Pauses a queue: its jobs stay where they are, and no worker takes one, until it is resumed.

``rq:paused`` is a hash, a field (JSON) a paused queue. The script that takes a job looks at it in the same step, so
nothing is begun after the call that paused the queue has returned. What runs goes on, and so does what follows the
end of a job. RQ knows `rq suspend` only, which stops all queues.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis
from rq.utils import as_text

from mastowatch.reliable.scripts import PAUSED_QUEUES

_CALENDARS_END = 253_402_300_799.0  # of the year 9999


@dataclass(frozen=True, slots=True)
class Paused:
    """Who paused a queue, and when: epoch seconds, 0 where that can't be read."""

    by: str
    at: float


def pause(redis: Redis, queue: str, by: str, now: float) -> bool:
    """Pause the queue; False if it is paused already, and that stays as it was."""
    return bool(redis.hsetnx(PAUSED_QUEUES, queue, json.dumps([by, now], ensure_ascii=False)))


def resume(redis: Redis, queue: str) -> bool:
    """Let its jobs be taken again; False if it was not paused."""
    return bool(redis.hdel(PAUSED_QUEUES, queue))


def paused_queues(redis: Redis) -> Mapping[str, Paused]:
    """Return the paused queues by name."""
    return {as_text(queue): read(raw) for queue, raw in redis.hgetall(PAUSED_QUEUES).items()}


def read(raw: Any) -> Paused:  # noqa: ANN401 -- redis-py gives bytes or str
    """Return an entry; one that can't be read pauses its queue all the same."""
    try:
        by, at = json.loads(raw)
        return Paused(str(by), epoch(at))
    except (ValueError, TypeError, RecursionError):
        return Paused("", 0.0)


def epoch(found: Any) -> float:  # noqa: ANN401 -- JSON, or what redis-py gives
    """Return epoch seconds; 0 for what is past all calendars. Raises ValueError or TypeError for what is no number."""
    at = float(found)
    return at if 0 <= at < _CALENDARS_END else 0.0
