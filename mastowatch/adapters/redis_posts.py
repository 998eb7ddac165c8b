"""How the accounts judged of late looked, in Redis, packed; the oldest looks make room for new ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from redis import Redis

from mastowatch.adapters.look_encoding import pack, tells, unpack
from mastowatch.adapters.redis_common import InRedis, ours, text
from mastowatch.ports.types import Account, Look, Status

POSTS_MAX = 20_000
DAYS_MAX = 14
# Looks fetched in one request of Redis'.
_BATCH = 200


class RedisRecentPosts(InRedis):
    """``mastowatch:recent:look:<account id>``: a look, packed.

    ``mastowatch:recent`` is a sorted set of account ids by when it was taken, ``mastowatch:recent:sizes`` a hash of how
    many posts each look has, and all together.
    """

    INDEX, SIZES, LOOK = "mastowatch:recent", "mastowatch:recent:sizes", "mastowatch:recent:look:"

    # KEYS: index, sizes. ARGV: prefix of looks, account, time, size, look, posts at most, oldest time, time to live.
    # A look that has ended by itself still stands in index and sizes, and leaves them here. No more than so many leave
    # in one step, as a smaller RECENT_POSTS_MAX would otherwise hold Redis up.
    _REMEMBER = """
    local function forget(id)
      redis.call('HINCRBY', KEYS[2], 'all', 0 - tonumber(redis.call('HGET', KEYS[2], id) or '0'))
      redis.call('HDEL', KEYS[2], id)
      redis.call('ZREM', KEYS[1], id)
      redis.call('DEL', ARGV[1] .. id)
    end
    forget(ARGV[2])
    local size, most = tonumber(ARGV[4]), tonumber(ARGV[6])
    if size <= most then
      redis.call('SET', ARGV[1] .. ARGV[2], ARGV[5], 'EX', ARGV[8])
      redis.call('ZADD', KEYS[1], ARGV[3], ARGV[2])
      redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
      redis.call('HINCRBY', KEYS[2], 'all', ARGV[4])
    end
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[7], 'LIMIT', 0, 500)) do forget(id) end
    for _ = 1, 500 do
      if tonumber(redis.call('HGET', KEYS[2], 'all') or '0') <= most then break end
      local oldest = redis.call('ZRANGE', KEYS[1], 0, 0)[1]
      if not oldest then redis.call('DEL', KEYS[2]) break end
      forget(oldest)
    end
    for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ARGV[8]) end
    """

    def __init__(self, redis: Redis, *, at_most: int = POSTS_MAX, days: int = DAYS_MAX) -> None:
        super().__init__(redis)
        self._at_most, self._ttl_s = at_most, days * 86_400
        self._remember = redis.register_script(self._REMEMBER)

    @ours
    def remember(self, account: Account, statuses: Iterable[Status], now: float) -> None:
        """See the port. A look without posts takes room as well: it counts as one post."""
        shown = kept(statuses, self._at_most)
        packed = pack(Look(account, shown, now)) if self._at_most else b""
        args: list[str | bytes | float] = [self.LOOK, account.id, repr(now), max(1, len(shown)), packed]
        args += [self._at_most, repr(now - self._ttl_s), self._ttl_s]
        self._remember(keys=[self.INDEX, self.SIZES], args=args)

    def since(self, at: float) -> Iterator[Look]:
        """See the port. A look that is taken anew meanwhile is left out or comes later."""
        ids = self._ids(at)
        for start in range(0, len(ids), _BATCH):
            for raw in self._packed(ids[start : start + _BATCH]):
                look = unpack(raw) if raw else None
                if look is not None and look.at >= at:
                    yield look

    def get(self, account_id: str) -> Look | None:
        """See the port."""
        raw = self._packed([account_id])[0]
        return unpack(raw) if raw else None

    def find(self, acct: str) -> Look | None:
        """See the port. Looks are unpacked one by one, the newest first: there are as many as posts are kept."""
        wanted = acct.lower()
        ids = self._ids(0.0)[::-1]
        for start in range(0, len(ids), _BATCH):
            for raw in self._packed(ids[start : start + _BATCH]):
                look = unpack(raw) if raw and tells(raw, wanted) else None
                if look is not None and look.account.acct.lower() == wanted:
                    return look
        return None

    @ours
    def count(self) -> tuple[int, int]:
        """See the port."""
        return int(self._redis.zcard(self.INDEX)), int(self._redis.hget(self.SIZES, "all") or 0)

    @ours
    def _ids(self, at: float) -> list[str]:
        return [text(raw) for raw in self._redis.zrangebyscore(self.INDEX, repr(at), "+inf")]

    @ours
    def _packed(self, ids: list[str]) -> list[bytes | None]:
        return [
            raw if isinstance(raw, bytes) else None for raw in self._redis.mget([f"{self.LOOK}{one}" for one in ids])
        ]


def kept(statuses: Iterable[Status], at_most: int) -> tuple[Status, ...]:
    """Return the posts that may be kept: what everybody may read, and the account's own words."""
    shown = [one for one in statuses if one.visibility in ("public", "unlisted") and not one.reblog]
    return tuple(shown[:at_most])
