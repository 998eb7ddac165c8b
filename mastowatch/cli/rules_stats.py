"""``mastowatch rules stats``: what each rule has hit, and what moderators made of its reports."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mastowatch.cli.rules_common import moment, print_json, rules_in_force, share, with_secrets
from mastowatch.config import Loaded
from mastowatch.domain.rule import Rule
from mastowatch.jobs.context import View, connect, view
from mastowatch.ports.types import Dropped, RuleRecord

_HEAD = f"{'rule':<28} {'mode':<8}   hits shadow reports  kept rejected right  last hit"


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Print a line a rule, those with the most hits first."""
    rules = rules_in_force(loaded)
    if rules is None:
        return 1
    seen = view(loaded, connect(with_secrets(loaded)))
    records, dropped = seen.rule_stats.read(rule.id for rule in rules.rules), seen.rule_switches.shadowed()
    ordered = sorted(rules.rules, key=lambda rule: (-records[rule.id].hits - records[rule.id].shadow_hits, rule.id))
    if arguments.json:
        print_json(_document(ordered, records, dropped, seen))
        return 0
    print(_HEAD)
    for rule in ordered:
        print(_line(rule, records[rule.id], dropped.get(rule.id)))
    looks, posts = seen.posts.count()
    waiting = f"{seen.rule_stats.open_reports()} reports wait for a decision"
    print(f"{waiting}; {posts} posts of {looks} accounts are there to try rules on")
    for one in dropped.values():
        print(f"{one.rule_id} was dropped to shadow {moment(one.at)}: {one.why}")
    return 0


def facts(rule: Rule, record: RuleRecord, dropped: Dropped | None) -> dict[str, Any]:
    """Return what is known of a rule's work, for other programs."""
    return {
        "rule_id": rule.id,
        "mode": rule.mode,
        "dropped": asdict(dropped) if dropped else None,
        "hits": record.hits,
        "shadow_hits": record.shadow_hits,
        "reports": record.reports,
        "kept": record.kept,
        "rejected": record.rejected,
        "precision": record.precision,
        "last_hit_at": record.last_hit_at or None,
    }


def _document(
    rules: list[Rule], records: Mapping[str, RuleRecord], dropped: Mapping[str, Dropped], seen: View
) -> dict[str, Any]:
    looks, posts = seen.posts.count()
    return {
        "rules": [facts(rule, records[rule.id], dropped.get(rule.id)) for rule in rules],
        "open_reports": seen.rule_stats.open_reports(),
        "recent_accounts": looks,
        "recent_posts": posts,
    }


def _line(rule: Rule, record: RuleRecord, dropped: Dropped | None) -> str:
    mode = "dropped" if dropped else rule.mode
    counts = f"{record.hits:>6} {record.shadow_hits:>6} {record.reports:>7} {record.kept:>5} {record.rejected:>8}"
    last = moment(record.last_hit_at) if record.last_hit_at else "never"
    return f"{rule.id:<28} {mode:<8} {counts} {share(record.precision):>5}  {last}"
