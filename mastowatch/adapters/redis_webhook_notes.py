"""When Mastodon's webhooks were last heard of, in Redis: ``mastowatch:webhooks:seen``, one hash of four fields."""

from __future__ import annotations

from collections.abc import Mapping

from mastowatch.adapters.redis_common import InRedis, ours, texts
from mastowatch.ports.types import WebhooksSeen

KEY = "mastowatch:webhooks:seen"


class RedisWebhookNotes(InRedis):
    """The port ``mastowatch.ports.store.WebhookNotes``."""

    @ours
    def note(self, seen: WebhooksSeen) -> None:
        """See the port."""
        fields: dict[str, str] = {}
        if seen.taken_at:
            fields |= {"taken_at": repr(seen.taken_at), "event": seen.event}
        if seen.refused_at:
            fields |= {"refused_at": repr(seen.refused_at), "why": seen.why}
        if fields:
            self._redis.hset(KEY, mapping=fields)  # type: ignore[arg-type]  # redis-py's stubs want other keys

    @ours
    def read(self) -> WebhooksSeen:
        """See the port."""
        return _seen(texts(self._redis.hgetall(KEY)))


def _seen(fields: Mapping[str, str]) -> WebhooksSeen:
    return WebhooksSeen(
        taken_at=_moment(fields.get("taken_at", "")),
        event=fields.get("event", ""),
        refused_at=_moment(fields.get("refused_at", "")),
        why=fields.get("why", ""),
    )


def _moment(written: str) -> float:
    try:
        return float(written or 0)
    except ValueError:  # another program's, or damaged: as if there were none
        return 0.0
