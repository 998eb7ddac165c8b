"""What all stores in Redis share: whose errors come out, and texts out of what redis-py gives."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from redis import Redis
from redis.exceptions import RedisError

from mastowatch.errors import StoreUnavailable

P = ParamSpec("P")
R = TypeVar("R")


def ours(method: Callable[P, R]) -> Callable[P, R]:
    """Have Redis' own errors come out of ``method`` as StoreUnavailable."""

    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except RedisError as error:
            raise StoreUnavailable(f"Redis: {type(error).__name__}: {error}") from error

    return call


def text(raw: Any) -> str:  # noqa: ANN401 -- redis-py gives bytes or str
    """Return one value as text."""
    return raw.decode() if isinstance(raw, bytes) else str(raw)


def texts(raw: dict[Any, Any]) -> dict[str, str]:
    """Return a hash with its fields and values as texts."""
    return {text(key): text(value) for key, value in raw.items()}


class InRedis:
    """A store that holds a client of Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
