"""``mastowatch rules explain ID``: what a rule asks for in plain words, what it has done, and whether it counts."""

from __future__ import annotations

import argparse
import difflib
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

from mastowatch.cli import rules_stats
from mastowatch.cli.rules_common import moment, print_json, rules_in_force, share, with_secrets
from mastowatch.config import Loaded, Settings
from mastowatch.domain import wording
from mastowatch.domain.rule import Rule
from mastowatch.errors import StoreUnavailable
from mastowatch.jobs.context import connect, view
from mastowatch.ports.types import Dropped, RuleRecord

_WIDTH = 76


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Print it. With Redis away it tells all but what the rule has done."""
    rules = rules_in_force(loaded)
    if rules is None:
        return 1
    rule = next((one for one in rules.rules if one.id == arguments.id), None)
    if rule is None:
        close = difflib.get_close_matches(arguments.id, [one.id for one in rules.rules], n=1)
        hint = f"did you mean {close[0]}?" if close else "`mastowatch rules check` lists all"
        print(f"mastowatch: there is no rule {arguments.id!r}; {hint}", file=sys.stderr)
        return 1
    try:
        seen = view(loaded, connect(with_secrets(loaded)))
        record, dropped = seen.rule_stats.read([rule.id])[rule.id], seen.rule_switches.shadowed().get(rule.id)
    except StoreUnavailable as error:
        print(f"mastowatch: {error}; what the rule has done is not known now", file=sys.stderr)
        record, dropped = None, None
    if arguments.json:
        print_json(_document(rule, record, dropped))
    else:
        for line in _lines(rule, record, dropped, loaded.settings):
            print(line)
    return 0


def _document(rule: Rule, record: RuleRecord | None, dropped: Dropped | None) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": rule.name,
        "description": rule.description,
        "file": rule.file,
        "mode": rule.mode,
        "weight": rule.weight,
        "category": rule.category,
        "action": rule.action,
        "conditions": [
            {"key": one.key, "value": one.value, "text": one.text, "spares": one.key.startswith("not.")}
            for section in wording.sections(rule)
            for one in section.said
        ],
        "limits": rule.limits,
        "examples": {"match": len(rule.match), "no_match": len(rule.no_match)},
        "stats": rules_stats.facts(rule, record, dropped) if record else None,
    }


def _lines(rule: Rule, record: RuleRecord | None, dropped: Dropped | None, settings: Settings) -> Iterator[str]:
    yield f"{rule.id}: {rule.name}"
    yield from textwrap.wrap(rule.description, _WIDTH)
    yield ""
    yield f"  mode      {_mode(rule, dropped)}"
    thresholds = f"watched from {settings.watch_threshold:g}, reported from {settings.report_threshold:g}"
    yield f"  weight    {rule.weight:g} (an account is {thresholds})"
    yield f"  report    as {rule.category}{', also to its own server' if rule.forward else ''}{_action(rule)}"
    yield f"  limits    {_limits(rule, settings)}"
    yield f"  file      {rule.file}, {len(rule.match)} examples that match and {len(rule.no_match)} that must not"
    yield ""
    for section in wording.sections(rule):
        yield section.title
        yield from (f"  {one.text:<{_WIDTH - 2}} [{one.key}]" for one in section.said)
    yield ""
    yield from _done(record)


def _mode(rule: Rule, dropped: Dropped | None) -> str:
    if dropped is None:
        return {"shadow": "shadow: it counts apart and reports nobody", "off": "off"}.get(rule.mode, rule.mode)
    return f"{rule.mode}, but dropped to shadow {moment(dropped.at)}: {dropped.why}"


def _action(rule: Rule) -> str:
    if rule.action == "report" or rule.expires is None:
        return ""
    return f"; and {rule.action} for {wording.span(rule.expires)}, where ALLOW_ENFORCEMENT is on"


def _limits(rule: Rule, settings: Settings) -> str:
    limits = rule.limits
    hour = limits.reports_per_hour or settings.rule_reports_per_hour
    day = limits.reports_per_day or settings.rule_reports_per_day
    kept = f"{limits.precision_min:.0%} of {limits.precision_after} or more decided ones must be kept"
    return f"{hour} reports an hour, {day} a day; {kept}"


def _done(record: RuleRecord | None) -> Iterator[str]:
    if record is None:
        return
    hits = f"{wording.count(record.hits, 'account')} hit, {record.shadow_hits} in shadow"
    decided = f"{record.kept} kept and {record.rejected} rejected by moderators"
    right = f" ({share(record.precision)} right)" if record.precision is not None else ""
    yield f"So far: {hits}; {wording.count(record.reports, 'report')}, {decided}{right}."
    yield f"Last hit: {moment(record.last_hit_at) if record.last_hit_at else 'never'}."
