"""Every decision, in a capped stream in Redis."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from redis import Redis

from mastowatch.adapters.redis_common import InRedis, ours, text
from mastowatch.ports.types import AuditEntry

ENTRIES_MAX = 100_000
_DEFAULTS: Mapping[str, object] = {
    one.name: {} if one.name in ("rules", "shadow_rules") else one.default for one in fields(AuditEntry)
}


class RedisAudit(InRedis):
    """``mastowatch:audit``: a stream of entries, each one field with JSON, about the newest ENTRIES_MAX.

    What an entry leaves empty is not written: most entries are about accounts on which nothing was found.
    """

    STREAM = "mastowatch:audit"

    def __init__(self, redis: Redis, *, at_most: int = ENTRIES_MAX) -> None:
        super().__init__(redis)
        self._at_most = at_most

    @ours
    def add(self, entry: AuditEntry) -> None:
        """See the port."""
        given = {name: value for name, value in asdict(entry).items() if value != _DEFAULTS[name]}
        body = json.dumps(given, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
        self._redis.xadd(self.STREAM, {"entry": body}, maxlen=self._at_most, approximate=True)

    @ours
    def recent(self, limit: int) -> tuple[AuditEntry, ...]:
        """See the port."""
        if limit <= 0:
            return ()
        found = self._redis.xrevrange(self.STREAM, count=limit) or []
        return tuple(_entry(next(iter((one or {}).values()))) for _, one in found)

    @ours
    def older(self, than: str | None, limit: int) -> tuple[tuple[str, AuditEntry], ...]:
        """See the port. A place is the id of an entry in the stream."""
        found = self._redis.xrevrange(self.STREAM, max="+" if than is None else f"({than}", count=limit) or []
        return tuple((text(place), _entry(next(iter((one or {}).values())))) for place, one in found)

    @ours
    def count(self) -> int:
        """See the port."""
        return int(self._redis.xlen(self.STREAM))


def _entry(raw: Any) -> AuditEntry:  # noqa: ANN401 -- redis-py gives bytes or str
    # A newer version may have written more.
    return AuditEntry(**{name: value for name, value in json.loads(raw).items() if name in _DEFAULTS})
