"""One connection to Redis for scripts alone, without a client around it.

A job costs one round trip here, so the client's own work for each command (a pool, retries, metrics; half of the time
of a trip on the same host) would show. Nothing is sent again by itself: the horse knows best what may be.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha1
from typing import Any

from redis import Redis
from redis.exceptions import NoScriptError


class Script:
    """A Lua script and the name that Redis knows it by."""

    def __init__(self, lua: str) -> None:
        self.lua = lua
        self.sha = sha1(lua.encode(), usedforsecurity=False).hexdigest()


class Line:
    """Runs scripts over a connection of its own, made at the first call and again after any trouble."""

    def __init__(self, redis: Redis) -> None:
        self._pool = redis.connection_pool
        self._wire: Any = None

    def run(self, script: Script, keys: Sequence[Any], args: Sequence[Any]) -> Any:  # noqa: ANN401 -- Redis' answer
        """Return what the script returns; raises redis.exceptions.RedisError, also if it may have run."""
        if self._wire is None:
            self._wire = self._pool.get_connection()
        try:
            return self._say("EVALSHA", script.sha, len(keys), *keys, *args)
        except NoScriptError:
            return self._say("EVAL", script.lua, len(keys), *keys, *args)

    def hang_up(self) -> None:
        """Close the connection; the next call makes another."""
        if self._wire is not None:
            wire, self._wire = self._wire, None
            wire.disconnect()
            self._pool.release(wire)

    def _say(self, *words: Any) -> Any:  # noqa: ANN401 -- as above
        try:
            self._wire.send_command(*words)
            return self._wire.read_response()
        except NoScriptError:
            raise
        except BaseException:
            # What is left unread would be taken for the answer to the next call.
            self.hang_up()
            raise
