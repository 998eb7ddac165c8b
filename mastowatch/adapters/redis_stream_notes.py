"""How the public stream is read, in Redis: ``mastowatch:stream``, a hash that runs out a minute after the last note."""

from __future__ import annotations

from collections.abc import Mapping

from mastowatch.adapters.redis_common import InRedis, ours, texts
from mastowatch.ports.types import StreamNote

KEY = "mastowatch:stream"
NOTE_TTL_S = 60


class RedisStreamNotes(InRedis):
    """``mastowatch:stream``."""

    @ours
    def note(self, note: StreamNote) -> None:
        """See the port."""
        fields = {
            "at": repr(note.at),
            "connected": int(note.connected),
            "covering": int(note.covering),
            "lag_s": "" if note.lag_s is None else repr(note.lag_s),
            "post_at": repr(note.post_at),
        }
        with self._redis.pipeline() as pipe:
            pipe.hset(KEY, mapping=fields)  # type: ignore[arg-type]  # redis-py's stubs want one type for all values
            pipe.expire(KEY, NOTE_TTL_S)
            pipe.execute()

    @ours
    def read(self) -> StreamNote | None:
        """See the port."""
        return stream_note(texts(self._redis.hgetall(KEY)))


def stream_note(fields: Mapping[str, str]) -> StreamNote | None:
    """Return the note that a hash holds; None for an empty one."""
    if not fields:
        return None
    lag = fields.get("lag_s", "")
    return StreamNote(
        at=float(fields["at"]),
        connected=fields.get("connected") == "1",
        covering=fields.get("covering") == "1",
        lag_s=float(lag) if lag else None,
        post_at=float(fields.get("post_at", 0)),
    )
