"""What is made of a Redis' INFO."""

from __future__ import annotations

import pytest

from mastowatch.jobs.checks import redis as checks
from mastowatch.jobs.checks.redis import RedisFacts

WELL = {
    "redis_version": "7.0.15",
    "role": "master",
    "maxmemory": 0,
    "maxmemory_policy": "noeviction",
    "used_memory": 3_000_000,
    "used_memory_peak": 4_000_000,
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
    "aof_last_bgrewrite_status": "ok",
    "rdb_last_bgsave_status": "ok",
}


def facts(config: dict[str, str] | None = None, **changes: object) -> RedisFacts:
    return RedisFacts({**WELL, **changes}, config or {"appendfsync": "everysec", "save": "3600 1"}, "redis-cli -p 7000")


@pytest.mark.parametrize(
    ("changes", "state", "says"),
    [
        ({}, "ok", "Redis 7.0.15"),
        ({"redis_version": "7.2.4", "valkey_version": "8.1.0"}, "ok", "Valkey 8.1.0 (as Redis 7.2.4)"),
        ({"redis_version": "6.2.14"}, "warning", "Redis 6.2.14 is old"),
        ({"redis_version": "6.0.16"}, "failure", "Redis 6.0.16 is too old"),
        ({"redis_version": "x"}, "failure", "Redis x is too old"),
    ],
)
def test_version(changes, state, says):
    found = checks.judge_version(facts(**changes))
    assert (found.state, found.says) == (state, says)


def test_a_replica_takes_no_writes():
    found = checks.judge_role(facts(role="slave"))
    assert (found.state, found.mend) == ("failure", "redis-cli -p 7000 info replication")
    assert checks.judge_role(facts(connected_slaves=1)).says == "primary with one replica"
    assert checks.judge_role(facts(connected_slaves=2)).says == "primary with 2 replicas"


def test_a_policy_that_throws_keys_away_is_worse_with_a_limit():
    assert checks.judge_policy(facts()).state == "ok"
    without = checks.judge_policy(facts(maxmemory_policy="allkeys-lru"))
    within = checks.judge_policy(facts(maxmemory_policy="allkeys-lru", maxmemory=10**9))
    assert (without.state, within.state) == ("warning", "failure")
    assert "redis-cli -p 7000 config set maxmemory-policy noeviction" in within.mend


@pytest.mark.parametrize(("used", "state"), [(50, "ok"), (74, "ok"), (75, "warning"), (89, "warning"), (90, "failure")])
def test_memory(used, state):
    found = checks.judge_memory(facts(used_memory=used * 10**6, maxmemory=100 * 10**6))
    assert found.state == state
    assert f"{used}%" in found.says
    assert state == "ok" or "maxmemory 200000000" in found.mend


def test_a_limit_that_is_exceeded_is_mended_by_one_that_is_not():
    found = checks.judge_memory(facts(used_memory=3 * 10**6, maxmemory=10**6))
    assert "maxmemory 6000000 " in found.mend


def test_without_a_limit_memory_is_told_and_no_worry():
    assert checks.judge_memory(facts()).says == "3 MB used, 4 MB at most so far, no limit"


def test_the_append_only_file_is_what_is_wanted():
    assert [(one.state, one.says) for one in checks.judge_persistence(facts())] == [
        ("ok", "append-only file, everysec")
    ]
    assert checks.judge_persistence(facts({"appendfsync": "no"}))[0].state == "warning"
    assert checks.judge_persistence(facts({"appendfsync": "always"}))[0].state == "ok"


def test_debians_default_is_warned_of_with_the_figure_and_both_ways_out():
    [found] = checks.judge_persistence(facts(aof_enabled=0))
    assert found.state == "warning"
    assert "1,083 of 3,000 measured" in found.means
    assert "mastowatch setup --redis private" in found.means
    assert found.mend == "redis-cli -p 7000 config set appendonly yes && redis-cli -p 7000 config rewrite"
    assert "private" not in checks.judge_persistence(facts(aof_enabled=0), local=False)[0].means


def test_a_redis_that_writes_nothing_is_a_failure():
    [found] = checks.judge_persistence(facts({"save": ""}, aof_enabled=0))
    assert (found.state, found.says) == ("failure", "nothing is written to disk")


@pytest.mark.parametrize("field", ["rdb_last_bgsave_status", "aof_last_write_status", "aof_last_bgrewrite_status"])
def test_a_write_to_disk_that_failed_is_a_failure(field):
    [found] = checks.judge_persistence(facts(**{field: "err"}))
    assert found.state == "failure"
    assert "failed" in found.says


@pytest.mark.parametrize(
    ("number", "there", "strangers", "state"),
    [
        (1, [], [], "ok"),
        (0, [], [], "warning"),
        (0, ["queues"], ["stat"], "failure"),
        (1, ["processes"], [], "failure"),
        (1, [], ["shop"], "note"),
        (1, ["_kombu.binding.celery"], [], "note"),
    ],
)
def test_database(number, there, strangers, state):
    assert checks.judge_database(number, there, strangers).state == state


def test_of_the_keys_of_others_only_harmless_beginnings_are_shown():
    assert checks._beginning("shop:alice@example.org") == "shop"
    assert checks._beginning("alice@example.org") == "..."
    assert checks._beginning("\x1b[31m") == "..."


@pytest.mark.parametrize(("median", "state"), [(0.0004, "ok"), (0.02, "warning"), (0.3, "failure")])
def test_latency(median, state):
    assert checks.judge_latency(median, 2 * median, 0.5, 2).state == state


def test_a_busy_machine_is_named_as_the_reason():
    assert "This machine is busy" in checks.judge_latency(0.05, 0.1, 12, 2).means
    assert checks.judge_latency(0.05, 0.1, 1, 2, "redis-cli").mend == "redis-cli slowlog get 5"
