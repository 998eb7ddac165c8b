"""Makes another client of the Redis that a client is for: the same address, password and TLS, other patience.

Behind Redis Sentinel the address is that of whichever server is the primary, asked anew for each connection; the new
client follows it like the first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from redis import ConnectionPool, Redis
from redis.sentinel import SentinelConnectionPool

# What belongs to the pool that it came from: its notes on a cluster's maintenance, and the way to Sentinel.
_OF_POOL = ("maint_notifications", "orig_", "connection_pool")


def same_pool(redis: Redis, *, without: Iterable[str] = (), **options: Any) -> ConnectionPool:  # noqa: ANN401 -- redis-py's
    """Return a new pool of connections to the same Redis, with other ``options``; ``without`` some that it has."""
    pool = redis.connection_pool
    kept = (pair for pair in pool.connection_kwargs.items() if not pair[0].startswith((*_OF_POOL, *without)))
    given = dict(kept) | options
    if isinstance(pool, SentinelConnectionPool):
        return SentinelConnectionPool(  # type: ignore[no-untyped-call]
            pool.service_name, pool.sentinel_manager, connection_class=pool.connection_class, **given
        )
    return ConnectionPool(connection_class=pool.connection_class, **given)


def same_redis(redis: Redis, *, without: Iterable[str] = (), **options: Any) -> Redis:  # noqa: ANN401 -- redis-py's
    """Return a client over such a pool."""
    return Redis(connection_pool=same_pool(redis, without=without, **options))
