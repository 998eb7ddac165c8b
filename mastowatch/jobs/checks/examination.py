"""Runs the checks: those that wait for different things side by side, each bounded, and none able to end the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from redis.exceptions import RedisError

from mastowatch.errors import StoreUnavailable
from mastowatch.jobs.checks import judging, machine, mastodon, redis, settings, units, work
from mastowatch.jobs.checks.certificate import check_certificate
from mastowatch.jobs.checks.finding import NAMES, Finding
from mastowatch.jobs.checks.world import Away, World, edit

# Somebody waits. A check is bounded by its own time-outs; this is for what hangs all the same, like a dead disk.
PATIENCE_S = 45.0
# What a check rests on. "keys": Redis, and keys of a layout that we know; "set-up": that there is a server to watch,
# too, as before that nothing can run.
Needs = Literal["", "settings", "redis", "keys", "set-up"]
# Those of a group are done one after the other.
Group = Literal["machine", "redis", "mastodon", "certificate", "rules"]


@dataclass(frozen=True, slots=True)
class Check:
    """A look that tells of ``names``."""

    names: tuple[str, ...]
    group: Group
    needs: Needs
    look: Callable[[World], list[Finding]]


def _server(world: World) -> list[Finding]:
    base = _base(world)
    reply = world.server()
    return [*mastodon.judge_server(base, reply), *([mastodon.judge_clock(reply)] if reply.status else [])]


def _token(world: World) -> list[Finding]:
    secret = world.secret("access_token")
    _base(world)
    if secret.hidden:
        says = "the access token is root's alone"
        return [Finding("mastodon-token", "unknown", says, "Run it again as root to try it.", "sudo mastowatch doctor")]
    if secret.value is None:
        means = "Nothing can be looked at or reported; setup asks for one, or takes you through the authorisation."
        return [Finding("mastodon-token", "failure", "no access token is set up", means, "mastowatch setup")]
    if not world.server().status:
        raise Away("the server does not answer")
    facts = mastodon.read_token(world.probe, secret.value, enforcing=world.settings.allow_enforcement)
    return [*mastodon.judge_token(facts, world.settings), *judging.judge_limits(facts.me, world.settings, edit(world))]


def _base(world: World) -> str:
    if not world.settings.instance_base:
        raise Away("INSTANCE_BASE is not set")
    return world.settings.instance_base


def _certificates(world: World) -> list[Finding]:
    urls = dict.fromkeys(url for url in (world.settings.instance_base, world.settings.dashboard_url) if url)
    found = [finding for url in urls for finding in check_certificate(url)]
    return found or [Finding("certificate", "ok", "no address with TLS in the settings")]


CHECKS: tuple[Check, ...] = (
    Check(("settings",), "machine", "", settings.check_settings),
    Check(("file-modes",), "machine", "", machine.check_files),
    Check(("units", "watchdogs"), "machine", "", units.check_units),
    Check(("disk",), "machine", "", machine.check_disk),
    Check(("journal",), "machine", "", machine.check_journal),
    Check(("redis",), "redis", "settings", lambda world: world.reach_redis()),
    # Before the others ask for much.
    Check(("redis-latency",), "redis", "redis", redis.check_latency),
    Check(
        ("redis-version", "redis-role", "redis-policy", "redis-memory", "redis-persistence"),
        "redis",
        "redis",
        redis.check_redis,
    ),
    Check(("redis-database",), "redis", "redis", redis.check_database),
    Check(("layout",), "redis", "redis", machine.check_layout),
    Check(("package",), "redis", "", machine.check_package),
    Check(("request-budget",), "redis", "keys", judging.check_budget),
    Check(("webhooks",), "redis", "keys", judging.check_webhooks),
    Check(("stream",), "redis", "keys", judging.check_stream),
    Check(("breakers",), "redis", "keys", judging.check_breakers),
    Check(("switches",), "redis", "keys", work.check_switches),
    Check(("workers",), "redis", "set-up", work.check_workers),
    Check(("scheduler",), "redis", "set-up", work.check_scheduler),
    Check(("recurring-jobs",), "redis", "set-up", work.check_recurring),
    Check(("queues",), "redis", "keys", work.check_queues),
    Check(("stuck-jobs",), "redis", "keys", work.check_stuck),
    Check(("failed-jobs",), "redis", "keys", work.check_failed),
    Check(("mastodon-server", "mastodon-version", "clock"), "mastodon", "settings", _server),
    Check(("mastodon-token", "mastodon-scopes", "mastodon-role", "request-budget"), "mastodon", "settings", _token),
    Check(("certificate",), "certificate", "settings", _certificates),
    Check(("rules",), "rules", "settings", judging.check_rules),
)


def examine(
    world: World, names: Collection[str] = (), *, checks: Sequence[Check] = CHECKS, patience_s: float = PATIENCE_S
) -> list[Finding]:
    """Return what the checks of ``names`` (all, where none is given) find, in the order of NAMES; raises nothing.

    What has not ended after ``patience_s`` is told as unknown, and left behind in its thread.
    """
    wanted = [check for check in checks if not names or set(check.names) & set(names)]
    _ = world.examined  # once, before threads ask for it
    results: dict[int, list[Finding]] = {}
    until = time.monotonic() + patience_s
    threads = [_started(world, group, results) for group in _groups(wanted)]
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    found = [
        finding
        for number, check in enumerate(wanted)
        for finding in results.get(number)
        or _unknown(check, f"took longer than {patience_s:.0f} s", "Try it again alone.")
    ]
    place = {name: number for number, name in enumerate(NAMES)}
    found = [finding for finding in found if not names or finding.check in names]
    return sorted(found, key=lambda finding: place.get(finding.check, len(place)))


def _groups(wanted: Sequence[Check]) -> list[list[tuple[int, Check]]]:
    groups: dict[Group, list[tuple[int, Check]]] = {}
    for number, check in enumerate(wanted):
        groups.setdefault(check.group, []).append((number, check))
    return list(groups.values())


def _started(world: World, group: Sequence[tuple[int, Check]], results: dict[int, list[Finding]]) -> threading.Thread:
    def work_off() -> None:
        for number, check in group:
            results[number] = look(world, check)

    thread = threading.Thread(target=work_off, daemon=True)
    thread.start()
    return thread


def look(world: World, check: Check) -> list[Finding]:
    """Return what one check finds, or that it could not be made, and why; raises nothing."""
    try:
        _ensure(world, check.needs)
        return check.look(world)
    except Away as error:
        return _unknown(check, f"not looked at: {error}")
    except (RedisError, StoreUnavailable) as error:
        return _unknown(check, f"Redis did not answer as it should ({type(error).__name__})")
    except Exception as error:  # noqa: BLE001 -- one check that fails must not hide what the others find
        means = "That is a fault of MastoWatch; the other checks count all the same."
        return _unknown(check, f"this check failed: {type(error).__name__}", means)


def _ensure(world: World, needs: Needs) -> None:
    if needs:
        _ = world.settings
    if needs == "set-up" and world.of_this_machine:
        _base(world)
    if needs in ("redis", "keys", "set-up"):
        _ = world.redis
    if needs in ("keys", "set-up") and machine.judge_layout(machine.layout_of(world)).state == "failure":
        raise Away("the keys have another layout")


def _unknown(check: Check, says: str, means: str = "") -> list[Finding]:
    # What another check tells of as well is not unknown for that.
    others = {name for other in CHECKS if other.names != check.names for name in other.names}
    names = [name for name in check.names if name not in others] or check.names
    return [Finding(name, "unknown", says, means) for name in names]
