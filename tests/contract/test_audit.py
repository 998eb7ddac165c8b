"""One suite for the audit in memory and the one in Redis."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mastowatch.adapters.memory_audit import MemoryAudit
from mastowatch.adapters.redis_audit import RedisAudit
from mastowatch.errors import StoreUnavailable
from mastowatch.ports.types import AuditEntry
from tests.redis_server import nowhere

ENTRY = AuditEntry(
    1_767_268_800.125,
    "judged",
    "filed",
    "the score reached the threshold",
    account_id="7",
    acct="a\ud800🐘@x.example",
    level="report",
    score=7.5,
    shadow_score=1.0,
    rules={"casino": 5.0, "rate": 2.5},
    shadow_rules={"new": 1.0},
    report_id="12",
)


@pytest.fixture(params=["memory", "redis"])
def make(request, redis):
    return MemoryAudit if request.param == "memory" else lambda **options: RedisAudit(redis, **options)


def test_entries_come_back_whole_newest_first(make):
    audit = make()
    assert audit.recent(5) == ()
    plain = AuditEntry(1.0, "dropped", "shadow", "21 reports in an hour", rules={"casino": 5.0})
    audit.add(ENTRY)
    audit.add(plain)
    assert audit.recent(5)[0] == plain
    assert audit.recent(5)[1].rules == ENTRY.rules
    assert audit.recent(1) == (plain,)
    assert audit.recent(0) == audit.recent(-1) == ()


def test_every_field_survives(redis):
    audit = RedisAudit(redis)
    audit.add(ENTRY)
    found = audit.recent(1)[0]
    assert found.acct == "a?🐘@x.example", "half a pair can't be kept"
    assert (found.score, found.shadow_score, found.shadow_rules, found.report_id) == (7.5, 1.0, {"new": 1.0}, "12")


def test_the_oldest_fall_off(redis):
    audit = RedisAudit(redis, at_most=100)
    for number in range(1000):
        audit.add(AuditEntry(float(number), "judged", "none", "why"))
    assert redis.xlen(RedisAudit.STREAM) < 300, "Redis drops whole nodes of 100 entries"
    assert audit.recent(1)[0].at == 999.0


def test_an_entry_is_as_short_as_what_it_says(redis):
    RedisAudit(redis).add(AuditEntry(1.0, "judged", "none", "the score is below both thresholds", account_id="7"))
    [(_, fields)] = redis.xrange(RedisAudit.STREAM)
    assert set(json.loads(fields[b"entry"])) == {"at", "event", "outcome", "why", "account_id"}


def test_a_redis_that_is_away_is_told_as_store_unavailable():
    with nowhere() as away, pytest.raises(StoreUnavailable, match="ConnectionError"):
        RedisAudit(away).add(ENTRY)


def test_is_read_on_from_a_place_without_a_gap_or_a_repeat(make):
    audit = make()
    assert (audit.older(None, 5), audit.count()) == ((), 0)
    for number in range(7):
        audit.add(AuditEntry(float(number), "judged", "none", "why"))
    seen, place = [], None
    while page := audit.older(place, 3):
        seen += [entry.at for _, entry in page]
        place = page[-1][0]
    assert seen == [6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0]
    assert audit.count() == 7


def test_fields_of_a_newer_version_are_passed_over(redis):
    redis.xadd(
        RedisAudit.STREAM, {"entry": json.dumps({"at": 1.0, "event": "judged", "outcome": "x", "why": "", "n": 1})}
    )
    assert RedisAudit(redis).recent(1)[0].outcome == "x"


@pytest.mark.parametrize(
    "damage",
    [
        {"entry": "x"},
        {"entry": "[" * 100_000},
        {"entry": '{"at": "x", "event": "judged", "outcome": "", "why": ""}'},
        {"entry": '{"at": 1e300, "event": "judged", "outcome": "", "why": ""}'},
        {"entry": '{"at": 1, "event": "judged", "outcome": "", "why": "", "rules": {"a": "b"}}'},
        {"entry": '{"at": 1, "event": "judged"}'},
        {"other": b"\xff"},
    ],
)
def test_entries_that_can_not_be_read_hide_no_others(redis, damage):
    audit = RedisAudit(redis)
    audit.add(replace(ENTRY, at=1.0))
    for _ in range(3):
        redis.xadd(RedisAudit.STREAM, damage)
    audit.add(replace(ENTRY, at=2.0))
    assert [one.at for one in audit.recent(2)] == [2.0, 1.0]
    ((place, newest),) = audit.older(None, 1)
    assert newest.at == 2.0
    assert [one.at for _, one in audit.older(place, 1)] == [1.0]
