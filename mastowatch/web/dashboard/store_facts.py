"""How the Redis is that holds everything: its memory, what it does when that is full, and what a crash would cost."""

from __future__ import annotations

from dataclasses import dataclass

from redis import Redis
from redis.exceptions import ResponseError

from mastowatch.reliable.recovery import UNSETTLED


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """``used`` and ``limit`` in bytes, ``limit`` 0 for none; ``last_save_at`` in epoch seconds.

    ``log_on``: the append-only file. ``saves``: whether the last save, or write to that file, went well.
    ``unsettled``: jobs of dead workers that were set aside.
    """

    version: str
    used: int
    limit: int
    policy: str
    log_on: bool
    saves: bool
    last_save_at: float
    unsettled: int

    @property
    def part_used(self) -> float:
        """Which part of the limit is used, 0 to 1 and more; 0 without one."""
        return self.used / self.limit if self.limit else 0.0

    @property
    def evicts(self) -> bool:
        """Whether it throws away what is stored when its memory is full."""
        return self.limit > 0 and self.policy != "noeviction"


def read_store(redis: Redis) -> StoreFacts | None:
    """Return the facts, in one round trip; None where INFO is not allowed to us."""
    with redis.pipeline(transaction=False) as pipe:
        pipe.info()
        pipe.llen(UNSETTLED)
        try:
            info, unsettled = pipe.execute()
        except ResponseError:
            return None
    log_on = bool(info.get("aof_enabled"))
    statuses = [info.get("aof_last_write_status", "ok")] if log_on else []
    return StoreFacts(
        version=str(info.get("redis_version", "")),
        used=int(info.get("used_memory", 0)),
        limit=int(info.get("maxmemory", 0)),
        policy=str(info.get("maxmemory_policy", "noeviction")),
        log_on=log_on,
        saves=all(one == "ok" for one in (*statuses, info.get("rdb_last_bgsave_status", "ok"))),
        last_save_at=float(info.get("rdb_last_save_time", 0)),
        unsettled=int(unsettled),
    )
