"""One budget of API requests in Redis, shared by all processes, so that Mastodon never has to answer 429.

The families are Mastodon's own throttles (config/initializers/rack_attack.rb, the same from 4.3 to 4.6), with
windows aligned to the epoch. A request is counted before it is made, and the headers of its response correct the
counters. What can't be counted is full. See docs/explanation/request-budget.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError

from mastowatch import metrics
from mastowatch.adapters.redis_common import moment, text, whole
from mastowatch.errors import BudgetExhausted, StoreUnavailable
from mastowatch.ports.mastodon import Purpose
from mastowatch.ports.types import FamilyUse

# How much of a family each kind of work may use up. The sweep can always wait for the next window; a poll, and a look
# at the timeline, leave room for judging what they found; judging leaves room for what webhooks bring, so that this
# never waits behind a backlog; and that leaves room for filing, which has the last word.
SHARES: Mapping[Purpose, float] = {
    "sweep": 0.5,
    "timeline": 0.6,
    "poll": 0.7,
    "judge": 0.8,
    "webhook": 0.95,
    "report": 1.0,
}

# The one limit of Mastodon's that no other throttle has, so a header that names it speaks of the user family.
_USER_LIMIT = 1500
_UNCOUNTABLE_RETRY_S = 5.0
# Our clock and the server's differ a little: a new window is used only after this.
_SLACK_S = 1.0
# A reset further away than any window is long is a mistake of the server or of a clock.
_FARTHEST_RESET_S = 1800

# KEYS: block, tally, then one counter a family. ARGV: now, purpose's field, paged field or "", then for each family
# the limit and the end of its window. Returns "0" when counted, else the second from which it may be tried again.
# The time to live is relative to our clock: Redis' own may differ.
_TAKE = """
local now = tonumber(ARGV[1])
local retry_at = tonumber(redis.call('GET', KEYS[1]) or '0')
if retry_at <= now then retry_at = 0 end
for i = 3, #KEYS do
  local limit, ends = tonumber(ARGV[i * 2 - 2]), tonumber(ARGV[i * 2 - 1])
  if tonumber(redis.call('GET', KEYS[i]) or '0') >= limit then retry_at = math.max(retry_at, ends) end
end
if retry_at > 0 then return string.format('%.3f', retry_at) end
for i = 3, #KEYS do
  redis.call('INCR', KEYS[i])
  redis.call('EXPIRE', KEYS[i], math.ceil(tonumber(ARGV[i * 2 - 1]) - now) + 60)
end
redis.call('HINCRBY', KEYS[2], ARGV[2], 1)
if ARGV[3] ~= '' then redis.call('HINCRBY', KEYS[2], ARGV[3], 1) end
return '0'
"""
# Raises a number, for so many seconds; never lowers it, as other requests may be under way.
_RAISE = """
if tonumber(redis.call('GET', KEYS[1]) or '0') < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1], 'EX', math.ceil(tonumber(ARGV[2])) + 60)
end
"""


# Lengths of the server's windows.
SHORT_S, LONG_S = 300, 900

# How long Mastodon took to answer: a hash with a counter for each purpose and bucket (a bucket is named by its upper
# bound in seconds), the sum of seconds a purpose, and a counter for each kind of answer.
DURATIONS = "mastowatch:durations"
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ANSWERS = ("2xx", "3xx", "4xx", "429", "5xx", "none")


@dataclass(frozen=True, slots=True)
class Family:
    """A throttle of the server: at most ``limit`` requests in each window of ``window_s`` seconds."""

    name: str
    limit: int
    window_s: int
    paged_only: bool = False

    def window(self, now: float) -> tuple[str, float]:
        """Return the counter's key and the end (epoch seconds) of the window that ``now`` lies in."""
        number = int(now // self.window_s)
        return f"mastowatch:budget:{self.name}:{number}", float((number + 1) * self.window_s)


class Budget:
    """Counts requests; ``clock`` gives epoch seconds."""

    BLOCK, _TALLY = "mastowatch:budget:blocked_until", "mastowatch:tally"

    def __init__(
        self, redis: Redis, *, clock: Callable[[], float], per_5_min: int = 300, paged_per_15_min: int = 300
    ) -> None:
        self._redis, self._clock = redis, clock
        self.families = (
            Family("token", per_5_min, SHORT_S),
            # Over all tokens of one user: five times what one token may do.
            Family("user", per_5_min * 5, SHORT_S),
            Family("paging", paged_per_15_min, LONG_S, paged_only=True),
        )
        self._take = redis.register_script(_TAKE)
        self._purpose: Purpose = "judge"
        self._unanswered = 0

    def take(self, purpose: Purpose, *, paged: bool) -> None:
        """Count one request, in one atomic step; raises BudgetExhausted with the time to try again."""
        now = self._clock()
        self._purpose = purpose
        keys = [self.BLOCK, self._TALLY]
        args: list[str | float] = [now, metrics.requests_for(purpose), metrics.REQUESTS_PAGED if paged else ""]
        for family in self._concerned(paged=paged):
            key, ends = family.window(now)
            keys.append(key)
            args += [max(1, int(family.limit * SHARES[purpose])), ends + _SLACK_S]
        try:
            retry_at = float(self._take(keys=keys, args=args))
        except RedisError as error:
            text = f"the budget can't be counted, so it is full: {type(error).__name__}"
            raise BudgetExhausted(text, now + _UNCOUNTABLE_RETRY_S) from error
        if retry_at:
            raise BudgetExhausted(f"no requests left to {purpose} before {_clock_time(retry_at)}", retry_at)

    def learn(self, headers: Mapping[str, str], *, paged: bool, status: int, took_s: float | None = None) -> None:
        """Correct the counters by a response's headers; absent or odd headers are left alone.

        ``took_s``: seconds from the request, the one taken last, to its answer; counted on the same way.
        Raises StoreUnavailable; the request itself has been answered by then.
        """
        now = self._clock()
        remaining, reset = _number(headers.get("X-RateLimit-Remaining")), _time(headers.get("X-RateLimit-Reset"))
        with _ours(), self._redis.pipeline(transaction=False) as pipe:
            if status == 429:
                self._block(pipe, now, reset, paged=paged)
            elif remaining is not None and (reset is None or reset > now):
                limit = _number(headers.get("X-RateLimit-Limit"))
                for family in self._described(limit, reset, now, paged=paged):
                    key, ends = family.window(now)
                    _raise(pipe, key, max(0, family.limit - remaining), ends - now)
            self._count(pipe, status, took_s)
            pipe.execute()
            self._unanswered = 0

    def unanswered(self) -> None:
        """Count that a request got no answer, at once: while the server is away no answer comes to count it with."""
        self._unanswered += 1
        with suppress(RedisError):  # then with the next one
            self._redis.hincrby(DURATIONS, "answer:none", self._unanswered)
            self._unanswered = 0

    def _count(self, pipe: Pipeline, status: int, took_s: float | None) -> None:
        pipe.hincrby(DURATIONS, f"answer:{_kind(status)}", 1)
        if self._unanswered:
            pipe.hincrby(DURATIONS, "answer:none", self._unanswered)
        if took_s is not None:
            bucket = next((f"{bound:g}" for bound in BUCKETS if took_s <= bound), "+Inf")
            pipe.hincrby(DURATIONS, f"{self._purpose}:{bucket}", 1)
            pipe.hincrbyfloat(DURATIONS, f"{self._purpose}:sum", round(took_s, 6))

    def blocked_until(self) -> float:
        """Return until when a 429 forbids all requests (epoch seconds), or 0; raises StoreUnavailable."""
        with _ours():
            return moment(self._redis.mget([self.BLOCK])[0])

    def read(self) -> list[FamilyUse]:
        """Return how the families stand; raises StoreUnavailable."""
        now = self._clock()
        windows = [family.window(now) for family in self.families]
        with _ours():
            used = self._redis.mget([key for key, _ in windows])
        return [
            FamilyUse(family.name, _used(raw, family.limit), family.limit, ends)
            for family, raw, (_, ends) in zip(self.families, used, windows, strict=True)
        ]

    def _concerned(self, *, paged: bool) -> list[Family]:
        return [family for family in self.families if paged or not family.paged_only]

    def _block(self, pipe: Pipeline, now: float, reset: float | None, *, paged: bool) -> None:
        until = max(family.window(now)[1] for family in self._concerned(paged=paged))
        if reset is not None and now < reset <= now + _FARTHEST_RESET_S:
            until = reset
        _raise(pipe, self.BLOCK, until + _SLACK_S, until - now)

    def _described(self, limit: int | None, reset: float | None, now: float, *, paged: bool) -> list[Family]:
        """Return the families that a response's headers may speak of; where it is not clear, all that fit."""
        if limit == _USER_LIMIT:
            return [family for family in self.families if family.name == "user"]
        possible = [family for family in self._concerned(paged=paged) if family.name != "user"]
        return [one for one in possible if one.window(now)[1] == reset] or possible


@contextmanager
def _ours() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise StoreUnavailable(f"Redis: {type(error).__name__}: {error}") from error


def _used(raw: object, limit: int) -> int:
    """Return how many requests were counted; what can't be counted is full."""
    return whole(raw) if raw is None or text(raw).isdecimal() else limit


def _raise(pipe: Pipeline, key: str, to: float, for_s: float) -> None:
    # By its text: a registered script would ask first whether Redis knows it, one more way there and back.
    pipe.eval(_RAISE, 1, key, to, for_s)


def _kind(status: int) -> str:
    return "429" if status == 429 else f"{status // 100}xx" if 200 <= status < 600 else "none"


def _number(text: str | None) -> int | None:
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None


def _time(text: str | None) -> float | None:
    """Read ISO 8601 as Mastodon writes it, or epoch seconds as other servers do, in whole seconds.

    Mastodon adds the present fraction of a second to the end of the window; without it the end is exact.
    """
    if text is None:
        return None
    if text.isdecimal():
        return float(text) // 1
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() // 1


def _clock_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S UTC")
