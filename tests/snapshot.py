"""All that a Redis database holds, in a form that can be compared (DUMP is not: a hash has no order)."""

from __future__ import annotations

from typing import Any

from redis import Redis


def snapshot(redis: Redis) -> dict[bytes, Any]:
    """Return the value of every key, and whether it runs out."""
    return {key: (_value(redis, key), redis.ttl(key) >= 0) for key in redis.scan_iter()}


def _value(redis: Redis, key: bytes) -> Any:
    read = {
        b"string": lambda: redis.get(key),
        b"hash": lambda: redis.hgetall(key),
        b"list": lambda: redis.lrange(key, 0, -1),
        b"set": lambda: redis.smembers(key),
        b"zset": lambda: redis.zrange(key, 0, -1, withscores=True),
        b"stream": lambda: redis.xrange(key),
    }
    return read[redis.type(key)]()
