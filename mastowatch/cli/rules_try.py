"""``mastowatch rules try FILE --since 7d``: whom a rule would report, tried on the accounts judged of late."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from mastowatch.cli.rules_common import moment, print_json, tell_faults, with_secrets
from mastowatch.cli.tables import plain
from mastowatch.config import Loaded, Settings
from mastowatch.domain import reading
from mastowatch.domain.composites import with_parts
from mastowatch.domain.policy import decide
from mastowatch.domain.rule import Rule, examine
from mastowatch.domain.ruleset import RuleSet, parse_all
from mastowatch.domain.verdict import Verdict
from mastowatch.errors import RuleError, RuleErrors
from mastowatch.jobs.backtest import Backtest, Judge, Sample, Trial
from mastowatch.jobs.context import connect, fresh_campaigns, read_rule_document, read_rule_documents, view
from mastowatch.ports.types import Account


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Print what the rule would do; 1 if it or its examples have a fault, which are told as well."""
    try:
        since = reading.duration(reading.Reader("command line", "", {}), "--since", arguments.since)
        rule, in_force, failed = _rules(loaded, arguments)
    except RuleError as error:
        tell_faults([error])
        return 1
    except RuleErrors as errors:
        tell_faults(errors.faults)
        return 1
    seen = view(loaded, connect(with_secrets(loaded)))
    shadowed = tuple(one for one in seen.rule_switches.shadowed() if one != rule.id)
    others = [one for one in in_force if one.id != rule.id]
    tried = _as_if_it_reported(rule, others)
    trial = Trial(
        rule.id,
        _judge(loaded.settings, in_force, shadowed),
        _judge(loaded.settings, [*others, tried], shadowed),
        _judge(loaded.settings, with_parts(tried, {one.id: one for one in others}), shadowed),
        _spares(loaded.settings),
        time.process_time,  # what else the machine does is no cost of the rule
    )
    found = trial.run(seen.posts.since(time.time() - since.total_seconds()))
    tell_faults(failed)
    if arguments.json:
        print_json(_document(rule, found))
    else:
        for line in _lines(rule, tried, found, arguments.since):
            print(line)
    return 1 if failed else 0


def _rules(loaded: Loaded, arguments: argparse.Namespace) -> tuple[Rule, list[Rule], list[object]]:
    """Return the rule to try, those in force, and which of its examples fail; raises RuleErrors."""
    documents, lists, unread = read_rule_documents(loaded.settings.rules_dir)
    file, document = read_rule_document(arguments.file)
    rule, faults = examine(file, document, lists)
    in_force, wrong = parse_all([one for one in documents if one[1].get("id") != document.get("id")], lists)
    replaced, _ = parse_all([one for one in documents if one[1].get("id") == document.get("id")], lists)
    if rule is None or unread or wrong:
        raise RuleErrors("the rules can't be used", [*faults, *unread, *wrong])
    compiled = RuleSet.compile([*in_force, rule])
    failed = [one.as_error() for one in compiled.check_examples() if one.rule is rule]
    return rule, [*in_force, *replaced], list(failed)


def _as_if_it_reported(rule: Rule, others: list[Rule]) -> Rule:
    """Return the rule as it is to be tried: one that looks at rules in shadow sees them only from the shadow."""
    in_shadow = {one.id for one in others if one.mode == "shadow"}
    return replace(rule, mode="shadow" if in_shadow.intersection(rule.parts) else "report")


def _judge(settings: Settings, rules: list[Rule], shadowed: tuple[str, ...]) -> Judge:
    thresholds = settings.watch_threshold, settings.report_threshold
    return Judge(RuleSet(rules), fresh_campaigns(), *thresholds, shadowed)


def _spares(settings: Settings) -> Callable[[Account, Verdict], bool]:
    def spares(account: Account, verdict: Verdict) -> bool:
        decision = decide(
            replace(verdict, level="report"),
            account,
            me_id="",
            exempt_accounts=settings.exempt_accounts,
            exempt_domains=settings.exempt_domains,
            our_bots=settings.our_bots,
            dry_run=False,
        )
        return decision.action != "report"

    return spares


def _document(rule: Rule, found: Backtest) -> dict[str, Any]:
    return {
        "rule_id": rule.id,
        "mode": rule.mode,
        "accounts": found.accounts,
        "posts": found.posts,
        "oldest_at": found.oldest_at,
        "hits": found.hits,
        "exempt": found.exempt,
        "reported_before": found.reported_before,
        "reported_after": found.reported_after,
        "newly_reported": found.newly_reported,
        "no_longer_reported": found.no_longer_reported,
        "newly_watched": found.newly_watched,
        "us_a_text": {
            "alone": found.cost_alone.us_a_text,
            "before": found.cost_before.us_a_text,
            "after": found.cost_after.us_a_text,
        },
        "samples": found.samples,
    }


def _lines(rule: Rule, tried: Rule, found: Backtest, since: str) -> Iterator[str]:
    if not found.accounts or found.oldest_at is None:
        yield f"No account was judged in the last {since}, so there is nothing to try {rule.id} on."
        return
    if tried.mode != "report":
        yield f"{rule.id} looks at rules in shadow, so it is tried there too: it hits and reports nobody."
    elif rule.mode != "report":
        yield f"{rule.id} is {'in shadow' if rule.mode == 'shadow' else 'off'}; tried as if it reported."
    yield f"{found.accounts} accounts with {found.posts} posts, the oldest of {moment(found.oldest_at)}"
    yield f"{rule.id} hits {found.hits} of them ({found.hits / found.accounts:.1%})"
    yield f"reported: {found.reported_before} without this change, {found.reported_after} with it"
    changes = (
        f"{found.newly_reported} more are reported, {found.no_longer_reported} no longer, {found.newly_watched} more"
    )
    yield f"so {changes} are watched; {found.exempt} are exempt"
    costs = found.cost_alone, found.cost_before, found.cost_after
    alone, before, after = (f"{one.us_a_text:.1f}" for one in costs)
    yield f"a text takes {alone} µs with this rule alone, {before} µs with all without it, {after} µs with all"
    for sample in found.samples:
        yield ""
        yield f"  {plain(sample.acct)}  {_change(sample)}  {moment(sample.at)}  {plain(sample.url)}"
        yield f"    {sample.evidence or 'no longer hit'}"


def _change(sample: Sample) -> str:
    level = sample.after if sample.before == sample.after else f"{sample.before} -> {sample.after}"
    return f"{level}, exempt" if sample.exempt else level
