"""What a report by somebody else leads to: a verdict in the account's case, and never a report of ours."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis
from rq.job import Retry

from mastowatch import metrics
from mastowatch.adapters import redis_store
from mastowatch.adapters.memory_mastodon import MemoryMastodon
from mastowatch.adapters.redis_audit import RedisAudit
from mastowatch.config.loading import load
from mastowatch.jobs import context as contexts
from mastowatch.jobs import tasks
from mastowatch.jobs.context import Context
from mastowatch.ports.types import Account, FiledReport, Status

pytestmark = pytest.mark.redis
RULES = contexts.load_rules(Path(__file__).parents[2] / "etc" / "rules.d")
NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
BOT, SPAMMER, QUIET = "900", "5", "6"


def account(number: str) -> Account:
    born = NOW - timedelta(days=1)
    return Account(number, f"a{number}@x.example", f"a{number}", "x.example", "", "", "", born, statuses=2)


def spam(account_id: str) -> tuple[Status, ...]:
    html = '<p>Claim your airdrop <a href="https://w.example/1">https://w.example/1</a></p>'
    return tuple(Status(f"{account_id}{n}", account_id, NOW, html, mentions=("b", "c")) for n in range(2))


def reported(report_id: str, by: str, target: str) -> FiledReport:
    return FiledReport(report_id, by, target, "", NOW, resolved=False)


@pytest.fixture
def server() -> MemoryMastodon:
    server = MemoryMastodon(account(BOT))
    server.add(account(SPAMMER), account(QUIET))
    server.post(*spam(SPAMMER))
    server.other_reports["70"] = reported("70", "33", SPAMMER)
    server.other_reports["71"] = reported("71", "33", QUIET)
    return server


@pytest.fixture
def context(redis: Redis, redis_server: str, server: MemoryMastodon, tmp_path: Path) -> Context:
    (tmp_path / "token").write_text("t")
    told = {"INSTANCE_BASE": "https://m.example", "DRY_RUN": "false", "ACCESS_TOKEN_FILE": str(tmp_path / "token")}
    made = contexts.build(load({**told, "REDIS_URL": redis_server}), redis, RULES)
    return replace(made, mastodon=server.for_purpose, clock=NOW.timestamp)


def annotate(context: Context, report_id: str):
    with contexts.use(context):
        return tasks.annotate_report(report_id)


def judge(context: Context, account_id: str):
    with contexts.use(context):
        return tasks.analyze_and_maybe_report(account_id)


def test_the_verdict_stands_in_the_case_and_in_the_audit_and_nothing_is_filed(context, server, redis):
    assert annotate(context, "70")["level"] == "report"
    assert server.reports == []
    assert redis_store.RedisClaims(redis).get(SPAMMER) is None
    case = context.cases.get(SPAMMER)
    assert (case.outcome, case.report_id) == ("watched", "")
    assert "report 70" in case.why
    (entry,) = RedisAudit(redis).recent(10)
    assert (entry.event, entry.account_id, entry.report_id, entry.score) == ("annotated", SPAMMER, "70", case.score)
    assert set(entry.rules) | set(entry.shadow_rules) == {reason.rule_id for reason in case.reasons}
    assert context.tally.read()[metrics.REPORTS_ANNOTATED] == 1


def test_that_nothing_was_found_is_told_as_well(context, server):
    assert annotate(context, "71")["level"] == "none"
    assert context.cases.get(QUIET).score == 0


def test_what_was_only_looked_at_is_still_reported_when_it_is_judged(context, server):
    annotate(context, "70")
    assert context.judged.fingerprints([SPAMMER]) == {}
    assert judge(context, SPAMMER)["outcome"] == "filed"
    assert len(server.reports) == 1


def test_a_case_keeps_the_report_that_the_bot_has_filed(context, server):
    judge(context, SPAMMER)
    before = context.cases.get(SPAMMER)
    annotate(context, "70")
    after = context.cases.get(SPAMMER)
    assert (after.outcome, after.report_id, after.marker, after.status_ids) == (
        before.outcome,
        before.report_id,
        before.marker,
        before.status_ids,
    )
    assert after.report_id
    assert len(server.reports) == 1


def test_the_bots_own_reports_and_reports_on_the_bot_are_left_alone(context, server):
    judge(context, SPAMMER)
    before = context.cases.get(SPAMMER)
    server.other_reports["72"] = reported("72", "33", BOT)
    assert annotate(context, "1")["outcome"] == "own"
    assert annotate(context, "72")["outcome"] == "own"
    assert context.cases.get(SPAMMER) == before
    assert context.cases.get(BOT) is None


def test_a_report_or_an_account_that_is_gone_is_no_error(context, server):
    assert annotate(context, "999")["outcome"] == "gone"
    server.other_reports["73"] = reported("73", "33", "404")
    assert annotate(context, "73")["outcome"] == "gone"


def test_it_waits_while_work_is_stopped_and_while_the_account_is_being_judged(context, server):
    context.switches.set_panic_stop(on=True, by="me", now=0.0)
    assert isinstance(annotate(context, "70"), Retry)
    assert server.requests == 0
    context.switches.set_panic_stop(on=False, by="me", now=0.0)
    context.locks.acquire(f"account:{SPAMMER}", "another", 60)
    assert isinstance(annotate(context, "70"), Retry)
