"""What judging rests on: the rules, the breakers, the request budget, the webhooks, and the stream."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mastowatch.config import Settings
from mastowatch.jobs.alerts import describe, to_go_on
from mastowatch.jobs.checks.finding import Finding, State
from mastowatch.jobs.checks.world import World
from mastowatch.jobs.rules_on_disk import RulesOnDisk, rules_on_disk
from mastowatch.ports.probe import Reply
from mastowatch.ports.types import EVERY_RULE, Dropped, FamilyUse, StreamNote, WebhooksSeen

TOLD_ONE_BY_ONE = 3
FEW_LEFT = 0.1
QUIET_S = 7 * 86400.0
# So long after a good one, a wrong signature is more likely somebody else's than a wrong secret.
OF_LATE_S = 86400.0
LAG_S = 300.0
_PASTE = "mastowatch setup --webhooks"


def check_rules(world: World) -> list[Finding]:
    """Judge the rules in RULES_DIR."""
    directory = world.settings.rules_dir
    if not directory.is_dir():
        return [_no_rules(directory, "is not a directory that this user may read")]
    if not os.access(directory, os.R_OK | os.X_OK):
        return [
            Finding(
                "rules",
                "unknown",
                f"{directory} is hidden from this user",
                "Run it again as root.",
                "sudo mastowatch doctor",
            )
        ]
    return judge_rules(rules_on_disk(directory), directory)


def judge_rules(found: RulesOnDisk, directory: Path) -> list[Finding]:
    """Judge whether they can be read, and whether any of them reports."""
    if found.faults:
        means = "Workers keep the rules that they had, and new ones do not start, until each file can be read."
        told = [
            Finding("rules", "failure", str(fault)[:300], means, _edit_rule(directory, str(fault)))
            for fault in found.faults[:TOLD_ONE_BY_ONE]
        ]
        more = len(found.faults) - TOLD_ONE_BY_ONE
        return [
            *told,
            *([Finding("rules", "failure", f"and {more} more", means, "mastowatch rules check")] if more > 0 else []),
        ]
    if not found.rules:
        return [_no_rules(directory, "holds no rule")]
    counts = {mode: sum(rule.mode == mode for rule in found.rules) for mode in ("report", "shadow", "off")}
    shown = ", ".join(f"{count} {mode}" for mode, count in counts.items() if count)
    says = f"{len(found.rules)} can be read: {shown}"
    if not counts["report"]:
        return [Finding("rules", "note", says, 'No rule reports; `mode = "report"` in its file has one do so.')]
    return [Finding("rules", "ok", says)]


def _edit_rule(directory: Path, fault: str) -> str:
    """Return what mends the file that a fault begins with, as long as it is one of RULES_DIR."""
    name = fault.partition(":")[0]
    file = directory / name
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name, re.ASCII) or not file.is_file():
        return "mastowatch rules check"
    return f"sudoedit {file} && mastowatch rules check"


def _no_rules(directory: Path, what: str) -> Finding:
    return Finding("rules", "failure", f"{directory} {what}", "Without rules nothing is found.", f"ls -la {directory}")


def check_breakers(world: World) -> list[Finding]:
    """Judge what the breakers have stopped."""
    switches = world.view.rule_switches
    paused = switches.paused()
    return judge_breakers(paused, list(switches.shadowed().values()), sum(world.readings.held.values()))


def judge_breakers(paused: Dropped | None, rules: Sequence[Dropped], held: int) -> list[Finding]:
    """Judge which rules were dropped, whether all reporting is paused, and who is held back meanwhile."""
    found = list(_dropped(paused, rules))
    if held and found:
        accounts = "one account waits" if held == 1 else f"{held} accounts wait"
        found.append(Finding("breakers", "note", f"{accounts} to be judged again when they are re-armed"))
    return found or [Finding("breakers", "ok", "none has tripped")]


def _dropped(paused: Dropped | None, rules: Sequence[Dropped]) -> Iterator[Finding]:
    means = "Look at its latest cases first (mastowatch cases); re-arm it once they are right."
    if paused is not None:
        yield Finding("breakers", "failure", _sentence(describe(paused)), means, to_go_on(EVERY_RULE))
    rules = sorted((one for one in rules if one.rule_id != EVERY_RULE), key=lambda one: -one.at)
    for one in rules[:TOLD_ONE_BY_ONE]:
        yield Finding("breakers", "warning", _sentence(describe(one)), means, to_go_on(one.rule_id))
    if len(rules) > TOLD_ONE_BY_ONE:
        says = f"and {len(rules) - TOLD_ONE_BY_ONE} more rules were dropped to shadow"
        yield Finding("breakers", "warning", says, means, "mastowatch rules arm all")


def _sentence(text: str) -> str:
    """Return a sentence as part of a line."""
    return f"{text[:1].lower()}{text[1:]}".rstrip(".")[:300]


def check_budget(world: World) -> list[Finding]:
    """Judge our own count of requests."""
    readings = world.readings
    return [judge_budget(readings.budget, readings.blocked_until, world.now)]


def judge_budget(uses: Sequence[FamilyUse], blocked_until: float, now: float) -> Finding:
    """Judge what is left in the present windows."""
    name = "request-budget"
    if blocked_until > now:
        means = "Mastodon has answered 429; work goes on by itself. If it comes often, something else uses this token."
        return Finding(name, "warning", f"no request for another {blocked_until - now:.0f} s", means)
    shown = ", ".join(f"{use.family}: {max(0, use.limit - use.used)} of {use.limit} left" for use in uses)
    low = [use for use in uses if use.limit and use.limit - use.used < FEW_LEFT * use.limit]
    if low:
        minutes = max(use.resets_at for use in low) - now
        means = f"What is less urgent waits until the window ends, in {minutes / 60:.0f} minutes."
        return Finding(name, "note", shown, means)
    return Finding(name, "ok", shown or "nothing used")


def judge_limits(reply: Reply, settings: Settings, mend: str = "") -> list[Finding]:
    """Judge what the server itself says is left; nothing where it says nothing."""
    limit, left = (_count(reply.limits, f"X-RateLimit-{name}") for name in ("Limit", "Remaining"))
    if limit is None or left is None:
        return []
    says = f"the server says: {left} of {limit} left"
    if limit < min(settings.api_requests_per_5_minutes, settings.api_paged_requests_per_15_minutes):
        means = "The settings count on more than the server allows; set API_REQUESTS_PER_5_MINUTES to its limit."
        return [Finding("request-budget", "warning", says, means, mend)]
    if left < FEW_LEFT * limit:
        return [Finding("request-budget", "note", says, "Work waits for the next window; it goes on by itself.")]
    return [Finding("request-budget", "ok", says)]


def _count(limits: Mapping[str, str], name: str) -> int | None:
    written = limits.get(name, "")
    return int(written) if written.isascii() and written.isdecimal() and len(written) < 10 else None


def check_webhooks(world: World) -> list[Finding]:
    """Judge whether Mastodon's webhooks come in."""
    secret = world.secret("webhook_secret")
    if secret.fault:
        return [Finding("webhooks", "failure", secret.fault, "No webhook is taken in without it.", _PASTE)]
    known = None if secret.hidden else bool(secret.value)
    return [judge_webhooks(world.view.webhook_notes.read(), world.now, secret=known)]


def judge_webhooks(seen: WebhooksSeen, now: float, *, secret: bool | None) -> Finding:
    """Judge the last that was taken in, and the last that was refused; ``secret`` None: hidden from this user."""
    name = "webhooks"
    taken = (
        f"last one {_ago(now - seen.taken_at)}" + (f" ({seen.event})" if seen.event else "") if seen.taken_at else ""
    )
    refused = f"one was refused {_ago(now - seen.refused_at)} ({seen.why})" if seen.refused_at else ""
    if secret is False:
        if refused and seen.why == "no secret" and now - seen.refused_at < QUIET_S:
            means = "Mastodon sends them, and none is taken in until the webhook's signing secret is here."
            return Finding(name, "failure", f"no secret is set up, and {refused}", means, _PASTE)
        means = "New local accounts and posts are found by polling, some seconds later; webhooks make it at once."
        return Finding(name, "note", "not set up", means, _PASTE)
    if seen.refused_at > seen.taken_at and seen.why == "wrong signature":
        means = (
            "The secret here is not the one that Mastodon shows for this webhook; or it was somebody else who tried."
        )
        # Whoever reaches the address can send one: where good ones have come of late, that is no failure of ours.
        late: State = "warning" if seen.taken_at and now - seen.taken_at < OF_LATE_S else "failure"
        return Finding(name, late, f"{refused}; {taken or 'none was ever taken in'}", means, _PASTE)
    if not seen.taken_at and secret:
        means = "Add the webhook on Mastodon's admin pages, and see that its address reaches this machine."
        return Finding(name, "warning", "none has ever come in" + (f"; {refused}" if refused else ""), means, _PASTE)
    if not seen.taken_at:
        return Finding(
            name,
            "unknown",
            "none has ever come in",
            "Whether they are set up only root may see.",
            "sudo mastowatch doctor",
        )
    if now - seen.taken_at > QUIET_S:
        means = "That is long even for a small server; see whether the webhook is still enabled there."
        return Finding(name, "warning", taken, means, _PASTE)
    return Finding(name, "ok", "; ".join(part for part in (taken, refused) if part))


def check_stream(world: World) -> list[Finding]:
    """Judge whether the public stream is read, where it should be."""
    units = (world.host.units() or []) if world.host.has_systemd() else []
    enabled = any(unit.name == "mastowatch-stream.service" and unit.enabled for unit in units)
    return [
        judge_stream(world.readings.stream, world.settings.poll_public_timeline_interval, world.now, enabled=enabled)
    ]


def judge_stream(note: StreamNote | None, every_s: int, now: float, *, enabled: bool) -> Finding:
    """Judge the note of the process that reads it."""
    name = "stream"
    polled = f"the timeline is polled every {every_s} s" if every_s else "and the timeline is not polled either"
    if note is None and enabled:
        means = f"It is enabled, and nobody reads along; {polled}."
        return Finding(name, "warning", "not read", means, "systemctl restart mastowatch-stream")
    if note is None:
        return Finding(name, "ok", f"not in use; {polled}")
    if not note.connected:
        means = f"The server refuses to stream, or can't be reached; meanwhile {polled}."
        return Finding(name, "warning", "not connected", means, "journalctl -u mastowatch-stream -n 20 --no-pager")
    if note.lag_s is not None and note.lag_s > LAG_S:
        means = "Posts come in late: the server's streaming is behind, or its clock and ours are apart."
        return Finding(
            name, "warning", f"connected, {note.lag_s:.0f} s behind", means, "mastowatch doctor --check clock"
        )
    behind = f", {note.lag_s:.0f} s behind" if note.lag_s is not None else ""
    last = f", last post {_ago(now - note.post_at)}" if note.post_at else ""
    return Finding(name, "ok", f"connected{behind}{last}")


def _ago(seconds: float) -> str:
    for length, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{max(0.0, seconds):.0f} s ago"
