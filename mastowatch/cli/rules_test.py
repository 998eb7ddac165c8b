"""``mastowatch rules test --account ACCT``: what every rule makes of an account, and why or why not.

Changes nothing: no claim, no case, no campaign that the account would be counted in.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from mastowatch.cli.rules_common import print_json, rules_in_force, with_secrets
from mastowatch.cli.tables import plain
from mastowatch.config import Loaded
from mastowatch.domain.explaining import Condition, Explainer, Trace
from mastowatch.domain.facts_told import age
from mastowatch.domain.verdict import Verdict
from mastowatch.domain.wording import count
from mastowatch.errors import MastodonNotFound
from mastowatch.jobs.context import Context, build, connect
from mastowatch.ports.types import Account, Status


def run(loaded: Loaded, arguments: argparse.Namespace) -> int:
    """Fetch the account and its posts with the bot's token, within the budget, and print a line a condition."""
    rules = rules_in_force(loaded)
    if rules is None:
        return 1
    loaded = with_secrets(loaded)
    context = build(loaded, connect(loaded), rules)
    if arguments.rule and arguments.rule not in {rule.id for rule in rules.rules if rule.mode != "off"}:
        print(f"mastowatch: there is no rule {arguments.rule!r} that is in force", file=sys.stderr)
        return 1
    try:
        account, statuses = _fetch(context, arguments.account.removeprefix("acct:").lstrip("@"))
    except MastodonNotFound as error:
        print(f"mastowatch: {arguments.account}: {error}; write it as name or name@its.server", file=sys.stderr)
        return 1
    verdict, traces = _explain(context, account, statuses)
    shown = [trace for trace in traces if arguments.rule in (None, trace.rule_id)]
    if arguments.json:
        print_json(_document(account, statuses, verdict, shown))
    else:
        for line in _lines(context, account, statuses, verdict, shown):
            print(line)
    return 0


def _fetch(context: Context, acct: str) -> tuple[Account, tuple[Status, ...]]:
    mastodon = context.mastodon("judge")
    account = mastodon.account(mastodon.account_id(acct))
    return account, mastodon.account_statuses(account.id) if account.statuses else ()


def _explain(context: Context, account: Account, statuses: tuple[Status, ...]) -> tuple[Verdict, list[Trace]]:
    now = datetime.fromtimestamp(context.clock(), UTC)
    campaigns = context.campaigns.seen(context.rules.sightings(account, statuses, now), now.timestamp())
    shadowed = tuple(context.rule_switches.shadowed())
    verdict = context.rules.judge(
        account,
        statuses,
        now,
        watch_at=context.settings.watch_threshold,
        report_at=context.settings.report_threshold,
        campaigns=campaigns,
        shadowed=shadowed,
    )
    explainer = Explainer(context.rules)
    return verdict, explainer.explain(account, statuses, now, verdict, campaigns=campaigns, shadowed=shadowed)


def _document(account: Account, statuses: tuple[Status, ...], verdict: Verdict, traces: list[Trace]) -> dict[str, Any]:
    return {
        "account_id": account.id,
        "acct": account.acct,
        "posts": len(statuses),
        "level": verdict.level,
        "score": verdict.score,
        "shadow_score": verdict.shadow_score,
        "rules": traces,
    }


def _lines(
    context: Context, account: Account, statuses: tuple[Status, ...], verdict: Verdict, traces: list[Trace]
) -> Iterator[str]:
    old = age(datetime.fromtimestamp(context.clock(), UTC) - account.created_at)
    figures = f"{old} old, {count(account.followers, 'follower')}, {count(account.statuses, 'post')}"
    yield f"{plain(account.acct)} (account {account.id}): {figures}; the newest {len(statuses)} were looked at"
    for trace in traces:
        yield ""
        name = f"{trace.rule_id} ({trace.rule_name}), {trace.mode}, weight {trace.weight:g}"
        yield f"{'HIT ' if trace.hit else 'no  '} {name}"
        if trace.hit:
            yield f"     {trace.evidence}"
        for one in trace.conditions:
            yield f"     {'+' if one.met else '-'} {_told(one)}"
    yield ""
    shadow = f", {verdict.shadow_score:g} in shadow" if verdict.shadow_score else ""
    yield f"Score {verdict.score:g}{shadow}: {_verdict(context, account, verdict)}"


def _told(one: Condition) -> str:
    spared = "not: " if one.spares else ""
    found = f"; {count(one.posts, 'post')}" if one.posts is not None else ""
    return f"{spared}{one.text} [{one.key}]: {one.found}{found}"


def _verdict(context: Context, account: Account, verdict: Verdict) -> str:
    settings = context.settings
    if verdict.level == "report" and account.staff:
        return f"it would be reported (from {settings.report_threshold:g}), but it belongs to the staff"
    told = {"none": "nothing follows", "watch": "it is shown as watched", "report": "it is reported"}[verdict.level]
    return f"{told} (watched from {settings.watch_threshold:g}, reported from {settings.report_threshold:g})"
