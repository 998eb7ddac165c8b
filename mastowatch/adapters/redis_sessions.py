"""Which sessions of the dashboard have ended before their time, in Redis."""

from __future__ import annotations

import hashlib

from mastowatch.adapters.redis_common import InRedis, ours


class RedisEndedSessions(InRedis):
    """The port ``mastowatch.ports.sign_in.EndedSessions``: a key a session, gone when it had run out anyway.

    A session's name is hashed, so that nobody who reads Redis can make anything of it; nobody's name stands there.
    """

    @ours
    def end(self, name: str, seconds: int) -> None:
        """See the port."""
        self._redis.set(_key(name), 1, ex=max(1, seconds))

    @ours
    def ended(self, name: str) -> bool:
        """See the port."""
        return bool(self._redis.exists(_key(name)))


def _key(name: str) -> str:
    return f"mastowatch:session:ended:{hashlib.sha256(name.encode()).hexdigest()}"
