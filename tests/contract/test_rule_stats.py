"""One suite for the rule stats in memory and the ones in Redis."""

from __future__ import annotations

import pytest

from mastowatch.adapters import redis_rule_stats
from mastowatch.adapters.memory_rule_stats import MemoryRuleStats
from mastowatch.adapters.redis_rule_stats import RedisRuleStats
from mastowatch.errors import StoreUnavailable
from mastowatch.ports.types import Fate, OpenReport, RuleRecord
from tests.redis_server import nowhere
from tests.snapshot import snapshot

NOW = 1_767_268_800.125
NEVER: dict[str, float] = {}


@pytest.fixture(params=["memory", "redis"])
def make(request, redis):
    def made(**options):
        return MemoryRuleStats(**options) if request.param == "memory" else RedisRuleStats(redis, **options)

    return made


def report(number: int, *rule_ids: str, at: float = NOW) -> OpenReport:
    before = ("silence", "suspend") if number == 2 else ()
    return OpenReport(str(number), f"{number}00", rule_ids or ("casino",), at, "77" if number == 2 else "", before)


def test_an_account_counts_once_however_often_it_hits(make):
    stats = make()
    for account_id in ("1", "2", "1"):
        stats.hits(account_id, {"casino": False, "new": True}, NOW)
    stats.hits("3", {"casino": True}, NOW + 5)
    found = stats.read(["casino", "new", "other"])
    assert found["casino"] == RuleRecord("casino", hits=2, shadow_hits=1, last_hit_at=NOW + 5)
    assert found["new"] == RuleRecord("new", shadow_hits=2, last_hit_at=NOW)
    assert found["other"] == RuleRecord("other")
    assert found["other"].precision is None


def test_a_report_counts_once_for_each_of_its_rules(make):
    stats = make()
    assert stats.filed(report(1, "casino", "wave"), NOW + 600)
    assert not stats.filed(report(1, "casino", "wave"), NOW + 900)
    assert [one.reports for one in stats.read(["casino", "wave"]).values()] == [1, 1]
    assert stats.open_reports() == 1


def test_reports_are_due_in_the_order_of_their_times(make):
    stats = make()
    for number, at in ((1, 30), (2, 10), (3, 20)):
        stats.filed(report(number), NOW + at)
    assert [one.report_id for one in stats.due(NOW + 20, 9)] == ["2", "3"]
    assert stats.due(NOW + 99, 1) == (report(2),)
    stats.look_again("2", NOW + 50)
    assert [one.report_id for one in stats.due(NOW + 99, 9)] == ["3", "1", "2"]
    stats.look_again("unknown", NOW)
    assert stats.due(NOW, 9) == ()


def test_a_decision_counts_once_for_each_rule(make):
    stats = make()
    stats.filed(report(1, "casino", "wave"), NOW)
    assert stats.decided(report(1, "casino", "wave"), "kept", NEVER, NOW + 5)
    assert not stats.decided(report(1, "casino", "wave"), "rejected", NEVER, NOW + 6)
    assert not stats.filed(report(1, "casino", "wave"), NOW), "a later judgement tells of it again"
    stats.filed(report(2), NOW)
    stats.decided(report(2), "rejected", NEVER, NOW + 7)
    found = stats.read(["casino", "wave"])
    assert (found["casino"].kept, found["casino"].rejected, found["casino"].precision) == (1, 1, 0.5)
    assert (found["wave"].kept, found["wave"].rejected) == (1, 0)
    assert stats.due(NOW + 99, 9) == ()
    assert stats.open_reports() == 0


def test_what_can_not_be_told_any_more_counts_for_nothing(make):
    stats = make()
    stats.filed(report(1), NOW)
    assert stats.decided(report(1), "unknown", NEVER, NOW)
    assert stats.read(["casino"])["casino"] == RuleRecord("casino", reports=1)
    assert stats.open_reports() == 0


def test_after_a_rearming_only_what_was_filed_since_speaks_of_the_rule(make):
    stats = make()
    rearmed = {"casino": NOW + 100.5}
    for number, at in ((1, NOW), (2, NOW), (3, NOW + 200), (4, NOW + 200)):
        stats.filed(report(number, at=at), NOW)
    stats.decided(report(1), "rejected", NEVER, NOW + 50)
    found = stats.read(["casino"])["casino"]
    assert (found.decided_since(0.0), found.precision_since(0.0)) == (1, 0.0)
    assert (found.decided_since(NOW + 100.5), found.precision_since(NOW + 100.5)) == (0, None)
    stats.decided(report(2), "rejected", rearmed, NOW + 210)
    stats.decided(report(3, at=NOW + 200), "kept", rearmed, NOW + 220)
    stats.decided(report(4, at=NOW + 200), "rejected", rearmed, NOW + 230)
    found = stats.read(["casino"])["casino"]
    assert (found.kept, found.rejected) == (1, 3)
    assert (found.decided_since(NOW + 100.5), found.precision_since(NOW + 100.5)) == (2, 0.5)


def test_the_open_reports_are_bounded(make):
    stats = make(open_max=2)
    for number, at in ((1, 30), (2, 10), (3, 20)):
        stats.filed(report(number), NOW + at)
    assert [one.report_id for one in stats.due(NOW + 99, 9)] == ["2", "3"]


def test_a_look_writes_nothing(redis):
    stats = RedisRuleStats(redis)
    stats.hits("1", {"casino": False, "new": True}, NOW)
    before = snapshot(redis)
    stats.read(["casino", "new", "none"])
    assert snapshot(redis) == before


def test_the_rules_that_have_hit_are_known_and_bounded(redis, monkeypatch):
    monkeypatch.setattr(redis_rule_stats, "KNOWN_MAX", 2)
    stats = RedisRuleStats(redis)
    for number, rule in enumerate(("old", "a", "b", "a")):
        stats.hits("1", {rule: False}, NOW + number)
    assert redis.zrange(RedisRuleStats.KNOWN, 0, -1) == [b"b", b"a"]
    stats.hits("1", {"c": False}, NOW + redis_rule_stats.RULE_TTL_S + 3)
    assert redis.zrange(RedisRuleStats.KNOWN, 0, -1) == [b"c"]


def test_every_key_has_an_end(redis):
    stats = RedisRuleStats(redis)
    stats.hits("1", {"casino": False, "new": True}, NOW)
    stats.filed(report(1), NOW)
    stats.decided(report(1), "kept", NEVER, NOW)
    stats.filed(report(2), NOW)
    assert redis.dbsize() == 8
    assert [key for key in redis.scan_iter() if redis.ttl(key) < 0] == []


def test_a_report_whose_record_has_ended_is_looked_at_no_more(redis):
    stats = RedisRuleStats(redis)
    stats.filed(report(1), NOW)
    redis.delete("mastowatch:report:1")
    assert stats.due(NOW, 9) == ()
    assert stats.open_reports() == 0


def test_a_redis_that_is_away_is_told_as_store_unavailable():
    with nowhere() as away, pytest.raises(StoreUnavailable, match="ConnectionError"):
        RedisRuleStats(away).hits("1", {"casino": False}, NOW)


def test_tells_what_became_of_each_report(make):
    stats = make()
    report = OpenReport("9", "7", ("casino", "rate"), NOW)
    stats.filed(report, NOW + 600)
    assert stats.fates(["9", "10"]) == {"9": Fate("9", "open", NOW, 0.0, ("casino", "rate"))}
    stats.decided(report, "kept", {}, NOW + 900)
    assert stats.fates(["9"]) == {"9": Fate("9", "kept", NOW, NOW + 900, ("casino", "rate"))}
    assert stats.fates([]) == {}
