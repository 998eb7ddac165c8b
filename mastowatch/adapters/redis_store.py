"""What MastoWatch remembers, in Redis under ``mastowatch:*``; see docs/reference/redis.md for every key's bound.

Each class is one port of ``mastowatch.ports.store``. Redis' own errors come out as StoreUnavailable.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from mastowatch.adapters.reading_back import MANY, build, read_object, texts_of
from mastowatch.adapters.redis_common import InRedis, ours, text, texts
from mastowatch.ports.types import Case, CaseReason, Claim, Counters, QueuePoint, SwitchName, SwitchState

CLAIM_TTL_S = 90 * 86400  # after this, Mastodon alone knows what was reported
PLANNED_TTL_S = 86400  # nothing was sent: what is planned anew has lost nothing
JUDGED_TTL_S = 7 * 86400
CURSOR_TTL_S = 90 * 86400  # a cursor older than this leads into a different world
CASES_MAX = 5000
# A lock that is not released holds others up for minutes: a Redis that was killed is back sooner than that, and so is
# another one in its place. While it is away whoever holds the lock could not go on with anything else.
RELEASE_S, RELEASE_AGAIN_S = 20.0, 0.2
_RUN_KEY = "mastowatch:claims:redis"
POINTS_MAX = 20160  # a week of points, one every 30 s


def _confirmed() -> None:
    return None


class RedisClaims(InRedis):
    """``mastowatch:claim:<account id>``: a hash with the claim's fields.

    ``confirm`` raises StoreUnavailable where a claim that was just written might not stay; its report is then not sent.
    """

    _PLAN = """
    local state = redis.call('HGET', KEYS[1], 'state')
    if not state then
      redis.call('HSET', KEYS[1], 'marker', ARGV[1], 'state', 'planned', 'changed_at', ARGV[2])
      redis.call('EXPIRE', KEYS[1], ARGV[3])
    end
    return redis.call('HGETALL', KEYS[1])
    """
    # A Redis that was started again has another run id.
    _RUN = """
    local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''
    """
    _STEADY = (
        _RUN
        + """
    local known = redis.call('HMGET', KEYS[1], 'run_id', 'since')
    if known[1] ~= run_id then
      known = {run_id, known[1] and ARGV[1] or '0'}
      redis.call('HSET', KEYS[1], 'run_id', run_id, 'since', known[2])
    end
    return known[2]
    """
    )
    _SEND = (
        _RUN
        + """
    if redis.call('HGET', KEYS[2], 'run_id') ~= run_id then return 0 end
    local now = redis.call('HMGET', KEYS[1], 'state', 'changed_at', 'owner')
    -- Asked again by a client that has lost the answer.
    if now[1] == 'sent' and now[3] == ARGV[12] then return 1 end
    if now[1] ~= ARGV[1] or now[2] ~= ARGV[2] or (now[3] or '') ~= ARGV[3] then return 0 end
    redis.call('HSET', KEYS[1], unpack(ARGV, 5))
    redis.call('EXPIRE', KEYS[1], ARGV[4])
    return 1
    """
    )
    _FILED = """
    if tonumber(redis.call('HGET', KEYS[1], 'generation') or '1') > tonumber(ARGV[1]) then return 0 end
    redis.call('HSET', KEYS[1], unpack(ARGV, 3))
    redis.call('EXPIRE', KEYS[1], ARGV[2])
    return 1
    """

    _FAIL = """
    local now = redis.call('HMGET', KEYS[1], 'state', 'owner')
    if now[1] ~= 'sent' or now[2] ~= ARGV[1] then return 0 end
    redis.call('HSET', KEYS[1], 'state', 'failed', 'reason', ARGV[2], 'changed_at', ARGV[3])
    redis.call('EXPIRE', KEYS[1], ARGV[4])
    return 1
    """

    def __init__(self, redis: Redis, *, confirm: Callable[[], None] = _confirmed) -> None:
        super().__init__(redis)
        self._confirm = confirm
        self._plan, self._send = redis.register_script(self._PLAN), redis.register_script(self._SEND)
        self._steady = redis.register_script(self._STEADY)
        self._fail, self._filed = redis.register_script(self._FAIL), redis.register_script(self._FILED)

    @staticmethod
    def _key(account_id: str) -> str:
        return f"mastowatch:claim:{account_id}"

    @ours
    def get(self, account_id: str) -> Claim | None:
        """See the port."""
        fields = texts(self._redis.hgetall(self._key(account_id)))
        return claim_of(account_id, fields) if fields else None

    @ours
    def plan(self, account_id: str, marker: str, now: float) -> Claim:
        """See the port."""
        flat = self._plan(keys=[self._key(account_id)], args=[marker, repr(now), PLANNED_TTL_S])
        return claim_of(account_id, texts(dict(zip(flat[::2], flat[1::2], strict=True))))

    @ours
    def steady_since(self, now: float) -> float:
        """See the port."""
        return float(self._steady(keys=[_RUN_KEY], args=[repr(now)]))

    @ours
    def send(self, expect: Claim, sending: Claim) -> Claim | None:
        """See the port."""
        args = [expect.state, repr(expect.changed_at), expect.owner, CLAIM_TTL_S, *flat_claim(sending)]
        if not self._send(keys=[self._key(expect.account_id), _RUN_KEY], args=args):
            return None
        self._confirm()
        return sending

    @ours
    def filed(self, claim: Claim, report_id: str, now: float) -> None:
        """See the port. Written whole: Redis may have lost the claim while Mastodon answered."""
        filed = replace(claim, state="filed", report_id=report_id, changed_at=now)
        self._filed(keys=[self._key(claim.account_id)], args=[claim.generation, CLAIM_TTL_S, *flat_claim(filed)])

    @ours
    def failed(self, claim: Claim, reason: str, now: float) -> None:
        """See the port."""
        self._fail(keys=[self._key(claim.account_id)], args=[claim.owner, reason, repr(now), CLAIM_TTL_S])


def claim_of(account_id: str, fields: dict[str, str]) -> Claim:
    """Return a claim from the fields of its hash; raises KeyError or ValueError."""
    return Claim(
        account_id=account_id,
        marker=fields["marker"],
        state=fields["state"],  # type: ignore[arg-type]  # written by RedisClaims alone
        changed_at=float(fields["changed_at"]),
        owner=fields.get("owner", ""),
        report_id=fields.get("report_id", ""),
        reason=fields.get("reason", ""),
        # Absent in claims of versions that knew one report an account.
        generation=int(fields.get("generation", "1")),
        rules=tuple(fields.get("rules", "").split()),
        reported_at=float(fields.get("reported_at", "0")),
    )


def flat_claim(claim: Claim) -> list[str | float]:
    """Return the fields of the claim's hash, each name with its value after it."""
    fields: dict[str, str | float] = {
        "marker": claim.marker,
        "state": claim.state,
        "changed_at": repr(claim.changed_at),
        "owner": claim.owner,
        "report_id": claim.report_id,
        "reason": claim.reason,
        "generation": claim.generation,
        "rules": " ".join(claim.rules),
        "reported_at": repr(claim.reported_at),
    }
    return [part for field in fields.items() for part in field]


class RedisCursors(InRedis):
    """``mastowatch:cursor:<name>``: an id."""

    @ours
    def get(self, name: str) -> str | None:
        """See the port."""
        raw = self._redis.get(f"mastowatch:cursor:{name}")
        return text(raw) if raw else None

    @ours
    def set(self, name: str, value: str) -> None:
        """See the port."""
        self._redis.set(f"mastowatch:cursor:{name}", value, ex=CURSOR_TTL_S)

    @ours
    def clear(self, name: str) -> None:
        """See the port."""
        self._redis.delete(f"mastowatch:cursor:{name}")


class RedisLocks(InRedis):
    """``mastowatch:lock:<name>``: the owner."""

    _RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

    _ACQUIRE = """
    local holder = redis.call('GET', KEYS[1])
    if holder and holder ~= ARGV[1] then return 0 end
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return 1
    """

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis)
        self._acquire, self._release = redis.register_script(self._ACQUIRE), redis.register_script(self._RELEASE)

    @ours
    def acquire(self, name: str, owner: str, ttl_s: float) -> bool:
        """See the port."""
        return bool(self._acquire(keys=[f"mastowatch:lock:{name}"], args=[owner, int(ttl_s * 1000)]))

    @ours
    def release(self, name: str, owner: str) -> None:
        """See the port."""
        until = time.monotonic() + RELEASE_S
        while True:
            try:
                self._release(keys=[f"mastowatch:lock:{name}"], args=[owner])
            except (RedisConnectionError, RedisTimeoutError):
                if time.monotonic() >= until:
                    raise
            else:
                return
            time.sleep(RELEASE_AGAIN_S)


class RedisJudged(InRedis):
    """``mastowatch:judged:<account id>``: a fingerprint, for a week."""

    @ours
    def fingerprints(self, account_ids: Iterable[str]) -> dict[str, str]:
        """See the port."""
        ids = list(account_ids)
        if not ids:
            return {}
        found = self._redis.mget([f"mastowatch:judged:{account_id}" for account_id in ids])
        return {account_id: text(raw) for account_id, raw in zip(ids, found, strict=True) if raw}

    @ours
    def remember(self, account_id: str, fingerprint: str) -> None:
        """See the port."""
        self._redis.set(f"mastowatch:judged:{account_id}", fingerprint, ex=JUDGED_TTL_S)


class RedisCases(InRedis):
    """``mastowatch:cases`` (by time, the newest CASES_MAX) and ``mastowatch:case:<account id>`` (JSON)."""

    # Putting a case and dropping the oldest past the bound is one step, so that the two never disagree.
    _PUT = """
    redis.call('SET', 'mastowatch:case:' .. ARGV[1], ARGV[3])
    redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
    local over = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[4])
    if over > 0 then
      for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, over - 1)) do
        redis.call('DEL', 'mastowatch:case:' .. id)
      end
      redis.call('ZREMRANGEBYRANK', KEYS[1], 0, over - 1)
    end
    return 1
    """
    _INDEX = "mastowatch:cases"

    def __init__(self, redis: Redis, *, at_most: int = CASES_MAX) -> None:
        super().__init__(redis)
        self._at_most = at_most
        self._put = redis.register_script(self._PUT)

    @ours
    def put(self, case: Case) -> None:
        """See the port."""
        body: str = json.dumps(asdict(case), ensure_ascii=False, separators=(",", ":"))
        self._put(
            keys=[self._INDEX], args=[case.account_id, case.judged_at, body.encode(errors="replace"), self._at_most]
        )

    @ours
    def get(self, account_id: str) -> Case | None:
        """See the port."""
        raw = self._redis.get(f"mastowatch:case:{account_id}")
        return _case(raw) if raw else None

    @ours
    def latest(self, limit: int, offset: int = 0) -> tuple[Case, ...]:
        """See the port."""
        if limit <= 0:
            return ()
        found, width = list[Case](), limit
        while len(found) < limit:
            # Those that can't be read take no place: a page that is not full would be the last one.
            ids = [text(raw) for raw in self._redis.zrevrange(self._INDEX, offset, offset + width - 1)]
            raws = self._redis.mget([f"mastowatch:case:{account_id}" for account_id in ids]) if ids else []
            found += [case for raw in raws if raw and (case := _case(raw)) is not None]
            if len(ids) < width:
                break
            offset, width = offset + width, max(limit, MANY)
        return tuple(found[:limit])

    def older(self, than: tuple[float, str] | None, limit: int) -> tuple[Case, ...]:
        """See the port. Where the case has moved since, those that are older than it was begin the page."""
        return self.latest(limit, 0 if than is None else self._place_after(*than))

    @ours
    def _place_after(self, judged_at: float, account_id: str) -> int:
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.zscore(self._INDEX, account_id)
            pipe.zrevrank(self._INDEX, account_id)
            pipe.zcount(self._INDEX, f"({judged_at!r}", "+inf")
            score, rank, newer = pipe.execute()
        return int(rank) + 1 if score is not None and float(score) == judged_at else int(newer)

    @ours
    def count(self) -> int:
        """See the port."""
        return int(self._redis.zcard(self._INDEX))


def _case(raw: Any) -> Case | None:  # noqa: ANN401 -- redis-py gives bytes or str
    """Return a case, None for one that can't be read; a newer version may have written more."""
    try:
        found = read_object(raw)
        reasons = tuple(build(CaseReason, one) for one in found.get("reasons", ()))
        # Lists that a case of an older version does not have are empty.
        lists = {name: texts_of(found.get(name, [])) for name in ("status_ids", "reported", "later")}
        return build(Case, {**found, **lists, "reasons": reasons})
    except (ValueError, TypeError, AttributeError):
        return None


class RedisSwitches(InRedis):
    """``mastowatch:switch:<name>``: a hash with ``by`` and ``at`` while it is on, absent while it is off.

    Who turned it off, and when, stands in ``mastowatch:switches``, a field (JSON) a switch. ``confirm`` raises
    StoreUnavailable where a switch that was just turned might not stay so.
    """

    PANIC_KEY = "mastowatch:switch:panic_stop"
    DRY_RUN_KEY = "mastowatch:switch:dry_run"
    _KEYS: Mapping[SwitchName, str] = {"panic_stop": PANIC_KEY, "dry_run": DRY_RUN_KEY}
    _TURNED_OFF = "mastowatch:switches"

    def __init__(self, redis: Redis, *, confirm: Callable[[], None] = _confirmed) -> None:
        super().__init__(redis)
        self._confirm = confirm

    @ours
    def panic_stop(self) -> bool:
        """See the port."""
        return bool(self._redis.exists(self.PANIC_KEY))

    def set_panic_stop(self, *, on: bool, by: str, now: float) -> None:
        """See the port."""
        self._set("panic_stop", on=on, by=by, now=now)

    @ours
    def describe_panic_stop(self) -> str:
        """See the port."""
        fields = texts(self._redis.hgetall(self.PANIC_KEY))
        if not fields:
            return "off"
        return f"on since {datetime.fromtimestamp(float(fields['at']), UTC):%Y-%m-%d %H:%M:%S} UTC by {fields['by']}"

    @ours
    def dry_run(self) -> bool:
        """See the port."""
        return bool(self._redis.exists(self.DRY_RUN_KEY))

    def set_dry_run(self, *, on: bool, by: str, now: float) -> None:
        """See the port."""
        self._set("dry_run", on=on, by=by, now=now)

    @ours
    def state(self, name: SwitchName) -> SwitchState | None:
        """See the port."""
        with self._redis.pipeline() as pipe:
            pipe.exists(self._KEYS[name])
            pipe.hmget(self._KEYS[name], ["by", "at"])
            pipe.hget(self._TURNED_OFF, name)
            on, who, turned_off = pipe.execute(raise_on_error=False)
        if isinstance(on, RedisError):
            raise on
        if on:
            # A key that somebody else has written, of whatever type, switches as well.
            return _switch(True, *who) if isinstance(who, list) else _switch(True, None, None)
        return _switch(False, *json.loads(turned_off)) if turned_off else None

    @ours
    def _set(self, name: SwitchName, *, on: bool, by: str, now: float) -> None:
        # One step: a switch never says that it is off and by nobody.
        with self._redis.pipeline() as pipe:
            pipe.delete(self._KEYS[name])
            if on:
                pipe.hset(self._KEYS[name], mapping={"by": by, "at": repr(now)})
            else:
                pipe.hset(self._TURNED_OFF, name, json.dumps([by, now], ensure_ascii=False))
            pipe.execute()
        self._confirm()


def _switch(on: bool, by: Any, at: Any) -> SwitchState:  # noqa: ANN401, FBT001 -- redis-py gives bytes or str
    try:
        return SwitchState(on, text(by or ""), float(at or 0))
    except ValueError:
        return SwitchState(on, "", 0.0)


class RedisTally(InRedis):
    """``mastowatch:tally``: a hash of counters, one field a name."""

    @ours
    def add(self, name: str, amount: int = 1) -> None:
        """See the port."""
        self._redis.hincrby("mastowatch:tally", name, amount)

    @ours
    def add_all(self, amounts: Counters) -> None:
        """See the port."""
        with self._redis.pipeline() as pipe:
            for name, amount in amounts.items():
                pipe.hincrby("mastowatch:tally", name, amount)
            pipe.execute()

    @ours
    def read(self) -> Counters:
        """See the port."""
        return {name: int(value) for name, value in texts(self._redis.hgetall("mastowatch:tally")).items()}


class RedisHistory(InRedis):
    """``mastowatch:history:<queue>``: a stream of points, the newest POINTS_MAX."""

    @ours
    def record(self, points: Iterable[QueuePoint]) -> None:
        """See the port."""
        with self._redis.pipeline(transaction=False) as pipe:
            for point in points:
                fields = {name: repr(value) for name, value in asdict(point).items() if name != "queue"}
                pipe.xadd(f"mastowatch:history:{point.queue}", fields, maxlen=POINTS_MAX, approximate=True)  # type: ignore[arg-type]
            pipe.execute()

    @ours
    def recent(self, queue: str, limit: int) -> tuple[QueuePoint, ...]:
        """See the port."""
        entries = self._redis.xrevrange(f"mastowatch:history:{queue}", count=limit)
        return tuple(_point(queue, texts(fields or {})) for _, fields in reversed(entries or []))


def _point(queue: str, fields: dict[str, str]) -> QueuePoint:
    return QueuePoint(
        at=float(fields["at"]),
        queue=queue,
        depth=int(fields["depth"]),
        oldest_s=float(fields["oldest_s"]),
        started=int(fields["started"]),
        finished=int(fields["finished"]),
        failed=int(fields["failed"]),
        workers=int(fields["workers"]),
    )
