"""Pauses all work for maintenance, and tells what runs still: no worker on any machine takes another job meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from redis import Redis

from mastowatch.config.settings import QUEUES
from mastowatch.jobs.records import text
from mastowatch.jobs.refusals import BadParameter
from mastowatch.reliable import pausing
from mastowatch.reliable.pausing import AllPaused, all_paused

__all__ = ["AllPaused", "Busy", "all_paused", "busy", "pause", "resume"]

REASON_MAX = 200  # characters

# What is in the hand of each worker, at one moment, and what is still to follow an end. KEYS: takers, followups...
# Answers: [number that follow, [worker, lives?, job], ...]
_BUSY = """
local follow, found = 0, {}
for i = 2, #KEYS do follow = follow + redis.call('LLEN', KEYS[i]) end
for _, name in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local worker = 'rq:worker:' .. name
  local lives = redis.call('EXISTS', worker) == 1 and redis.call('HEXISTS', worker, 'death') == 0
  for _, id in ipairs(redis.call('LRANGE', 'rq:taken:' .. name, 0, -1)) do
    found[#found + 1] = {name, lives and 1 or 0, id}
  end
end
-- Where no worker lives, nothing follows.
local living = 0
for _, worker in ipairs(redis.call('SMEMBERS', 'rq:workers')) do living = living + redis.call('EXISTS', worker) end
return {living > 0 and follow or 0, found}
"""


@dataclass(frozen=True, slots=True)
class InHand:
    """A job in the hand of a worker. ``alive=False``: the worker is dead, and another will put the job back."""

    worker: str
    alive: bool
    job_id: str


@dataclass(frozen=True, slots=True)
class Busy:
    """What is going on: jobs in hands, and how many ended jobs have something that is still to follow their end."""

    in_hand: tuple[InHand, ...]
    follow_ups: int

    @property
    def running(self) -> tuple[InHand, ...]:
        """Return what a living worker does."""
        return tuple(one for one in self.in_hand if one.alive)

    def __bool__(self) -> bool:
        return bool(self.running or self.follow_ups)


def pause(redis: Redis, by: str, now: float, reason: str = "", queues: Sequence[str] = QUEUES) -> int:
    """Pause all queues that are not paused yet; return how many those were. Raises BadParameter.

    Called again it pauses what was resumed since, and keeps who, when and why.
    """
    return pausing.pause_all(redis, queues, by, now, checked(reason))


def resume(redis: Redis) -> tuple[str, ...]:
    """Resume what ``pause`` has paused, and return which queues; what people paused one by one stays paused."""
    return pausing.resume_all(redis)


def checked(reason: str) -> str:
    """Return the reason in one line; raises BadParameter for one that is too long, or can't be shown."""
    plain = " ".join(reason.split())
    if len(plain) > REASON_MAX or not plain.isprintable():
        raise BadParameter(f"reason: give at most {REASON_MAX} characters that can be printed")
    return plain


def busy(redis: Redis) -> Busy:
    """Return what is going on, as of one moment."""
    script = redis.register_script(_BUSY)
    follow, found = script(keys=["rq:takers", *(f"rq:followups:{queue}" for queue in QUEUES)])
    return Busy(tuple(InHand(text(one[0]), bool(one[1]), text(one[2])) for one in found), int(follow))
