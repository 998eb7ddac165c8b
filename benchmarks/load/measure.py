"""What Redis holds, by family of keys: how many, and how many bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from redis import Redis

_BATCH = 1000
_OURS = (
    *("budget", "claim", "cursor", "lock", "judged", "webhook", "idempotency", "moved", "case", "campaign", "rule"),
    *("report", "quota", "held", "action", "history", "switch", "layout:past", "recent:look", "session:ended"),
)
_OF_RQ = (
    *("job", "results", "queue", "wip", "finished", "failed", "scheduled", "canceled", "deferred", "executions"),
    *("execution", "worker", "workers", "taken", "followups", "clean_registries", "scheduler_instance"),
)
# What ends a family's name is an id, a hash, a rule, a window or a queue. The first that fits counts.
_FAMILIES = tuple(
    (re.compile(pattern), family)
    for pattern, family in (
        (r"mastowatch:campaign:.*:woken", "mastowatch:campaign:*:woken"),
        (r"mastowatch:rule:.*:(hits|shadow_hits)", "mastowatch:rule:*:hits"),
        (rf"(mastowatch:(?:{'|'.join(_OURS)})):.*", r"\1:*"),
        (rf"(rq:(?:{'|'.join(_OF_RQ)})):.*", r"\1:*"),
    )
)


@dataclass
class Family:
    """Keys of one kind."""

    keys: int = 0
    memory: int = 0  # bytes


def family_of(key: str) -> str:
    """Return the family of a key: its name with ``*`` for what differs."""
    for pattern, family in _FAMILIES:
        if match := pattern.fullmatch(key):
            return match.expand(family)
    return key


def families(redis: Redis) -> Mapping[str, Family]:
    """Return all keys by family, the largest first. Keys that are gone before they were measured count nothing."""
    found: dict[str, Family] = {}
    for keys in _batches(redis):
        with redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.memory_usage(key, samples=0)
            sizes = pipe.execute()
        for key, size in zip(keys, sizes, strict=True):
            if size:
                family = found.setdefault(family_of(key.decode("utf-8", "replace")), Family())
                family.keys += 1
                family.memory += size
    return dict(sorted(found.items(), key=lambda one: -one[1].memory))


def _batches(redis: Redis) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for key in redis.scan_iter(count=_BATCH):
        batch.append(key)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
