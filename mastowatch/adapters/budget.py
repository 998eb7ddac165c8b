"""One budget of API requests in Redis, shared by all processes, so that Mastodon never has to answer 429.

The families are Mastodon's own throttles (config/initializers/rack_attack.rb, the same from 4.3 to 4.6), with
windows aligned to the epoch. A request is counted before it is made, and the counters are corrected by the headers
of each response. What can't be counted is full. See docs/explanation/request-budget.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import NamedTuple

from redis import Redis
from redis.exceptions import RedisError

from mastowatch.errors import BudgetExhausted, StoreUnavailable
from mastowatch.ports.mastodon import Purpose

# How much of a family each kind of work may use up. The sweep looks at what is known already and can always wait; a
# poll looks for newcomers; judging one account follows from both and from webhooks; a found case can always be filed.
SHARES: Mapping[Purpose, float] = {"sweep": 0.5, "poll": 0.8, "judge": 0.95, "report": 1.0}
# Parameters that put a request into the paging family.
PAGING = frozenset({"page", "max_id", "min_id", "since_id"})

_UNCOUNTABLE_RETRY_S = 5.0
# Our clock and the server's differ a little: a new window is used only after this.
_SLACK_S = 1.0
# A header's Reset names the window whose end is at most this far from it; windows end minutes apart.
_NEAR_S = 30.0
_LONGEST_WINDOW_S = 900
_KEPT_AFTER_S = 60

# KEYS: block, tally, then one counter a family. ARGV: now, purpose field, paged field, then three a family: limit,
# time to try again, seconds to keep the counter. Ages are relative, as Redis may run by another clock.
# Returns '0' when counted, else the epoch second from which it may be tried again.
_TAKE = """
local blocked = redis.call('GET', KEYS[1])
if blocked and tonumber(blocked) > tonumber(ARGV[1]) then return blocked end
local retry_at = '0'
for i = 3, #KEYS do
  local limit, ends = tonumber(ARGV[3 * i - 5]), ARGV[3 * i - 4]
  local full = tonumber(redis.call('GET', KEYS[i]) or '0') >= limit
  if full and tonumber(ends) > tonumber(retry_at) then retry_at = ends end
end
if retry_at ~= '0' then return retry_at end
for i = 3, #KEYS do
  redis.call('INCR', KEYS[i])
  redis.call('EXPIRE', KEYS[i], ARGV[3 * i - 3])
end
redis.call('HINCRBY', KEYS[2], ARGV[2], 1)
if ARGV[3] ~= '' then redis.call('HINCRBY', KEYS[2], ARGV[3], 1) end
return '0'
"""
# Raises a counter to what the server has counted; never lowers it, as other requests may be under way.
_RAISE = """
if tonumber(redis.call('GET', KEYS[1]) or '0') < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
end
"""
# Keeps the later of two blocks.
_BLOCK = """
if tonumber(redis.call('GET', KEYS[1]) or '0') < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
end
"""


@dataclass(frozen=True, slots=True)
class Family:
    """A throttle of the server: at most ``limit`` requests in each window of ``window_s`` seconds."""

    name: str
    limit: int
    window_s: int
    paged_only: bool = False

    def key(self, now: float) -> str:
        """Return the key that counts the window ``now`` (epoch seconds) lies in."""
        return f"mastowatch:budget:{self.name}:{int(now // self.window_s)}"

    def ends(self, now: float) -> float:
        """Return when that window ends, in epoch seconds."""
        return (now // self.window_s + 1) * self.window_s

    def keep_s(self, now: float) -> int:
        """Return how long the counter must live from ``now``, in seconds."""
        return ceil(self.ends(now) - now) + _KEPT_AFTER_S

    def share(self, purpose: Purpose) -> int:
        """Return up to how many requests in all ``purpose`` may still add one; at least one, however small."""
        return max(1, int(self.limit * SHARES[purpose]))


class FamilyUse(NamedTuple):
    """How much of a family is used up in the present window, which ends at ``resets_at`` (epoch seconds)."""

    family: str
    used: int
    limit: int
    resets_at: float


class Budget:
    """Counts requests in Redis. ``clock`` gives epoch seconds; the limits are the server's."""

    _BLOCKED, _TALLY = "mastowatch:budget:blocked_until", "mastowatch:tally"

    def __init__(
        self, redis: Redis, *, per_5_min: int = 300, paged_per_15_min: int = 300, clock: Callable[[], float]
    ) -> None:
        self._redis, self._clock = redis, clock
        self.families = (
            Family("token", per_5_min, 300),
            # Over all tokens of the bot's user: five times what one token may do.
            Family("user", per_5_min * 5, 300),
            Family("paging", paged_per_15_min, _LONGEST_WINDOW_S, paged_only=True),
        )
        self._take = redis.register_script(_TAKE)
        self._raise = redis.register_script(_RAISE)
        self._block_until = redis.register_script(_BLOCK)

    def take(self, purpose: Purpose, *, paged: bool) -> None:
        """Count one request in every family concerned, or in none: raises BudgetExhausted with the time to retry."""
        now = self._clock()
        concerned = self._concerned(paged=paged)
        keys = [self._BLOCKED, self._TALLY, *(family.key(now) for family in concerned)]
        args: list[str | float] = [now, f"requests_{purpose}", "requests_paged" if paged else ""]
        for family in concerned:
            args += [family.share(purpose), family.ends(now) + _SLACK_S, family.keep_s(now)]
        try:
            retry_at = float(self._take(keys=keys, args=args))
        except RedisError as error:
            text = f"the budget can't be counted, so it is full: {type(error).__name__}"
            raise BudgetExhausted(text, now + _UNCOUNTABLE_RETRY_S) from error
        if retry_at:
            raise BudgetExhausted(f"no requests left to {purpose} before {_spell(retry_at)}", retry_at)

    def learn(self, headers: Mapping[str, str], *, paged: bool, status: int) -> None:
        """Correct the counters by a response; absent or odd headers are left alone. Raises StoreUnavailable."""
        now = self._clock()
        reset = _reset(headers.get("X-RateLimit-Reset"))
        try:
            if status == 429:
                self._block(now, reset, paged=paged)
            else:
                self._correct(headers, reset, now, paged=paged)
        except RedisError as error:
            raise StoreUnavailable(f"Redis: {type(error).__name__}") from error

    def blocked_until(self) -> float:
        """Return until when a 429 forbids all requests (epoch seconds), or 0. Raises StoreUnavailable."""
        try:
            return float(self._redis.get(self._BLOCKED) or 0)
        except RedisError as error:
            raise StoreUnavailable(f"Redis: {type(error).__name__}") from error

    def read(self) -> list[FamilyUse]:
        """Return how the families stand. Raises StoreUnavailable."""
        now = self._clock()
        try:
            used = self._redis.mget([family.key(now) for family in self.families])
        except RedisError as error:
            raise StoreUnavailable(f"Redis: {type(error).__name__}") from error
        return [
            FamilyUse(family.name, int(raw or 0), family.limit, family.ends(now))
            for family, raw in zip(self.families, used, strict=True)
        ]

    def _concerned(self, *, paged: bool) -> list[Family]:
        return [family for family in self.families if paged or not family.paged_only]

    def _correct(self, headers: Mapping[str, str], reset: float | None, now: float, *, paged: bool) -> None:
        remaining = _count(headers.get("X-RateLimit-Remaining"))
        if remaining is None or (reset is not None and reset <= now):
            return  # nothing said, or said of a window that is over
        for family in self._described(_count(headers.get("X-RateLimit-Limit")), reset, now, paged=paged):
            used = max(0, family.limit - remaining)
            self._raise(keys=[family.key(now)], args=[used, family.keep_s(now)])

    def _described(self, limit: int | None, reset: float | None, now: float, *, paged: bool) -> list[Family]:
        """Return the families that a response's headers may speak of; where it is not clear, all that fit.

        Limit and Reset describe whichever throttle has the fewest requests left. Every third window of five
        minutes ends with one of fifteen, and two limits are alike, so that more than one may fit.
        """
        concerned = self._concerned(paged=paged)
        by_end = [one for one in concerned if reset is not None and abs(one.ends(now) - reset) <= _NEAR_S]
        fitting = by_end or concerned
        return [one for one in fitting if one.limit == limit] or [one for one in fitting if one.name != "user"]

    def _block(self, now: float, reset: float | None, *, paged: bool) -> None:
        until = max(family.ends(now) for family in self._concerned(paged=paged))
        # A Reset out of any window's reach is a mistake of a header or a clock.
        if reset is not None and now < reset <= now + _LONGEST_WINDOW_S + _NEAR_S:
            until = reset
        until += _SLACK_S
        self._block_until(keys=[self._BLOCKED], args=[until, ceil(until - now)])


def _count(text: str | None) -> int | None:
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None


def _reset(text: str | None) -> float | None:
    """Read ISO 8601 as Mastodon writes it, or epoch seconds as mastodon-mock and others do."""
    if text is None:
        return None
    try:
        return float(int(text)) if text.isdigit() else _timestamp(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def _timestamp(at: datetime) -> float:
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _spell(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S UTC")
