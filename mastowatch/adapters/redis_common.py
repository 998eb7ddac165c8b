"""What all stores in Redis share: whose errors come out, and texts out of what redis-py gives."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError

from mastowatch.errors import StoreUnavailable

P = ParamSpec("P")
R = TypeVar("R")
_WHOLE, _MOMENT = re.compile("[0-9]{1,15}"), re.compile(r"[0-9]{1,11}(\.[0-9]+)?")


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


def answers(pipe: Pipeline) -> list[Any]:
    """Return what a pipeline answers, None where a key is of another type than it should be; raises RedisError."""
    found = pipe.execute(raise_on_error=False)
    for one in found:
        if isinstance(one, Exception) and "WRONGTYPE" not in str(one):
            raise one
    return [None if isinstance(one, Exception) else one for one in found]


def whole(raw: Any) -> int:  # noqa: ANN401 -- redis-py gives bytes, str or None
    """Return a count; 0 for none, and for what is no count."""
    told = text(raw) if raw is not None else ""
    return int(told) if _WHOLE.fullmatch(told) else 0


def moment(raw: Any) -> float:  # noqa: ANN401 -- as above
    """Return epoch seconds; 0 for none, and for what is no moment."""
    told = text(raw) if raw is not None else ""
    return float(told) if _MOMENT.fullmatch(told) else 0.0


class InRedis:
    """A store that holds a client of Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
