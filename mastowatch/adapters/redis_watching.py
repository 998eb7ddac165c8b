"""Reads what stands under ``mastowatch:*`` at one moment, in two round trips and without writing.

A key that holds something else than it should costs its own figures, not all: it is named among what is unreadable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from mastowatch.adapters.budget import ANSWERS, BUCKETS, DURATIONS, SHARES, Budget
from mastowatch.adapters.redis_common import InRedis, ours, text, texts
from mastowatch.adapters.redis_layout import KEY as LAYOUT_KEY
from mastowatch.adapters.redis_layout import PROCESSES, as_running
from mastowatch.adapters.redis_rule_stats import RedisRuleStats, rule_record
from mastowatch.adapters.redis_rule_switches import RedisRuleSwitches
from mastowatch.adapters.redis_store import RedisSwitches
from mastowatch.adapters.redis_stream_notes import KEY as STREAM_KEY
from mastowatch.adapters.redis_stream_notes import stream_note
from mastowatch.ports.types import EVERY_RULE, Durations, FamilyUse, Readings, RuleRecord

RULES_MAX = 1000
_TALLY = "mastowatch:tally"
T = TypeVar("T")
# What comes of a value that is not what it should be, an error of Redis in its place included.
_ODD = (ValueError, TypeError, KeyError, AttributeError)


class RedisWatching(InRedis):
    """The port ``mastowatch.ports.store.Watching``."""

    def __init__(self, redis: Redis, budget: Budget) -> None:
        super().__init__(redis)
        self._budget = budget

    @ours
    def read(self, now: float) -> Readings:
        """See the port."""
        windows = [(family, *family.window(now)) for family in self._budget.families]
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(_TALLY)
            pipe.hgetall(DURATIONS)
            pipe.mget([key for _, key, _ in windows])
            pipe.get(Budget.BLOCK)
            pipe.exists(RedisSwitches.PANIC_KEY)
            pipe.exists(RedisSwitches.DRY_RUN_KEY)
            pipe.hkeys(RedisRuleSwitches.DROPPED)
            pipe.zrevrange(RedisRuleStats.KNOWN, 0, RULES_MAX - 1)
            pipe.zcard(RedisRuleStats.OPEN)
            pipe.hgetall(STREAM_KEY)
            pipe.get(LAYOUT_KEY)
            pipe.zrangebyscore(PROCESSES, now, "+inf")
            pipe.info("memory")
            names = ("tally", "durations", "budget", "block", "panic stop", "dry run", "dropped", "rules", "reports")
            piece = _Pieces(_answers(pipe), (*names, "stream", "layout", "processes", "memory"))
        none: list[str] = []
        dropped = piece.of("dropped", _sorted, none)[:RULES_MAX]
        known = piece.of("rules", _sorted, none)
        rules, held = self._of_rules(known, [EVERY_RULE, *(one for one in dropped if one != EVERY_RULE)], piece)
        return Readings(
            tally=piece.of("tally", lambda raw: {name: int(value) for name, value in texts(raw).items()}, {}),
            durations=piece.of("durations", lambda raw: tuple(_durations(texts(raw))), ()),
            answers=piece.of("durations", lambda raw: _kinds(texts(raw)), {}),
            budget=piece.of(
                "budget",
                lambda raw: tuple(
                    FamilyUse(family.name, int(used or 0), family.limit, ends)
                    for (family, _, ends), used in zip(windows, raw, strict=True)
                ),
                (),
            ),
            blocked_until=piece.of("block", lambda raw: float(raw or 0), 0.0),
            panic_stop=piece.of("panic stop", bool, True),
            dry_run=piece.of("dry run", bool, True),
            dropped=tuple(dropped),
            held=held,
            rules=rules,
            open_reports=piece.of("reports", int, 0),
            stream=piece.of("stream", lambda raw: stream_note(texts(raw)), None),
            layout=piece.of("layout", lambda raw: int(raw or 1), 0),
            running=piece.of("processes", _running, {}),
            memory=piece.of("memory", lambda raw: (int(raw["used_memory"]), int(raw["maxmemory"])), None),
            unreadable=tuple(dict.fromkeys(piece.unreadable)),
        )

    def _of_rules(
        self, known: list[str], scopes: list[str], piece: _Pieces
    ) -> tuple[tuple[RuleRecord, ...], Mapping[str, int]]:
        prefix = RedisRuleStats.RULE
        with self._redis.pipeline(transaction=False) as pipe:
            for rule_id in known:
                pipe.hgetall(f"{prefix}{rule_id}")
                pipe.pfcount(*[f"{prefix}{rule_id}:hits"] * 2)  # twice, or it would write: see RedisRuleStats.read
                pipe.pfcount(*[f"{prefix}{rule_id}:shadow_hits"] * 2)
            for scope in scopes:
                pipe.zcard(f"mastowatch:held:{scope}")
            found = _answers(pipe)
        records: list[RuleRecord] = []
        for place, rule_id in enumerate(known):
            fields, hits, shadow = found[3 * place : 3 * place + 3]
            try:
                records.append(rule_record(rule_id, texts(fields), int(hits), int(shadow)))
            except _ODD:
                piece.unreadable.append("rules")
        sizes = zip(scopes, found[3 * len(known) :], strict=True)
        held = {scope: size for scope, size in sizes if isinstance(size, int)}
        piece.unreadable += ["held"] * (len(held) < len(scopes))
        return tuple(records), held


class _Pieces:
    """The answers of a pipeline by name; one that is an error, or no figure, is noted and stands at its default."""

    def __init__(self, answers: list[Any], names: Iterable[str]) -> None:
        self._answers = dict(zip(names, answers, strict=True))
        self.unreadable: list[str] = []

    def of(self, name: str, read: Callable[[Any], T], default: T) -> T:
        return _kept(self, name, lambda: read(_checked(self._answers[name])), default)


def _kept(piece: _Pieces, name: str, read: Callable[[], T], default: T) -> T:
    try:
        return read()
    except _ODD:
        piece.unreadable.append(name)
        return default


def _checked(answer: Any) -> Any:  # noqa: ANN401 -- whatever Redis answers
    if isinstance(answer, Exception):
        raise TypeError(str(answer))
    return answer


def _answers(pipe: Pipeline) -> list[Any]:
    """Return the answers, errors of single commands among them; raises where Redis is away."""
    answers = pipe.execute(raise_on_error=False)
    for one in answers:
        if isinstance(one, RedisConnectionError | RedisTimeoutError):
            raise one
    return list(answers)


def _sorted(raw: Iterable[Any]) -> list[str]:
    return sorted(map(text, raw))


def _durations(fields: Mapping[str, str]) -> Iterable[Durations]:
    for purpose in SHARES:
        so_far, up_to = 0, []
        for bound in (*(f"{one:g}" for one in BUCKETS), "+Inf"):
            so_far += int(fields.get(f"{purpose}:{bound}", 0))
            up_to.append((bound, so_far))
        yield Durations(purpose, tuple(up_to), float(fields.get(f"{purpose}:sum", 0)))


def _kinds(fields: Mapping[str, str]) -> Mapping[str, int]:
    return {kind: int(fields.get(f"answer:{kind}", 0)) for kind in ANSWERS}


def _running(raw: Iterable[Any]) -> Mapping[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for member in raw:
        one = as_running(text(member))
        found[one.kind, one.version] = found.get((one.kind, one.version), 0) + 1
    return found
