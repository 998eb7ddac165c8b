"""Breakers between a decision and a report: counted before, dropped past the limit, full when in doubt, re-armed."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from redis import Redis
from rq.job import Retry

from mastowatch.adapters.redis_quotas import RedisQuotas
from mastowatch.adapters.redis_rule_switches import RedisRuleSwitches
from mastowatch.domain.ruleset import RuleSet
from mastowatch.errors import MastodonUnreachable
from mastowatch.jobs import arming, tasks
from mastowatch.jobs.arming import Armed
from mastowatch.ports.types import EVERY_RULE
from tests.integration.test_tasks import Killed, Server, World, account, spam, spammer
from tests.redis_server import nowhere
from tests.rules import document

pytestmark = pytest.mark.redis
JUDGE = tasks.analyze_and_maybe_report


def rule(rule_id: str, weight: float, **changes):
    return document(id=rule_id, weight=weight, status={"words": ["airdrop"]}, **changes)


def rules(*documents) -> RuleSet:
    examples = {"match": [{"posts": ["airdrop"]}], "no_match": [{"posts": ["garden"]}]}
    return RuleSet.load([(f"{one['id']}.toml", {**one, "examples": examples}) for one in documents])


def guarded(redis, server, *documents, **settings) -> World:
    world = World(redis, server, **settings)
    world.context = replace(world.context, rules=rules(*documents))
    return world


def outcomes(world: World, ids) -> list[str]:
    return [world.run(JUDGE, one)["outcome"] for one in ids]


def test_past_its_limit_a_rule_drops_to_shadow_and_is_told_of_once(redis, caplog):
    server = Server()
    ids = [spammer(server, number) for number in range(1, 6)]
    world = guarded(redis, server, rule("airdrop", 6.0, limits={"reports_per_hour": 3}))
    with caplog.at_level(logging.INFO, "mastowatch"):
        assert outcomes(world, ids) == ["filed", "filed", "filed", "watched", "watched"]
    assert len(server.reports) == 3
    dropped = world.context.rule_switches.shadowed()["airdrop"]
    assert (dropped.by, dropped.why) == ("breaker", "3 reports within an hour, and another one was due")
    warnings = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert [(one.message, one.rule_id, one.to_go_on) for one in warnings] == [
        ("rule_dropped", "airdrop", "mastowatch rules arm airdrop")
    ]
    assert world.context.tally.read()["rules_dropped"] == 1
    assert world.context.cases.get("4").reasons[0].shadow


def test_the_other_rules_go_on_and_may_still_report(redis):
    server = Server()
    ids = [spammer(server, number) for number in range(1, 4)]
    heavy, light = rule("airdrop", 6.0, limits={"reports_per_day": 1}), rule("plain", 5.0)
    assert outcomes(guarded(redis, server, heavy, light), ids) == ["filed"] * 3
    assert "airdrop" in server.reports[0].comment
    assert "[airdrop]" not in server.reports[1].comment


def test_the_limits_of_the_settings_hold_for_a_rule_that_names_none(redis):
    server = Server()
    ids = [spammer(server, number) for number in range(1, 4)]
    world = guarded(redis, server, rule("airdrop", 6.0), rule_reports_per_day=2)
    assert outcomes(world, ids) == ["filed", "filed", "watched"]


def test_windows_slide(redis):
    server = Server()
    ids = [spammer(server, number) for number in range(1, 4)]
    world = guarded(redis, server, rule("airdrop", 6.0, limits={"reports_per_hour": 2}))
    world.run(JUDGE, ids[0])
    world.now += 1800
    world.run(JUDGE, ids[1])
    world.now += 1801
    assert world.run(JUDGE, ids[2])["outcome"] == "filed"


def test_past_the_limit_of_all_rules_reporting_pauses_and_what_is_held_comes_back(redis, caplog):
    server = Server()
    ids = [spammer(server, number) for number in range(1, 6)]
    world = guarded(redis, server, rule("airdrop", 6.0), reports_per_hour=2)
    with caplog.at_level(logging.WARNING, "mastowatch"):
        assert outcomes(world, ids) == ["filed", "filed", "held", "held", "held"]
    assert [one.message for one in caplog.records] == ["reporting_paused"]
    assert "all reporting is paused: 2 reports" in world.context.cases.get("4").why
    assert world.context.rule_switches.shadowed() == {}, "no rule is at fault"
    assert tuple(world.context.held.waiting(EVERY_RULE)) == ("3", "4", "5")
    assert world.context.tally.read()["reports_held"] == 3
    world.now += 90_000
    assert outcomes(world, ["3"]) == ["held"], "only a person ends it"
    assert arming.arm(world.context, "all", "alice") == Armed((EVERY_RULE,), 3)
    assert world.queued() == {"3", "4", "5"}
    assert outcomes(world, ["3", "4"]) == ["filed", "filed"]
    assert outcomes(world, ["5"]) == ["held"]


def test_a_dropped_rule_that_is_rearmed_reports_what_it_was_kept_from(redis):
    server = Server()
    ids = [spammer(server, number) for number in range(1, 4)]
    world = guarded(redis, server, rule("airdrop", 6.0, limits={"reports_per_hour": 1}))
    assert outcomes(world, ids) == ["filed", "watched", "watched"]
    # The second tripped it; the third was judged when it was in shadow already, and is not forgotten either.
    assert arming.arm(world.context, "airdrop", "alice").queued == 2
    assert world.queued() == {"2", "3"}
    assert outcomes(world, ["2"]) == ["filed"], "its counters began anew"
    audit = [one for one in world.context.audit.recent(99) if one.event in ("dropped", "rearmed")]
    assert [(one.event, list(one.rules)) for one in audit] == [("rearmed", ["airdrop"]), ("dropped", ["airdrop"])]


@pytest.mark.parametrize(("light", "held"), [(2.0, ("1",)), (0.5, ())])
def test_only_what_the_dropped_rule_would_have_had_reported_is_held(redis, light, held):
    server = Server()
    world = guarded(redis, server, rule("heavy", 4.0), rule("light", light))
    world.context.rule_switches.drop("heavy", "why", "precision", 1.0)
    outcomes(world, [spammer(server)])
    assert tuple(world.context.held.waiting("heavy")) == held
    assert tuple(world.context.held.waiting("light")) == ()
    assert ("dropped to shadow: heavy" in world.context.cases.get("1").why) is bool(held)


def test_arming_what_is_not_dropped_changes_nothing(redis):
    world = guarded(redis, Server(), rule("airdrop", 6.0))
    assert arming.arm(world.context, "airdrop", "alice") == Armed((), 0)
    assert arming.arm(world.context, "all", "alice") == Armed((), 0)


def test_a_death_while_arming_loses_no_account(redis):
    server = Server()
    ids = [spammer(server, number) for number in range(1, 4)]
    world = guarded(redis, server, rule("airdrop", 6.0), reports_per_hour=1)
    outcomes(world, ids)
    queue = world.context.jobs.analyze_again

    class Dies:
        def analyze_again(self, account_id):
            if account_id == "3":
                raise Killed
            return queue(account_id)

    with pytest.raises(Killed):
        arming.arm(replace(world.context, jobs=Dies()), "all", "alice")
    assert arming.arm(world.context, "all", "alice") == Armed((), 1), "armed already, but one was still held"
    assert world.queued() == {"2", "3"}


def test_a_filing_that_is_tried_again_is_counted_once(redis):
    server = Server()
    one, two = spammer(server, 1), spammer(server, 2)
    world = guarded(redis, server, rule("airdrop", 6.0), reports_per_hour=2)
    for _ in range(3):
        server.fail = [None, None, MastodonUnreachable("no answer")]
        with pytest.raises(MastodonUnreachable):
            world.run(JUDGE, one)
        world.now += 60
    assert outcomes(world, [one, two]) == ["filed", "filed"]


def test_an_account_that_has_its_report_costs_no_quota_however_often_it_is_judged(redis):
    server = Server()
    ids = [spammer(server, number) for number in range(1, 4)]
    world = guarded(redis, server, rule("airdrop", 6.0), reports_per_day=3)
    for _ in range(5):
        world.run(JUDGE, ids[0])
        world.now += 30_000
    assert outcomes(world, ids) == ["filed"] * 3


class Uncounted:
    """Quotas that can't be counted."""

    def take(self, *_):
        with nowhere() as away:
            return RedisQuotas(away).take(*_)


def test_what_can_not_be_counted_is_full(redis):
    server = Server()
    one = spammer(server)
    world = guarded(redis, server, rule("airdrop", 6.0))
    counted = world.context
    world.context = replace(counted, quotas=Uncounted())
    result = world.run(JUDGE, one)
    assert isinstance(result, Retry)
    assert server.reports == []
    world.context = counted
    assert outcomes(world, [one]) == ["filed"]


def test_switches_that_can_not_be_read_keep_from_filing(redis):
    server = Server()
    one = spammer(server)
    world = guarded(redis, server, rule("airdrop", 6.0))
    world.context = replace(world.context, rule_switches=RedisRuleSwitches(Redis(port=1)))
    assert isinstance(world.run(JUDGE, one), Retry)
    assert server.reports == []


class DropsMeanwhile:
    """Quotas at whose counting another worker has just dropped the rule: after this one read which rules count."""

    def __init__(self, world: World) -> None:
        self.switches = world.context.rule_switches
        self.reads = 0

    def __getattr__(self, name):
        return getattr(self.switches, name)

    def shadowed(self):
        self.reads += 1
        if self.reads == 2:
            self.switches.drop("airdrop", "20 of 30 rejected", "precision", 1.0)
        return self.switches.shadowed()


def test_a_rule_dropped_between_verdict_and_filing_files_nothing(redis):
    server = Server()
    one = spammer(server)
    world = guarded(redis, server, rule("airdrop", 6.0))
    world.context = replace(world.context, rule_switches=DropsMeanwhile(world))
    assert outcomes(world, [one]) == ["watched"]
    assert server.reports == []
    assert tuple(world.context.held.waiting("airdrop")) == (one,)


def test_a_rule_that_is_dropped_and_rearmed_all_the_time_holds_no_worker(redis):
    server = Server()
    one = spammer(server)
    world = guarded(redis, server, rule("airdrop", 6.0))
    switches = world.context.rule_switches

    class Flickers(DropsMeanwhile):
        def shadowed(self):
            self.reads += 1
            self.switches.rearm("airdrop", 1.0)
            if self.reads % 2 == 0:
                self.switches.drop("airdrop", "why", "breaker", 1.0)
            return switches.shadowed()

    world.context = replace(world.context, rule_switches=Flickers(world))
    assert isinstance(world.run(JUDGE, one), Retry)
    assert server.reports == []


# --- who is never reported ---


def test_who_somebody_here_follows_is_never_reported(redis):
    server = Server()
    one, two, three = (spammer(server, number) for number in (1, 2, 3))
    server.followers = {one: ("x@y.example", "local"), two: ("x@y.example", "local@other.example")}
    world = guarded(redis, server, rule("airdrop", 6.0), exempt_followed_locally=True)
    assert outcomes(world, [one, two, three]) == ["exempt", "filed", "filed"]
    assert "somebody on this server follows it" in world.context.cases.get(one).why
    assert [report.account_id for report in server.reports] == [two, three]


def test_followers_are_asked_for_right_before_a_report_alone(redis):
    server = Server()
    one = spammer(server)
    asked = []
    server.followed_locally = lambda account_id: asked.append(account_id) or False
    world = guarded(redis, server, rule("airdrop", 4.0), exempt_followed_locally=True)
    assert outcomes(world, [one]) == ["watched"]
    assert asked == []
    world = guarded(redis, server, rule("airdrop", 6.0), exempt_followed_locally=True, dry_run=True)
    assert outcomes(world, [one]) == ["rehearsed"]
    assert asked == [one]


def test_without_the_setting_nobody_asks(redis):
    server = Server()
    one = spammer(server)
    server.followers = {one: ("local",)}
    assert outcomes(guarded(redis, server, rule("airdrop", 6.0), exempt_followed_locally=False), [one]) == ["filed"]


def test_our_bots_are_never_reported_and_others_are(redis):
    server = Server()
    ours, theirs = spammer(server, 1), spammer(server, 2)
    server.add(account(1, bot=True), account(2, bot=True))
    world = guarded(redis, server, rule("airdrop", 6.0), our_bots="a1@x.example")
    assert outcomes(world, [ours, theirs]) == ["exempt", "filed"]
    assert world.context.cases.get(ours).why == "OUR_BOTS lists it"


def test_while_stopped_nothing_is_filed_even_when_it_stops_at_the_last_moment(redis):
    server = Server()
    one = spammer(server)
    world = guarded(redis, server, rule("airdrop", 6.0))
    claims = world.context.claims

    class StopsThen:
        def __getattr__(self, name):
            return getattr(claims, name)

        def plan(self, *args):
            world.context.switches.set_panic_stop(on=True, by="alice", now=1.0)
            return claims.plan(*args)

    world.context = replace(world.context, claims=StopsThen())
    assert isinstance(world.run(JUDGE, one), Retry)
    assert server.reports == []


# --- the record ---


@pytest.mark.parametrize(
    ("weight", "settings", "outcome", "why"),
    [
        (6.0, {}, "filed", "reached the threshold for a report"),
        (4.0, {}, "watched", "below the threshold for a report"),
        (1.0, {}, "none", "below both thresholds"),
        (6.0, {"dry_run": True}, "rehearsed", "DRY_RUN"),
        (6.0, {"exempt_domains": "x.example"}, "exempt", "EXEMPT_DOMAINS"),
    ],
)
def test_every_decision_leaves_a_line_in_the_audit_and_in_the_journal(redis, caplog, weight, settings, outcome, why):
    server = Server()
    one = spammer(server)
    world = guarded(redis, server, rule("airdrop", weight), **settings)
    with caplog.at_level(logging.INFO, "mastowatch"):
        world.run(JUDGE, one)
    [entry] = world.context.audit.recent(9)
    assert (entry.event, entry.account_id, entry.acct, entry.outcome) == ("judged", one, "a1@x.example", outcome)
    assert (why in entry.why, dict(entry.rules)) == (True, {"airdrop": weight})
    [line] = [record for record in caplog.records if record.message == "account_judged"]
    assert (line.account_id, line.rules, line.score, line.levelno) == (one, ["airdrop"], weight, logging.INFO)
    assert why in line.why


def test_an_account_on_which_nothing_was_found_and_one_that_is_gone_leave_a_line_too(redis, caplog):
    server = Server(account(1))
    world = guarded(redis, server, rule("airdrop", 6.0))
    with caplog.at_level(logging.INFO, "mastowatch"):
        world.run(JUDGE, "1")
        world.run(JUDGE, "77")
    assert [one.outcome for one in world.context.audit.recent(9)] == ["gone", "none"]
    assert [one.outcome for one in caplog.records if one.message == "account_judged"] == ["none", "gone"]


def test_no_text_of_a_post_reaches_the_audit(redis):
    server = Server(account(1))
    html = "<p>airdrop CANARY-TEXT mail me at canary@mail.example</p>"
    server.post(replace(spam("1")[0], content_html=html))
    world = guarded(redis, server, rule("airdrop", 6.0))
    world.run(JUDGE, "1")
    [(_, fields)] = redis.xrange("mastowatch:audit")
    assert set(json.loads(fields[b"entry"])) <= {
        "at", "event", "outcome", "why", "account_id", "acct", "level", "score", "rules", "report_id"
    }  # fmt: skip
    assert b"CANARY" not in fields[b"entry"]
    assert b"canary@" not in fields[b"entry"]


def test_many_workers_at_once_file_no_more_than_the_limit_and_forget_nobody(redis):
    server = Server()
    ids = [spammer(server, number) for number in range(1, 41)]
    world = guarded(redis, server, rule("airdrop", 6.0), reports_per_hour=10, rule_reports_per_hour=99)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda one: world.run(JUDGE, one)["outcome"], ids))
    assert (found.count("filed"), found.count("held")) == (10, 30)
    assert len({report.account_id for report in server.reports}) == len(server.reports) == 10
    reported = {report.account_id for report in server.reports}
    assert set(world.context.held.waiting(EVERY_RULE)) == set(ids) - reported
    assert len([one for one in world.context.audit.recent(99) if one.event == "dropped"]) == 1
