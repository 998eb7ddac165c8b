"""Reads the audit oldest first, and merges older entries into it, each at its own time.

A stream in Redis only appends. So the merged stream is written beside it, a part at a time, and takes its place in one
step, with what was appended meanwhile.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

from redis import Redis

from mastowatch.adapters.redis_audit import ENTRIES_MAX, RedisAudit, body_of, entry_of
from mastowatch.adapters.redis_common import InRedis, ours, text
from mastowatch.ports.types import AuditEntry

Place = tuple[int, int]  # milliseconds, and a number among those of the same
_PART = 500
_TTL_S = 600  # what an import that died has left is gone after that

# KEYS: the stream, the merged one. ARGV: the last entry that was copied, most that are kept.
_SWAP = """
for _, one in ipairs(redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+')) do
  -- An imported one may be newer, where clocks differ.
  local added = redis.pcall('XADD', KEYS[2], one[1], unpack(one[2]))
  if type(added) == 'table' then redis.call('XADD', KEYS[2], '*', unpack(one[2])) end
end
redis.call('XTRIM', KEYS[2], 'MAXLEN', '~', ARGV[2])
redis.call('PERSIST', KEYS[2])
redis.call('RENAME', KEYS[2], KEYS[1])
return 'done'
"""


class RedisAuditMerging(InRedis):
    """``mastowatch:audit``, and ``mastowatch:audit:merging`` while older entries are merged into it."""

    MERGING = "mastowatch:audit:merging"

    def __init__(self, redis: Redis, *, at_most: int = ENTRIES_MAX) -> None:
        super().__init__(redis)
        self._at_most = at_most

    def entries(self, since: float) -> Iterator[tuple[str, AuditEntry | None]]:
        """Yield the entries made at or after ``since`` (epoch seconds), each after its place; oldest first.

        None stands for one that is damaged.
        """
        for place, raw in self._raw(int(since * 1000)):
            yield f"{place[0]}-{place[1]}", entry_of(raw)

    def merge(
        self, entries: Iterable[tuple[str, AuditEntry]], total: int, *, tell: bool, alive: Callable[[], None]
    ) -> Counter[str]:
        """Merge the ``total`` entries, oldest first, or with ``tell`` only count what that would do.

        Of those that would be more than the audit keeps the oldest are left out. One call at a time; ``alive`` is
        called now and then. ``entries`` may be gone through twice.
        """
        done: Counter[str] = Counter()
        if not tell:
            self._drop()
        over = self._too_many(entries, total)
        last, part, number = "0-0", list[tuple[str, Any]](), 0
        for _, mine, others in _by_time(self._raw(0), _placed(entries)):
            last = f"{mine[-1][0][0]}-{mine[-1][0][1]}" if mine else last
            merged = _merged(mine, others)
            done["same"] += len(mine) + len(others) - len(merged)
            for place, raw, is_new in merged:
                number += 1
                if is_new:
                    done["late" if number <= over else "added"] += 1
                if not is_new or number > over:
                    part.append((place, raw))
            if len(part) >= _PART:
                alive()
                part = self._copy(part, tell=tell)
        self._copy(part, tell=tell)
        if not tell:
            self._finish(last, changed=done["added"] > 0)
        return +done

    def _too_many(self, entries: Iterable[tuple[str, AuditEntry]], total: int) -> int:
        """Return how many of all together are more than the audit keeps; what is here and there is one."""
        if self._count() + total <= self._at_most:
            return 0
        together = sum(len(_merged(mine, others)) for _, mine, others in _by_time(self._raw(0), _placed(entries)))
        return max(0, together - self._at_most)

    @ours
    def _count(self) -> int:
        return int(self._redis.xlen(RedisAudit.STREAM))

    def _raw(self, since_ms: int) -> Iterator[tuple[Place, Mapping[Any, Any]]]:
        begin = str(since_ms)
        while True:
            part = self._part(begin)
            for place, raw in part:
                yield _place(text(place)), raw or {}
            if len(part) < _PART:
                return
            begin = f"({text(part[-1][0])}"

    @ours
    def _part(self, begin: str) -> list[Any]:
        return list(self._redis.xrange(RedisAudit.STREAM, min=begin, count=_PART) or [])

    @ours
    def _drop(self) -> None:
        self._redis.delete(self.MERGING)

    @ours
    def _copy(self, part: list[tuple[str, Any]], *, tell: bool) -> list[tuple[str, Any]]:
        if part and not tell:
            with self._redis.pipeline(transaction=False) as pipe:
                for place, raw in part:
                    pipe.xadd(self.MERGING, raw, id=place)
                pipe.expire(self.MERGING, _TTL_S)
                pipe.execute()
        return []

    @ours
    def _finish(self, last: str, *, changed: bool) -> None:
        if changed:
            swap = self._redis.register_script(_SWAP)
            swap(keys=[RedisAudit.STREAM, self.MERGING], args=[last, self._at_most])
        else:
            self._redis.delete(self.MERGING)


def _place(place: str) -> Place:
    at, _, number = place.partition("-")
    return int(at), int(number)


def _by_time(
    mine: Iterable[tuple[Place, Any]], theirs: Iterable[tuple[Place, AuditEntry]]
) -> Iterator[tuple[int, list[tuple[Place, Any]], list[tuple[Place, AuditEntry]]]]:
    """Yield for each millisecond what is here and what is to come, the earliest first."""
    both = heapq.merge(
        ((place[0], 0, place, one) for place, one in mine),
        ((place[0], 1, place, one) for place, one in theirs),
        key=itemgetter(0, 1),
    )
    for at, group in groupby(both, key=itemgetter(0)):
        rows = list(group)
        yield at, [(row[2], row[3]) for row in rows if not row[1]], [(row[2], row[3]) for row in rows if row[1]]


def _placed(entries: Iterable[tuple[str, AuditEntry]]) -> Iterator[tuple[Place, AuditEntry]]:
    return ((_place(place), entry) for place, entry in entries)


def _merged(mine: list[tuple[Place, Any]], others: list[tuple[Place, AuditEntry]]) -> list[tuple[str, Any, bool]]:
    """Return what stands at a millisecond afterwards, and whether each is new; none comes twice."""
    known, taken = [entry_of(raw) for _, raw in mine], {place[1]: (raw, False) for place, raw in mine}
    for (_, number), entry in others:
        if entry in known:
            continue
        free = number
        while free in taken:
            free += 1
        taken[free] = {"entry": body_of(entry)}, True
        known.append(entry)
    at = (mine or others)[0][0][0]
    return [(f"{at}-{number}", *taken[number]) for number in sorted(taken)]
