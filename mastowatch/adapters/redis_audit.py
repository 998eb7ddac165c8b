"""Every decision, in a capped stream in Redis."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from redis import Redis

from mastowatch.adapters.reading_back import MANY, build, read_object
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
        self._redis.xadd(self.STREAM, {"entry": body_of(entry)}, maxlen=self._at_most, approximate=True)

    @ours
    def recent(self, limit: int) -> tuple[AuditEntry, ...]:
        """See the port."""
        if limit <= 0:
            return ()
        return tuple(entry for _, entry in self.older(None, limit))

    @ours
    def older(self, than: str | None, limit: int) -> tuple[tuple[str, AuditEntry], ...]:
        """See the port. A place is the id of an entry in the stream."""
        found: list[tuple[str, AuditEntry]] = []
        begin, width = "+" if than is None else f"({than}", limit
        while len(found) < limit:
            # Those that can't be read take no place: a page that is not full would be the last one.
            raw = self._redis.xrevrange(self.STREAM, max=begin, count=width) or []
            read = [(text(place), entry_of(one)) for place, one in raw]
            found += [(place, entry) for place, entry in read if entry is not None]
            if len(raw) < width:
                break
            begin, width = f"({read[-1][0]}", max(limit, MANY)
        return tuple(found[:limit])

    @ours
    def count(self) -> int:
        """See the port."""
        return int(self._redis.xlen(self.STREAM))


def body_of(entry: AuditEntry) -> bytes:
    """Return an entry as the stream holds it."""
    given = {name: value for name, value in asdict(entry).items() if value != _DEFAULTS[name]}
    return json.dumps(given, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def entry_of(found: Any) -> AuditEntry | None:  # noqa: ANN401 -- what redis-py gives
    """Return an entry, None for one that can't be read; a newer version may have written more."""
    try:
        given = read_object(next(iter((found or {"": b""}).values())))
        if not all(_are_weights(given.get(name, {})) for name in ("rules", "shadow_rules")):
            return None
        return build(AuditEntry, given)
    except ValueError:
        return None


def _are_weights(found: Any) -> bool:  # noqa: ANN401 -- JSON
    return isinstance(found, dict) and all(isinstance(one, (int, float)) and abs(one) < 1e9 for one in found.values())
