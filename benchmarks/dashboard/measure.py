"""Asks for a page again and again, and tells how long it took and what it cost Redis."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redis import Redis

from benchmarks.dashboard.sides import Side

WARM_UP = 5
GIVE_UP_S = 30.0  # a page that takes longer is none that anybody waits for
# What changes something in Redis; a page that is looked at should send none of these.
_WRITES = frozenset(
    {"set", "setex", "psetex", "incr", "incrby", "del", "unlink", "expire", "pexpire", "persist", "hset", "hdel"}
    | {"hincrby", "lpush", "rpush", "lrem", "lmove", "sadd", "srem", "zadd", "zrem", "zremrangebyscore"}
    | {"xadd", "xtrim", "eval", "evalsha"}
)


@dataclass(frozen=True)
class Page:
    """What is asked for: one or more requests of ``side``, one after the other."""

    side: Side
    paths: Sequence[str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Cost:
    """What a page took: milliseconds, bytes of the answer; commands, bytes and writes of Redis. ``asked``: how often.

    ``late``: a request took longer than the limit, and the times are those of one that was given up.
    """

    asked: int
    half_ms: float
    p99_ms: float
    size: int
    commands: float
    redis_bytes: float
    writes: float
    late: bool = False


def measure(page: Page, redis: Redis, requests: int, limit_s: float) -> Cost:
    """Ask for the page ``requests`` times, fewer where all of them would take longer than ``limit_s`` seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", page.side.port, timeout=GIVE_UP_S)
    try:
        before = _counted(redis)
        size, first_s = _ask(connection, page)
        times = [first_s]
        if first_s < limit_s / 2:
            for _ in range(min(WARM_UP, int(limit_s / 4 / first_s))):
                _ask(connection, page)
            before = _counted(redis)
            times = _ask_often(connection, page, requests, limit_s)
        counted = [after - one for one, after in zip(before, _counted(redis), strict=True)]
    except TimeoutError:
        page.side.end()
        page.side.start()
        return Cost(0, 1000 * GIVE_UP_S, 1000 * GIVE_UP_S, 0, 0, 0, 0, late=True)
    finally:
        connection.close()
    times = sorted(1000 * one for one in times)
    commands, sent, writes = (one / len(times) for one in counted)
    return Cost(len(times), times[len(times) // 2], times[int(len(times) * 0.99)], size, commands, sent, writes)


def _ask_often(connection: http.client.HTTPConnection, page: Page, requests: int, limit_s: float) -> list[float]:
    """Return the seconds that each request took."""
    times: list[float] = []
    until = time.perf_counter() + limit_s
    while len(times) < requests and time.perf_counter() < until:
        times.append(_ask(connection, page)[1])
    return times


def _ask(connection: http.client.HTTPConnection, page: Page) -> tuple[int, float]:
    """Return the bytes of the answers and the seconds they took; ends the program if one is no page."""
    size, begun = 0, time.perf_counter()
    for path in page.paths:
        connection.request("GET", path, headers=dict(page.headers))
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            raise SystemExit(f"{path}: {answer.status} {body[:500]!r}")
        size += len(body)
    return size, time.perf_counter() - begun


def _counted(redis: Redis) -> tuple[int, int, int]:
    """Return how many commands, bytes and writes Redis has counted, leaving aside what this asks."""
    sent = int(redis.info("stats")["total_net_output_bytes"])
    calls = {name.removeprefix("cmdstat_"): one["calls"] for name, one in redis.info("commandstats").items()}
    writes = sum(number for name, number in calls.items() if name.split("|")[0] in _WRITES)
    return sum(calls.values()) - calls.get("info", 0), sent, writes
