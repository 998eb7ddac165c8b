"""Reads what an export tells out of Redis, a few records at a time, and merges such records into what is there.

Each merge is one step, and may be repeated: what is there and newer stays. It answers what it did: "added", "updated",
"same", "kept" (what is here is newer), "late" (its time is up, or newer ones fill the place) or "damaged" (what is here
can't be read, and stays as it is).
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from mastowatch.adapters import redis_actions, redis_rule_stats, redis_store
from mastowatch.adapters.redis_common import InRedis, answers, ours, text, texts
from mastowatch.adapters.redis_rule_stats import RedisRuleStats
from mastowatch.adapters.redis_rule_switches import RedisRuleSwitches
from mastowatch.ports.types import AccountAction, Claim

Record = Mapping[str, Any]
READ_AT_ONCE = 500
# The first look at what became of an imported report.
_LOOK_S = 600

# KEYS: claim, which run of Redis has the claims. ARGV: '1' to only tell, end of its life, generation, rank of the
# state, when it changed, fields... A claim that is furthest on wins: what was filed stays filed. Reports then wait as
# after a restart of Redis: what was under way elsewhere may still arrive.
_CLAIM = """
local RANKS = {planned = 0, failed = 1, sent = 2, filed = 3}
local now = redis.call('HMGET', KEYS[1], 'state', 'generation', 'changed_at')
local generation, rank = tonumber(ARGV[3]), tonumber(ARGV[4])
if now[1] then
  local here, place = tonumber(now[2] or '1'), RANKS[now[1]] or 0
  local further = generation > here or (generation == here and rank > place)
  further = further or (generation == here and rank == place and rank == 2 and tonumber(ARGV[5]) > tonumber(now[3]))
  if not further then
    return generation == here and rank == place and tonumber(now[3]) == tonumber(ARGV[5]) and 'same' or 'kept'
  end
end
if ARGV[1] ~= '1' then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], unpack(ARGV, 6))
  redis.call('EXPIREAT', KEYS[1], ARGV[2])
  redis.call('HSET', KEYS[2], 'run_id', 'imported')
end
return now[1] and 'updated' or 'added'
"""

# KEYS: report, open. ARGV: '1' to only tell, end of its life, report id, when to look, most that are open, outcome,
# when it was decided on, seconds to keep the list, fields...
_REPORT = """
local here = redis.call('HGET', KEYS[1], 'outcome')
if here and (here ~= 'open' or ARGV[6] == 'open') then return here == ARGV[6] and 'same' or 'kept' end
if ARGV[1] == '1' then return here and 'updated' or 'added' end
if here then
  redis.call('HSET', KEYS[1], 'outcome', ARGV[6], 'decided_at', ARGV[7])
  redis.call('ZREM', KEYS[2], ARGV[3])
  return 'updated'
end
redis.call('HSET', KEYS[1], 'outcome', ARGV[6], unpack(ARGV, 9))
redis.call('EXPIREAT', KEYS[1], ARGV[2])
if ARGV[6] == 'open' then
  redis.call('ZADD', KEYS[2], ARGV[4], ARGV[3])
  redis.call('ZREMRANGEBYRANK', KEYS[2], ARGV[5], -1)
  redis.call('EXPIRE', KEYS[2], ARGV[8])
else
  redis.call('HSET', KEYS[1], 'decided_at', ARGV[7])
end
return 'added'
"""

# KEYS: action, due. ARGV: '1' to only tell, end of its life or '' while it is in force, account, when it is due, when
# it changed, fields...
_MEASURE = """
local here = redis.call('HGET', KEYS[1], 'changed_at')
if here and tonumber(here) >= tonumber(ARGV[5]) then
  return tonumber(here) == tonumber(ARGV[5]) and 'same' or 'kept'
end
if ARGV[1] == '1' then return here and 'updated' or 'added' end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 6))
if ARGV[2] ~= '' then
  redis.call('EXPIREAT', KEYS[1], ARGV[2])
  redis.call('ZREM', KEYS[2], ARGV[3])
else
  redis.call('ZADD', KEYS[2], ARGV[4], ARGV[3])
end
return here and 'updated' or 'added'
"""

# KEYS: cases. ARGV: '1' to only tell, account, when it was judged, the case, most that are kept.
_CASE = """
local here, at = redis.call('ZSCORE', KEYS[1], ARGV[2]), tonumber(ARGV[3])
if here and tonumber(here) >= at then return tonumber(here) == at and 'same' or 'kept' end
if not here and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[5]) then
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  if tonumber(oldest[2]) >= at then return 'late' end
  if ARGV[1] ~= '1' then
    redis.call('ZREM', KEYS[1], oldest[1])
    redis.call('DEL', 'mastowatch:case:' .. oldest[1])
  end
end
if ARGV[1] ~= '1' then
  redis.call('SET', 'mastowatch:case:' .. ARGV[2], ARGV[4])
  redis.call('ZADD', KEYS[1], ARGV[3], ARGV[2])
end
return here and 'updated' or 'added'
"""

# Counters only grow, so the larger one is the later one; the accounts that were hit are united. KEYS: rule, hits,
# shadow hits, all rules that have hit, a key that is gone again in the end. ARGV: '1' to only tell, seconds to keep,
# rule, when re-armed, kept since, rejected since, last hit, sketch of hits, of shadow hits, then counters with names.
_RULE = """
local before, more = redis.call('EXISTS', KEYS[1]) == 1, false
local tells = ARGV[1] == '1'
local function set(field, value)
  more = true
  if not tells then redis.call('HSET', KEYS[1], field, value) end
end
local function least(field, value)
  if tonumber(value) > tonumber(redis.call('HGET', KEYS[1], field) or '0') then set(field, value) end
end
for i = 10, #ARGV, 2 do least(ARGV[i], ARGV[i + 1]) end
least('last_hit_at', ARGV[7])
local since = tonumber(redis.call('HGET', KEYS[1], 'since') or '0')
if tonumber(ARGV[4]) > since then
  set('since', ARGV[4])
  set('kept_since', ARGV[5])
  set('rejected_since', ARGV[6])
elseif tonumber(ARGV[4]) == since then
  least('kept_since', ARGV[5])
  least('rejected_since', ARGV[6])
end
for i, key in ipairs({KEYS[2], KEYS[3]}) do
  local sketch = ARGV[7 + i]
  if sketch ~= '' then
    redis.call('SET', KEYS[5], sketch)
    local both = redis.pcall('PFCOUNT', key, KEYS[5])
    if type(both) == 'table' then
      redis.call('DEL', KEYS[5])
      return 'damaged'
    end
    if both > redis.call('PFCOUNT', key, 'mastowatch:rule::nothing') then
      more = true
      if not tells then redis.call('PFMERGE', key, KEYS[5]) end
    end
    redis.call('DEL', KEYS[5])
  end
end
if not tells then
  for i = 1, 3 do redis.call('EXPIRE', KEYS[i], ARGV[2]) end
  if tonumber(ARGV[7]) > 0 then
    redis.call('ZADD', KEYS[4], 'GT', ARGV[7], ARGV[3])
    redis.call('EXPIRE', KEYS[4], ARGV[2])
  end
end
if not more then return 'same' end
return before and 'updated' or 'added'
"""

# KEYS: dropped, re-armed, told. ARGV: '1' to only tell, rule, when, the entry, '1' if an alert has told of it.
_DROPPED = """
local here = redis.call('HGET', KEYS[1], ARGV[2])
if here then return here == ARGV[4] and 'same' or 'kept' end
if tonumber(redis.call('HGET', KEYS[2], ARGV[2]) or '0') >= tonumber(ARGV[3]) then return 'kept' end
if ARGV[1] ~= '1' then
  redis.call('HSET', KEYS[1], ARGV[2], ARGV[4])
  if ARGV[5] == '1' then redis.call('HSET', KEYS[3], ARGV[2], ARGV[3]) end
end
return 'added'
"""

# A rule that is dropped here stays dropped: shadow is the safe answer. KEYS: re-armed. ARGV: '1' to only tell, rule,
# when.
_REARMED = """
local here = tonumber(redis.call('HGET', KEYS[1], ARGV[2]) or '0')
if here >= tonumber(ARGV[3]) then return here == tonumber(ARGV[3]) and 'same' or 'kept' end
if ARGV[1] ~= '1' then redis.call('HSET', KEYS[1], ARGV[2], ARGV[3]) end
return here > 0 and 'updated' or 'added'
"""
_RANKS = {"planned": 0, "failed": 1, "sent": 2, "filed": 3}


class RedisPortable(InRedis):
    """The records of an export by their kinds; see docs/reference/export-format.md."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis)
        self._cases = redis_store.RedisCases(redis)
        self._read: Mapping[str, Callable[[float], Iterator[Record | None]]] = {
            "claim": self._claims,
            "report": self._reports,
            "measure": self._measures,
            "case": self._all_cases,
            "rule_record": self._rule_records,
            "rule_rearmed": self._rearmed,
            "rule_dropped": self._dropped,
        }
        self._merges: Mapping[str, Callable[[Record, float, bool], str]] = {
            "claim": self._merge_claim,
            "report": self._merge_report,
            "measure": self._merge_measure,
            "case": self._merge_case,
            "rule_record": self._merge_rule_record,
            "rule_rearmed": self._merge_rearmed,
            "rule_dropped": self._merge_dropped,
        }

    def read(self, kind: str, since: float) -> Iterator[Record | None]:
        """Yield the records of a kind that changed at or after ``since`` (epoch seconds); raises StoreUnavailable.

        None stands for one that is damaged.
        """
        return self._read[kind](since)

    def knows(self, kind: str) -> bool:
        """Tell whether records of this kind are kept in Redis by themselves."""
        return kind in self._read

    @ours
    def merge(self, kind: str, record: Record, now: float, *, tell: bool) -> str:
        """Merge a record in one step, or with ``tell`` only say what that would do."""
        try:
            return self._merges[kind](record, now, tell)
        except ResponseError as error:
            if not _is_of_what_is_here(error):
                raise
            return "damaged"

    # --- reading -----------------------------------------------------------------------------------------

    @ours
    def _page(self, cursor: int, pattern: str) -> tuple[int, list[str]]:
        following, keys = self._redis.scan(cursor, match=pattern, count=READ_AT_ONCE)
        return int(following), [_key(raw) for raw in keys]

    def _hashes(self, prefix: str) -> Iterator[tuple[str, dict[Any, Any]]]:
        """Yield each hash whose key begins so, by what comes after; what is of another type is passed over."""
        cursor, begun = 0, False
        while cursor or not begun:
            begun = True
            cursor, keys = self._page(cursor, f"{prefix}*")
            yield from self._hashes_at(prefix, keys)

    @ours
    def _hashes_at(self, prefix: str, keys: list[str]) -> list[tuple[str, dict[Any, Any]]]:
        with self._redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hgetall(key)
            found = pipe.execute(raise_on_error=False)
        return [
            (key.removeprefix(prefix), raw)
            for key, raw in zip(keys, found, strict=True)
            if isinstance(raw, dict) and raw
        ]

    def _claims(self, since: float) -> Iterator[Record | None]:
        for account_id, fields in self._hashes("mastowatch:claim:"):
            claim = _of_hash(redis_store.claim_of, account_id, fields)
            if claim is None:
                yield None
            elif claim.changed_at >= since:
                yield {**asdict(claim), "rules": list(claim.rules)}

    def _reports(self, since: float) -> Iterator[Record | None]:
        for report_id, fields in self._hashes(RedisRuleStats.REPORT):
            record = _of_hash(_report, report_id, fields)
            if record is None:
                yield None
            elif max(record["filed_at"], record["decided_at"]) >= since:
                yield record

    def _measures(self, since: float) -> Iterator[Record | None]:
        for account_id, fields in self._hashes("mastowatch:action:"):
            action = _of_hash(redis_actions.action_of, account_id, fields)
            if action is None:
                yield None
            elif action.changed_at >= since or not action.ended:
                yield {**asdict(action), "others": list(action.others), "reopen": list(action.reopen)}

    def _all_cases(self, since: float) -> Iterator[Record | None]:
        ids = self._case_ids(since)
        for account_id in ids:
            case = self._cases.get(account_id)
            if case is not None:
                yield _as_lists(asdict(case))
            elif self._is_there(f"mastowatch:case:{account_id}"):
                yield None

    @ours
    def _is_there(self, key: str) -> bool:
        return bool(self._redis.exists(key))

    @ours
    def _case_ids(self, since: float) -> list[str]:
        return [text(raw) for raw in self._redis.zrangebyscore("mastowatch:cases", since, "+inf")]

    def _rule_records(self, since: float) -> Iterator[Record | None]:
        del since
        for rule_id, fields in self._hashes(RedisRuleStats.RULE):
            record = _of_hash(_rule_record, rule_id, fields)
            if record is None:
                yield None
            else:
                sketches = {name: self._sketch(f"{RedisRuleStats.RULE}{rule_id}:{name}") for name in _SKETCHES}
                yield {**asdict(record), **sketches}

    @ours
    def _sketch(self, key: str) -> str:
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.get(key)
            raw = answers(pipe)[0]  # None for what is no sketch
        return b64encode(raw or b"").decode()

    @ours
    def _field_values(self, key: str) -> dict[str, str]:
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(key)
            found = answers(pipe)[0] or {}
        return {_key(name): _key(value) for name, value in found.items()}

    def _rearmed(self, since: float) -> Iterator[Record | None]:
        del since
        for rule_id, at in sorted(self._field_values(RedisRuleSwitches.REARMED).items()):
            yield _readable(_rearming, rule_id, at)

    def _dropped(self, since: float) -> Iterator[Record | None]:
        del since
        told = self._field_values(RedisRuleSwitches.TOLD)
        for rule_id, raw in sorted(self._field_values(RedisRuleSwitches.DROPPED).items()):
            yield _readable(_drop_of, rule_id, raw, told.get(rule_id))

    # --- merging -----------------------------------------------------------------------------------------

    def _run(self, script: str, keys: list[str], *args: Any) -> str:  # noqa: ANN401 -- texts, bytes and numbers
        return text(self._redis.register_script(script)(keys=keys, args=list(args)))

    def _merge_claim(self, record: Record, now: float, tell: bool) -> str:  # noqa: FBT001 -- as all of these
        claim = Claim(**{**record, "rules": tuple(record["rules"])})
        end = claim.changed_at + redis_store.CLAIM_TTL_S
        if end <= now:
            return "late"
        keys = [f"mastowatch:claim:{claim.account_id}", "mastowatch:claims:redis"]
        rank = _RANKS[claim.state]
        fields = redis_store.flat_claim(claim)
        return self._run(_CLAIM, keys, int(tell), int(end), claim.generation, rank, repr(claim.changed_at), *fields)

    def _merge_report(self, record: Record, now: float, tell: bool) -> str:  # noqa: FBT001
        end = record["filed_at"] + redis_rule_stats.REPORT_TTL_S
        if end <= now:
            return "late"
        fields = {
            "account_id": record["account_id"],
            "rules": json.dumps(record["rules"]),
            "filed_at": repr(record["filed_at"]),
            "status_id": record["status_id"],
            "before": " ".join(record["before"]),
        }
        flat = [part for name, value in fields.items() if value for part in (name, value)]
        report_id, decided_at = record["report_id"], repr(record["decided_at"])
        args = [int(tell), int(end), report_id, repr(now + _LOOK_S), redis_rule_stats.OPEN_MAX, record["outcome"]]
        keys = [f"{RedisRuleStats.REPORT}{report_id}", RedisRuleStats.OPEN]
        return self._run(_REPORT, keys, *args, decided_at, redis_rule_stats.REPORT_TTL_S, *flat)

    def _merge_measure(self, record: Record, now: float, tell: bool) -> str:  # noqa: FBT001
        action = AccountAction(**{**record, "others": tuple(record["others"]), "reopen": tuple(record["reopen"])})
        end = int(action.changed_at + redis_actions.KEPT_S) if action.ended else 0
        if action.ended and end <= now:
            return "late"
        keys = [f"mastowatch:action:{action.account_id}", redis_actions.RedisAccountActions.DUE]
        due, changed_at = repr(redis_actions.due_at(action)), repr(action.changed_at)
        fields = redis_actions.flat_action(action)
        return self._run(_MEASURE, keys, int(tell), end or "", action.account_id, due, changed_at, *fields)

    def _merge_case(self, record: Record, now: float, tell: bool) -> str:  # noqa: FBT001
        del now
        body = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
        at = repr(record["judged_at"])
        return self._run(_CASE, ["mastowatch:cases"], int(tell), record["account_id"], at, body, redis_store.CASES_MAX)

    def _merge_rule_record(self, record: Record, now: float, tell: bool) -> str:  # noqa: FBT001
        del now
        rule = f"{RedisRuleStats.RULE}{record['rule_id']}"
        keys = [rule, f"{rule}:hits", f"{rule}:shadow_hits", RedisRuleStats.KNOWN, f"{RedisRuleStats.RULE}:imported"]
        since = repr(record["since"]) if record["since"] else "0"
        counters = [part for name in ("reports", "kept", "rejected") for part in (name, record[name])]
        sketches = [b64decode(record[name]) for name in _SKETCHES]
        args = [int(tell), redis_rule_stats.RULE_TTL_S, record["rule_id"], since, record["kept_since"]]
        args += [record["rejected_since"], repr(record["last_hit_at"]), *sketches, *counters]
        return self._run(_RULE, keys, *args)

    def _merge_rearmed(self, record: Record, now: float, tell: bool) -> str:  # noqa: FBT001
        del now
        return self._run(_REARMED, [RedisRuleSwitches.REARMED], int(tell), record["rule_id"], repr(record["at"]))

    def _merge_dropped(self, record: Record, now: float, tell: bool) -> str:  # noqa: FBT001
        del now
        entry: str = json.dumps({name: record[name] for name in ("why", "by", "at")})
        keys = [RedisRuleSwitches.DROPPED, RedisRuleSwitches.REARMED, RedisRuleSwitches.TOLD]
        args = [int(tell), record["rule_id"], repr(record["at"]), entry, int(record["told"])]
        return self._run(_DROPPED, keys, *args)


_SKETCHES = ("hits", "shadow_hits")


def _is_of_what_is_here(error: ResponseError) -> bool:
    """Tell whether a merge met a key of another type, or a text where a number belongs."""
    return "WRONGTYPE" in str(error) or "attempt to " in str(error)


def _readable(read: Callable[..., Any], *given: Any) -> Any:  # noqa: ANN401 -- any of our records
    """Return what ``read`` makes of it; None for what is damaged: that is not carried to another place."""
    try:
        return read(*given)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _of_hash(read: Callable[[str, dict[str, str]], Any], name: str, raw: dict[Any, Any]) -> Any:  # noqa: ANN401 -- see above
    return _readable(lambda: read(name, texts(raw)))


def _key(raw: bytes | str) -> str:
    """Return a name as text; what is no text is none of ours, and nothing that takes it in will know it."""
    return raw.decode(errors="replace") if isinstance(raw, bytes) else raw


def _rule_record(rule_id: str, fields: Mapping[str, str]) -> Any:  # noqa: ANN401 -- what the adapter of statistics makes
    return redis_rule_stats.rule_record(rule_id, fields, 0, 0)


def _rearming(rule_id: str, at: str) -> Record:
    return {"rule_id": rule_id, "at": float(at)}


def _drop_of(rule_id: str, raw: str, told: str | None) -> Record:
    one = json.loads(raw)
    at = float(one["at"])
    return {"rule_id": rule_id, "why": one["why"], "by": one["by"], "at": at, "told": told == repr(at)}


def _report(report_id: str, fields: Mapping[str, str]) -> Record:
    return {
        "report_id": report_id,
        "account_id": fields["account_id"],
        "rules": list(json.loads(fields["rules"])),
        "filed_at": float(fields["filed_at"]),
        "outcome": fields["outcome"],
        "decided_at": float(fields.get("decided_at", "0")),
        "status_id": fields.get("status_id", ""),
        "before": fields.get("before", "").split(),
    }


def _as_lists(record: dict[str, Any]) -> Record:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in record.items()}
