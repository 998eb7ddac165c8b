"""What each rule has hit and what moderators made of its reports, in Redis; each change is one step."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from redis import Redis

from mastowatch.adapters.redis_common import InRedis, answers, moment, ours, text, texts, whole
from mastowatch.ports.types import Fate, OpenReport, Outcome, RuleRecord

# A rule that has not hit for so long is forgotten.
RULE_TTL_S = 365 * 86_400
# Longer than the claim on the account is kept: until then the report may be told of again.
REPORT_TTL_S = 120 * 86_400
OPEN_MAX = 10_000
KNOWN_MAX = 1000


class RedisRuleStats(InRedis):
    """``mastowatch:rule:<id>``: a hash of counters, and beside it ``:hits`` and ``:shadow_hits``, the accounts.

    ``mastowatch:report:<id>`` is a hash with a report's fields, ``mastowatch:reports:open`` a sorted set of those that
    are open by when to look at them.
    """

    RULE, REPORT, OPEN = "mastowatch:rule:", "mastowatch:report:", "mastowatch:reports:open"
    # The rules that have hit, by when last: who knows no rules finds here which there are records of.
    KNOWN = "mastowatch:rules:hit"
    NOTHING = "mastowatch:rule::nothing"  # never there

    # KEYS: report, open. ARGV: report id, when to look, prefix of rules, time to live of a report and of a rule, most
    # that are open, account, rules, when it was filed, a post or "", measures in force before or "".
    _FILED = """
    if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
    redis.call('HSET', KEYS[1], 'account_id', ARGV[7], 'rules', ARGV[8], 'filed_at', ARGV[9], 'outcome', 'open')
    if ARGV[10] ~= '' then redis.call('HSET', KEYS[1], 'status_id', ARGV[10]) end
    if ARGV[11] ~= '' then redis.call('HSET', KEYS[1], 'before', ARGV[11]) end
    redis.call('EXPIRE', KEYS[1], ARGV[4])
    redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
    redis.call('ZREMRANGEBYRANK', KEYS[2], ARGV[6], -1)
    redis.call('EXPIRE', KEYS[2], ARGV[4])
    for _, rule in ipairs(cjson.decode(ARGV[8])) do
      redis.call('HINCRBY', ARGV[3] .. rule, 'reports', 1)
      redis.call('EXPIRE', ARGV[3] .. rule, ARGV[5])
    end
    return 1
    """
    # KEYS: report, open. ARGV: report id, outcome, now, prefix of rules, time to live of a rule, when it was filed, the
    # report's rules, when each was re-armed.
    _DECIDED = """
    local before = redis.call('HGET', KEYS[1], 'outcome')
    redis.call('ZREM', KEYS[2], ARGV[1])
    if before ~= 'open' then return 0 end
    redis.call('HSET', KEYS[1], 'outcome', ARGV[2], 'decided_at', ARGV[3])
    if ARGV[2] == 'unknown' then return 1 end
    local rules, rearmed = cjson.decode(ARGV[7]), cjson.decode(ARGV[8])
    for place, rule in ipairs(rules) do
      local key, since = ARGV[4] .. rule, rearmed[place]
      redis.call('HINCRBY', key, ARGV[2], 1)
      if (redis.call('HGET', key, 'since') or '0') ~= since then
        redis.call('HSET', key, 'since', since, 'kept_since', 0, 'rejected_since', 0)
      end
      if tonumber(ARGV[6]) >= tonumber(since) then redis.call('HINCRBY', key, ARGV[2] .. '_since', 1) end
      redis.call('EXPIRE', key, ARGV[5])
    end
    return 1
    """

    def __init__(self, redis: Redis, *, open_max: int = OPEN_MAX) -> None:
        super().__init__(redis)
        self._open_max = open_max
        self._filed, self._decided = redis.register_script(self._FILED), redis.register_script(self._DECIDED)

    @ours
    def hits(self, account_id: str, shadow_by_rule: Mapping[str, bool], now: float) -> None:
        """See the port. Accounts are counted by HyperLogLog: 12 kB a rule at most, however many there are."""
        with self._redis.pipeline(transaction=False) as pipe:
            for rule_id, shadow in shadow_by_rule.items():
                key = f"{self.RULE}{rule_id}"
                counted = f"{key}:shadow_hits" if shadow else f"{key}:hits"
                pipe.hset(key, "last_hit_at", repr(now))
                pipe.pfadd(counted, account_id)
                pipe.expire(key, RULE_TTL_S)
                pipe.expire(counted, RULE_TTL_S)
            if shadow_by_rule:
                pipe.zadd(self.KNOWN, dict.fromkeys(shadow_by_rule, now))
                pipe.zremrangebyscore(self.KNOWN, "-inf", now - RULE_TTL_S)
                pipe.zremrangebyrank(self.KNOWN, 0, -KNOWN_MAX - 1)
                pipe.expire(self.KNOWN, RULE_TTL_S)
            pipe.execute()

    @ours
    def filed(self, report: OpenReport, look_at: float) -> bool:
        """See the port."""
        args: list[str | float] = [report.report_id, repr(look_at), self.RULE, REPORT_TTL_S, RULE_TTL_S]
        args += [self._open_max, report.account_id, json.dumps(report.rule_ids), repr(report.filed_at)]
        args += [report.status_id, " ".join(report.before)]
        return bool(self._filed(keys=[f"{self.REPORT}{report.report_id}", self.OPEN], args=args))

    @ours
    def due(self, now: float, limit: int) -> tuple[OpenReport, ...]:
        """See the port. One whose record has ended is nobody's business any more."""
        ids = [text(raw) for raw in self._redis.zrangebyscore(self.OPEN, "-inf", repr(now), start=0, num=limit)]
        found = []
        for report_id in ids:
            fields = texts(self._redis.hgetall(f"{self.REPORT}{report_id}"))
            if fields.get("outcome") == "open":
                found.append(_report(report_id, fields))
            else:
                self._redis.zrem(self.OPEN, report_id)
        return tuple(found)

    @ours
    def look_again(self, report_id: str, at: float) -> None:
        """See the port."""
        self._redis.zadd(self.OPEN, {report_id: at}, xx=True)

    @ours
    def decided(self, report: OpenReport, outcome: Outcome, rearmed_at: Mapping[str, float], now: float) -> bool:
        """See the port."""
        rearmed = [_moment(rearmed_at.get(one, 0.0)) for one in report.rule_ids]
        args: list[str | float] = [report.report_id, outcome, repr(now), self.RULE, RULE_TTL_S, repr(report.filed_at)]
        args += [json.dumps(report.rule_ids), json.dumps(rearmed)]
        return bool(self._decided(keys=[f"{self.REPORT}{report.report_id}", self.OPEN], args=args))

    @ours
    def read(self, rule_ids: Iterable[str]) -> Mapping[str, RuleRecord]:
        """See the port."""
        ids = list(rule_ids)
        with self._redis.pipeline(transaction=False) as pipe:
            for rule_id in ids:
                pipe.hgetall(f"{self.RULE}{rule_id}")
                # Of one key alone, PFCOUNT writes what it has counted into the key.
                pipe.pfcount(f"{self.RULE}{rule_id}:hits", self.NOTHING)
                pipe.pfcount(f"{self.RULE}{rule_id}:shadow_hits", self.NOTHING)
            found = answers(pipe)
        rows = zip(ids, found[::3], found[1::3], found[2::3], strict=True)
        return {
            # What is damaged counts as nothing, and hides nothing beside it.
            rule_id: rule_record(rule_id, _sound(texts(raw or {})), hits or 0, shadow or 0)
            for rule_id, raw, hits, shadow in rows
        }

    @ours
    def fates(self, report_ids: Iterable[str]) -> Mapping[str, Fate]:
        """See the port."""
        ids = list(report_ids)
        with self._redis.pipeline(transaction=False) as pipe:
            for report_id in ids:
                pipe.hmget(f"{self.REPORT}{report_id}", ["outcome", "filed_at", "decided_at", "rules"])
            found = pipe.execute()
        return {one: _fate(one, *fields) for one, fields in zip(ids, found, strict=True) if all(fields[:2])}

    @ours
    def open_reports(self) -> int:
        """See the port."""
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.zcard(self.OPEN)
            return int(answers(pipe)[0] or 0)


_MOMENTS = ("last_hit_at", "since")


def _moment(at: float) -> str:
    """Return a time as the record keeps it; 0 as "0", which is also what stands for none."""
    return repr(at) if at else "0"


def _report(report_id: str, fields: Mapping[str, str]) -> OpenReport:
    rule_ids, filed_at = tuple(json.loads(fields["rules"])), float(fields["filed_at"])
    before = tuple(fields.get("before", "").split())
    return OpenReport(report_id, fields["account_id"], rule_ids, filed_at, fields.get("status_id", ""), before)


def _fate(report_id: str, outcome: Any, filed_at: Any, decided_at: Any, rules: Any) -> Fate:  # noqa: ANN401
    rule_ids = tuple(json.loads(rules or "[]"))
    return Fate(report_id, text(outcome), float(filed_at), float(decided_at or 0), rule_ids)  # type: ignore[arg-type]


def _sound(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the fields without those that are no numbers."""
    return {
        name: value
        for name, value in fields.items()
        if value == "0" or (moment(value) if name in _MOMENTS else whole(value))
    }


def rule_record(rule_id: str, fields: Mapping[str, str], hits: int, shadow_hits: int) -> RuleRecord:
    """Return a rule's record from its hash and the numbers of accounts that it hit."""
    return RuleRecord(
        rule_id=rule_id,
        hits=hits,
        shadow_hits=shadow_hits,
        reports=int(fields.get("reports", 0)),
        kept=int(fields.get("kept", 0)),
        rejected=int(fields.get("rejected", 0)),
        last_hit_at=float(fields.get("last_hit_at", 0)),
        since=float(fields.get("since", 0)),
        kept_since=int(fields.get("kept_since", 0)),
        rejected_since=int(fields.get("rejected_since", 0)),
    )
