"""Remembers what came of a request that carries an `Idempotency-Key`, so that a second one does nothing more.

``mastowatch:idempotency:<hash of the key>``: JSON. It first holds the hash of the request alone, while that is under
way (UNDER_WAY_S at most: longer than any of ours takes), and then the answer, for a day.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from redis import Redis

from mastowatch.jobs.records import text

PREFIX = "mastowatch:idempotency:"
UNDER_WAY_S = 60
KEPT_S = 86_400


@dataclass(frozen=True, slots=True)
class Remembered:
    """What came of a request: ``status`` 0 while it is under way. ``request`` is the hash of what was asked."""

    request: str
    status: int = 0
    headers: Mapping[str, str] | None = None
    body: str = ""


def begin(redis: Redis, key: str, request: str) -> Remembered | None:
    """Note that ``request`` is under way; where another one has the key already, return what came of that one."""
    found = redis.set(_name(key), _packed(Remembered(request)), nx=True, ex=UNDER_WAY_S, get=True)
    return Remembered(**json.loads(text(found))) if found else None


def finish(redis: Redis, key: str, answer: Remembered) -> None:
    """Keep the answer for a day."""
    redis.set(_name(key), _packed(answer), ex=KEPT_S)


def forget(redis: Redis, key: str) -> None:
    """Let the key be used again: nothing was done."""
    redis.delete(_name(key))


def _packed(one: Remembered) -> str:
    return json.dumps(asdict(one), separators=(",", ":"))


def _name(key: str) -> str:
    # Hashed, as it may say anything and be of any length.
    return PREFIX + hashlib.sha256(key.encode()).hexdigest()[:32]
