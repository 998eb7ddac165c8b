"""The Redis that holds every job: whether it can lose them, run full, or belongs to somebody else as well."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from mastowatch.jobs import context as contexts
from mastowatch.jobs.checks.finding import Finding
from mastowatch.jobs.checks.world import World, edit, is_local, redis_cli, redis_unit

LEAST, WANTED = (6, 2), (7, 0)
NEARLY_FULL, FULL = 0.75, 0.9
PINGS = 9
SLOW_S, VERY_SLOW_S = 0.010, 0.200
# What Mastodon's Sidekiq and its feeds, and Celery, keep in the database that is theirs.
OTHERS = {
    "queues": "Sidekiq", "processes": "Sidekiq", "stat:processed": "Sidekiq", "retry": "Sidekiq", "dead": "Sidekiq",
    "_kombu.binding.celery": "Celery",
}  # fmt: skip
OURS = ("mastowatch:", "rq:")
SCANS, A_SCAN = 20, 500
_NUMBER = re.compile(r"\d{1,6}", re.ASCII)


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """``info`` is what INFO tells, ``config`` what CONFIG GET does, as far as it may be asked."""

    info: Mapping[str, Any]
    config: Mapping[str, str] = field(default_factory=dict)
    cli: str = "redis-cli"
    unit: str = "redis-server"


def read_redis(world: World) -> RedisFacts:
    """Return the facts; raises RedisError."""
    redis = world.redis
    config: dict[str, str] = {}
    for name in ("appendfsync", "save"):
        with suppress(ResponseError):  # forbidden, as where somebody else runs it
            config |= {str(key): str(value) for key, value in redis.config_get(name).items()}
    return RedisFacts(redis.info(), config, redis_cli(world), redis_unit(world))


def check_redis(world: World) -> list[Finding]:
    """Judge everything that INFO tells."""
    facts = read_redis(world)
    return [
        judge_version(facts),
        judge_role(facts),
        judge_policy(facts),
        judge_memory(facts),
        *judge_persistence(facts, local=is_local(world)),
    ]


def judge_version(facts: RedisFacts) -> Finding:
    """Judge whether it knows the commands that are needed."""
    name = "redis-version"
    shown = str(facts.info.get("redis_version", ""))[:30]
    valkey = str(facts.info.get("valkey_version", ""))[:30]
    said = f"Valkey {valkey} (as Redis {shown})" if valkey else f"Redis {shown}"
    version = tuple(int(part) for part in _NUMBER.findall(shown)[:2])
    means = "Version 7 or later is what MastoWatch is tested with; `mastowatch forget` needs it."
    if version < LEAST:
        means = "Jobs are taken with commands that it does not know: install 7 or later (Debian 12 has it)."
        return Finding(name, "failure", f"{said} is too old", means)
    return Finding(name, "ok", said) if version >= WANTED else Finding(name, "warning", f"{said} is old", means)


def judge_role(facts: RedisFacts) -> Finding:
    """Judge whether it takes writes."""
    name = "redis-role"
    role = str(facts.info.get("role", ""))
    if role == "slave":
        means = "It takes no writes, so no job is queued: name the primary in REDIS_URL, or Sentinel, which knows it."
        return Finding(name, "failure", "it is a replica", means, f"{facts.cli} info replication")
    replicas = int(facts.info.get("connected_slaves", 0))
    return Finding(
        name,
        "ok",
        "primary" + (f" with {replicas} replicas" if replicas > 1 else " with one replica" if replicas else ""),
    )


def judge_policy(facts: RedisFacts) -> Finding:
    """Judge what it does when its memory is full."""
    name, policy = "redis-policy", str(facts.info.get("maxmemory_policy", "noeviction"))
    if policy == "noeviction":
        return Finding(name, "ok", "noeviction")
    limited = int(facts.info.get("maxmemory", 0)) > 0
    return Finding(
        name,
        "failure" if limited else "warning",
        f"{policy}: it throws keys away when its memory is full",
        "Jobs, and the memory of what was reported already, would vanish without a word.",
        f"{facts.cli} config set maxmemory-policy noeviction && {facts.cli} config rewrite",
    )


def judge_memory(facts: RedisFacts) -> Finding:
    """Judge how much room is left."""
    name = "redis-memory"
    used, most = int(facts.info.get("used_memory", 0)), int(facts.info.get("maxmemory", 0))
    peak = int(facts.info.get("used_memory_peak", 0))
    if not most:
        return Finding(name, "ok", f"{size(used)} used, {size(peak)} at most so far, no limit")
    part = used / most
    says = f"{size(used)} of {size(most)} used ({part:.0%}), {size(peak)} at most so far"
    if part < NEARLY_FULL:
        return Finding(name, "ok", says)
    means = "When it is full it refuses new jobs; give it more, or see what takes the room."
    # A limit that was set lower later may be exceeded by far.
    mend = f"{facts.cli} config set maxmemory {2 * max(most, used)} && {facts.cli} config rewrite"
    return Finding(name, "failure" if part >= FULL else "warning", says, means, mend)


def judge_persistence(facts: RedisFacts, *, local: bool = True) -> list[Finding]:
    """Judge what is lost when it is killed."""
    return list(_persistence(facts, local=local))


def _persistence(facts: RedisFacts, *, local: bool) -> Iterator[Finding]:
    name, info = "redis-persistence", facts.info
    log_on = bool(int(info.get("aof_enabled", 0)))
    broken = [
        what
        for what, field_name in (
            ("its last snapshot", "rdb_last_bgsave_status"),
            ("the last write to its append-only file", "aof_last_write_status"),
            ("the last rewrite of its append-only file", "aof_last_bgrewrite_status"),
        )
        if info.get(field_name, "ok") != "ok" and (log_on or "aof" not in field_name)
    ]
    if broken:
        means = "What it holds is not safe on its disk, and it may refuse writes; most often the disk is full."
        yield Finding(
            name, "failure", f"{' and '.join(broken)} failed", means, f"df -h; journalctl -u {facts.unit} -n 30"
        )
    if not log_on:
        snapshots = facts.config.get("save", "?") != ""
        says = "snapshots only, no append-only file" if snapshots else "nothing is written to disk"
        means = (
            "Debian's default snapshots lose jobs when Redis is killed: 1,083 of 3,000 measured."
            if snapshots
            else "When Redis ends, for whatever reason, every job and all that was learnt is lost."
        )
        means += " For a Redis of its own, with such a file, instead: mastowatch setup --redis private" if local else ""
        mend = f"{facts.cli} config set appendonly yes && {facts.cli} config rewrite"
        yield Finding(name, "warning" if snapshots else "failure", says, means, mend)
        return
    how = facts.config.get("appendfsync", "")
    if how == "no":
        means = "Up to half a minute is lost when the machine goes down."
        mend = f"{facts.cli} config set appendfsync everysec && {facts.cli} config rewrite"
        yield Finding(name, "warning", "append-only file, written to disk when the kernel likes", means, mend)
    elif not broken:
        yield Finding(name, "ok", f"append-only file{', ' if how else ''}{how}")


def check_database(world: World) -> list[Finding]:
    """Judge whether the database is ours alone."""
    redis = world.redis
    there = [name for name in OTHERS if redis.exists(name)]
    return [judge_database(contexts.database_of(world.settings.redis_url), there, _strangers(redis), edit(world))]


def _strangers(redis: Redis) -> list[str]:
    """Return what keys of others begin with, of the first few thousand."""
    found: dict[str, None] = {}
    cursor = 0
    for _ in range(SCANS):
        cursor, keys = redis.scan(cursor, count=A_SCAN)
        for raw in keys:
            key = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
            if not key.startswith(OURS):
                found[_beginning(key)] = None
        if not cursor or len(found) > 100:
            break
    return sorted(found)


def _beginning(key: str) -> str:
    """Return what may be shown of a key: others may have names of people in theirs."""
    head = re.split(r"[:.|/]", key, maxsplit=1)[0]
    return head if re.fullmatch(r"[A-Za-z_-]{1,24}", head, re.ASCII) else "..."


def judge_database(number: int, there: list[str], strangers: list[str], mend: str = "") -> Finding:
    """Judge whose keys are there: ``there`` are keys of OTHERS, ``strangers`` beginnings of any others."""
    name = "redis-database"
    whose = sorted({OTHERS[one] for one in there})
    if number == 0 or "Sidekiq" in whose:
        says = f"database {number} is shared with Mastodon" if whose else "database 0, which is Mastodon's own"
        other = 1 if number != 1 else 2
        means = f"Either could delete what is the other's: end REDIS_URL in another number, like /{other}, and restart."
        return Finding(name, "failure" if whose else "warning", says, means, mend)
    if strangers or whose:
        shown = ", ".join((*whose, *strangers[:3]))
        means = "Nothing of ours touches them; an own database, or an own Redis, keeps both apart."
        return Finding(name, "note", f"database {number} holds keys of other programs too ({shown})", means)
    return Finding(name, "ok", f"database {number}, ours alone")


def check_latency(world: World) -> list[Finding]:
    """Judge how quickly it answers, measured a few times."""
    redis, took = world.redis, []
    for _ in range(PINGS):
        began = time.monotonic()
        redis.ping()
        took.append(time.monotonic() - began)
    load, processors = world.host.load()
    return [judge_latency(statistics.median(took), max(took), load, processors, cli=redis_cli(world))]


def judge_latency(median_s: float, worst_s: float, load: float, processors: int, cli: str = "redis-cli") -> Finding:
    """Judge a median of answers."""
    name = "redis-latency"
    says = f"{median_s * 1000:.1f} ms (median of {PINGS}; worst {worst_s * 1000:.1f} ms)"
    if median_s < SLOW_S:
        return Finding(name, "ok", says)
    busy = load > 2 * processors
    means = "Each job takes a round trip or two, so all work is slower by that."
    means += f" This machine is busy: {load:.0f} want its {processors} processors." if busy else ""
    mend = "top -b -n 1 | head -n 15" if busy else f"{cli} slowlog get 5"
    return Finding(name, "failure" if median_s > VERY_SLOW_S else "warning", says, means, mend)


def size(number: float) -> str:
    """Return bytes for people."""
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
