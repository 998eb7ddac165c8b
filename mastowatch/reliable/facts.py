"""Reads how the queues stand, in two round trips and without writing.

RQ's own ``registry.count`` runs clean-ups with failure callbacks while it reads; a page that people keep open
must not do that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis import Redis

from mastowatch.reliable.pausing import Paused, read
from mastowatch.reliable.scripts import PAUSED_QUEUES, TOTALS

_REGISTRIES = ("wip", "finished", "failed", "scheduled", "deferred", "canceled")


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """How a queue stands. ``oldest_s``: age of its first waiting job in seconds, 0 when none waits.

    ``finished`` and ``failed`` count the records still kept, ``finished_total`` and ``failed_total`` all ever.
    ``workers`` are those that live; one that died is none within its registration's life (9 s).
    ``paused`` says who paused it and when; None while its jobs are taken.
    """

    name: str
    depth: int
    oldest_s: float
    started: int
    finished: int
    failed: int
    scheduled: int
    deferred: int
    canceled: int
    workers: int
    finished_total: int
    failed_total: int
    paused: Paused | None = None


def queue_facts(redis: Redis, names: Sequence[str], now: float) -> list[QueueFacts]:
    """Return the facts of each queue, in the order asked for; ``now`` is epoch seconds."""
    with redis.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.llen(f"rq:queue:{name}")
            pipe.lindex(f"rq:queue:{name}", 0)
            for kind in _REGISTRIES:
                pipe.zcard(f"rq:{kind}:{name}")
            pipe.smembers(f"rq:workers:{name}")
            pipe.hmget(TOTALS, [f"{name}:finished", f"{name}:failed"])
            pipe.hget(PAUSED_QUEUES, name)
        rows = pipe.execute()
    width = len(_REGISTRIES) + 5
    chunks = [rows[start : start + width] for start in range(0, len(rows), width)]
    with redis.pipeline(transaction=False) as pipe:
        for chunk in chunks:
            pipe.hget(f"rq:job:{_text(chunk[1] or '')}", "enqueued_at")
            # The name of one that died stays until another worker of the queue tidies up, and so for ever where it was
            # the last one; its registration does not.
            pipe.exists("rq:worker:", *chunk[2 + len(_REGISTRIES)])
        found = pipe.execute()
    known = zip(names, chunks, found[::2], found[1::2], strict=True)
    return [_facts(name, chunk, _age(since, now), living) for name, chunk, since, living in known]


def queue_depths(redis: Redis, names: Sequence[str]) -> dict[str, int]:
    """Return how many jobs wait on each queue."""
    with redis.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.llen(f"rq:queue:{name}")
        return dict(zip(names, pipe.execute(), strict=True))


def known_queues(redis: Redis) -> list[str]:
    """Return the names of all queues that RQ knows, sorted."""
    return sorted(_text(raw).removeprefix("rq:queue:") for raw in redis.smembers("rq:queues"))


def _age(raw: bytes | None, now: float) -> float:
    if not raw:
        return 0.0
    try:
        at = datetime.fromisoformat(_text(raw))
    except ValueError:  # a damaged record must not take the whole page with it
        return 0.0
    return max(0.0, now - (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


def _facts(name: str, chunk: Sequence[Any], age: float, workers: int) -> QueueFacts:
    depth, _, *counts = chunk
    *sizes, totals, paused = counts
    started, finished, failed, scheduled, deferred, canceled, _ = sizes
    finished_total, failed_total = (_total(raw) for raw in totals)
    return QueueFacts(
        name=name,
        depth=depth,
        oldest_s=round(age, 3),
        started=started,
        finished=finished,
        failed=failed,
        scheduled=scheduled,
        deferred=deferred,
        canceled=canceled,
        workers=workers,
        finished_total=finished_total,
        failed_total=failed_total,
        paused=read(paused) if paused is not None else None,
    )


def _total(raw: Any) -> int:  # noqa: ANN401 -- redis-py gives bytes or str
    written = _text(raw or "")
    return int(written) if written.isascii() and written.isdigit() and len(written) < 16 else 0


def _text(raw: Any) -> str:  # noqa: ANN401 -- redis-py gives bytes or str
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
