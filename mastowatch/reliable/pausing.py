"""Pauses a queue: its jobs stay where they are, and no worker takes one, until it is resumed.

``rq:paused`` is a hash, a field (JSON) a paused queue. The script that takes a job looks at it in the same step, so
nothing is begun after the call that paused the queue has returned. What runs goes on, and so does what follows the
end of a job. RQ knows `rq suspend` only, which stops all queues.

All queues may be paused at once, for maintenance: ``rq:paused_all`` is a hash with who, when and why, and with the
entry that was written for each queue. So resuming them leaves alone what somebody had paused before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis
from rq.utils import as_text

from mastowatch.reliable.scripts import PAUSED_QUEUES

PAUSED_ALL = "rq:paused_all"
_CALENDARS_END = 253_402_300_799.0  # of the year 9999


@dataclass(frozen=True, slots=True)
class Paused:
    """Who paused a queue, and when: epoch seconds, 0 where that can't be read."""

    by: str
    at: float


@dataclass(frozen=True, slots=True)
class AllPaused:
    """Who paused all queues at once, when (epoch seconds), and why ("": nobody said).

    ``queues`` are those that wait for this alone: not what had been paused before, nor what was resumed since.
    """

    by: str
    at: float
    reason: str
    queues: tuple[str, ...]


# KEYS: the paused queues, the pause of all. ARGV: entry of a queue, by, at, reason, queues... A pause that stands is
# gone on with: queues that were resumed since are paused again. Answers how many were paused.
_PAUSE_ALL = """
local entry, stands, more = redis.call('HGET', KEYS[2], 'entry'), false, 0
for _, raw in ipairs(redis.call('HVALS', KEYS[1])) do stands = stands or raw == entry end
if not stands then
  redis.call('DEL', KEYS[2])
  entry = ARGV[1]
end
for i = 5, #ARGV do more = more + redis.call('HSETNX', KEYS[1], ARGV[i], entry) end
if more > 0 and not stands then
  redis.call('HSET', KEYS[2], 'entry', entry, 'by', ARGV[2], 'at', ARGV[3], 'reason', ARGV[4])
end
return more
"""

# KEYS: as above. Answers the queues that were resumed.
_RESUME_ALL = """
local entry, queues, resumed = redis.call('HGET', KEYS[2], 'entry'), redis.call('HGETALL', KEYS[1]), {}
for i = 1, #queues, 2 do
  if queues[i + 1] == entry then
    redis.call('HDEL', KEYS[1], queues[i])
    resumed[#resumed + 1] = queues[i]
  end
end
redis.call('DEL', KEYS[2])
return resumed
"""


def pause_all(redis: Redis, queues: Sequence[str], by: str, now: float, reason: str = "") -> int:
    """Pause all of these that are not paused yet, in one step; return how many those were."""
    script = redis.register_script(_PAUSE_ALL)
    entry: str = json.dumps([by, now], ensure_ascii=False)
    return int(script(keys=[PAUSED_QUEUES, PAUSED_ALL], args=[entry, by, repr(now), reason, *queues]))


def resume_all(redis: Redis) -> tuple[str, ...]:
    """Resume what ``pause_all`` has paused, and nothing that was paused otherwise; return the queues."""
    script = redis.register_script(_RESUME_ALL)
    return tuple(sorted(as_text(one) for one in script(keys=[PAUSED_QUEUES, PAUSED_ALL])))


def all_paused(redis: Redis) -> AllPaused | None:
    """Return the pause of all queues; None where there is none, or none of its queues waits for it any more."""
    with redis.pipeline(transaction=True) as pipe:
        pipe.hgetall(PAUSED_ALL)
        pipe.hgetall(PAUSED_QUEUES)
        known, queues = pipe.execute()
    found = {as_text(name): as_text(value) for name, value in known.items()}
    held = tuple(sorted(as_text(name) for name, raw in queues.items() if as_text(raw) == found.get("entry")))
    if not held:
        return None
    return AllPaused(found.get("by", ""), _moment(found.get("at")), found.get("reason", ""), held)


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


def _moment(found: str | None) -> float:
    try:
        return epoch(found)
    except (ValueError, TypeError):
        return 0.0


def epoch(found: Any) -> float:  # noqa: ANN401 -- JSON, or what redis-py gives
    """Return epoch seconds; 0 for what is past all calendars. Raises ValueError or TypeError for what is no number."""
    at = float(found)
    return at if 0 <= at < _CALENDARS_END else 0.0
