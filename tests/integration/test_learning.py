"""What judgements teach, and what moderators decided, over a real redis-server and the Mastodon in memory."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from mastowatch.errors import BudgetExhausted
from mastowatch.jobs import outcomes, tasks
from tests.rules import document
from tests.world import START, World, account, post

pytestmark = pytest.mark.redis
MINUTE, DAY = 60, 86_400
RULE = document(limits={"precision_after": 2, "precision_min": 0.6})


@pytest.fixture
def world(redis):
    return World(redis, [RULE, document(id="trial", mode="shadow")])


def report(world: World, *numbers: int) -> None:
    """Have accounts judged that the rule reports."""
    for number in numbers:
        world.server.add(account(str(number)))
        world.server.post(post(str(number), "casino"))
        assert world.run(tasks.analyze_and_maybe_report, str(number))["outcome"] == "filed"


def read(world: World, *, after_s: float = 10 * MINUTE):
    world.now += after_s
    return world.run(tasks.read_report_outcomes)


def of(world: World, rule_id: str = "one"):
    return world.context.rule_stats.read([rule_id])[rule_id]


def suspend(world: World, number: int) -> None:
    world.server.add(account(str(number), suspended=True))


def test_a_judged_account_is_kept_with_its_posts_and_what_hit_it(world):
    report(world, 1)
    (look,) = world.context.posts.since(0)
    assert (look.account.id, [one.id for one in look.statuses], look.at) == ("1", ["11"], START)
    assert (of(world).hits, of(world).reports, of(world).last_hit_at) == (1, 1, START)
    assert (of(world, "trial").hits, of(world, "trial").shadow_hits, of(world, "trial").reports) == (0, 1, 0)


def test_an_account_that_nothing_hit_is_kept_too_and_judging_again_counts_nothing_twice(world):
    world.server.add(account("1"))
    world.server.post(post("1", "a garden"))
    world.run(tasks.analyze_and_maybe_report, "1")
    assert world.context.posts.count() == (1, 1)
    report(world, 2)
    world.run(tasks.analyze_and_maybe_report, "2")
    assert (of(world).hits, of(world).reports) == (1, 1)


def test_a_rehearsal_counts_hits_and_no_reports(redis):
    world = World(redis, [RULE], dry_run=True)
    world.server.add(account("1"))
    world.server.post(post("1", "casino"))
    world.run(tasks.analyze_and_maybe_report, "1")
    assert (of(world).hits, of(world).reports) == (1, 0)


def test_a_report_is_kept_when_its_account_was_acted_on_and_rejected_when_it_was_closed_without(world):
    report(world, 1, 2, 3)
    assert read(world)["looked_at"] == 3
    assert (of(world).kept, of(world).rejected) == (0, 0), "all are open"
    world.server.resolve("1")
    suspend(world, 1)
    world.server.resolve("2")
    result = read(world)
    assert (result["kept"], result["rejected"]) == (1, 1)
    assert (of(world).kept, of(world).rejected, of(world).precision) == (1, 1, 0.5)
    assert of(world, "trial").precision is None, "a rule in shadow has reported nobody"
    assert world.context.rule_stats.open_reports() == 1
    assert world.context.tally.read()["reports_kept"] == 1


def test_what_was_in_force_before_the_report_says_nothing_about_it(world):
    """All accounts of a limited server are limited from the start."""
    for number in (1, 2, 3):
        world.server.add(account(str(number), silenced=True))
        world.server.post(post(str(number), "casino"))
        world.run(tasks.analyze_and_maybe_report, str(number))
        world.server.resolve(str(number))
    world.server.add(account("2", silenced=True, suspended=True))
    del world.server.posts["31"]
    result = read(world)
    assert (result["kept"], result["rejected"]) == (2, 0)
    assert world.context.rule_stats.open_reports() == 0


def test_a_report_whose_post_was_deleted_is_kept(world):
    report(world, 1)
    world.server.resolve("1")
    del world.server.posts["11"]
    assert read(world)["kept"] == 1


def test_a_report_that_went_with_its_account_is_kept_and_one_that_just_went_counts_for_nothing(world):
    report(world, 1, 2)
    known = world.server.report
    world.server.report = lambda report_id: known("99")
    del world.server.accounts["1"]
    result = read(world)
    assert (result["kept"], result["rejected"]) == (1, 0)
    assert world.context.rule_stats.open_reports() == 0


def test_an_open_report_is_looked_at_ever_less_often_and_given_up_in_the_end(world):
    report(world, 1)
    looks = sum(read(world)["looked_at"] for _ in range(6 * 24 * 10))
    assert 10 < looks < 40, f"{looks} in 10 days"
    for _ in range(90):
        read(world, after_s=DAY)
    assert world.context.rule_stats.open_reports() == 0
    assert (of(world).kept, of(world).rejected) == (0, 0)


def test_without_budget_the_next_run_goes_on(world):
    report(world, 1, 2)
    world.server.resolve("1")
    world.server.resolve("2")
    known, asked = world.server.report, []

    def once(report_id):
        asked.append(report_id)
        if len(asked) == 2:
            raise BudgetExhausted("none left", world.now + 60)
        return known(report_id)

    world.server.report = once
    first = read(world)
    assert (first["looked_at"], first["ended"]) == (1, "no budget: none left")
    assert read(world)["rejected"] == 1
    assert of(world).rejected == 2


def test_an_imprecise_rule_drops_to_shadow_once_and_loudly(world, caplog):
    report(world, 1, 2)
    world.server.resolve("1")
    world.server.resolve("2")
    suspend(world, 2)
    with caplog.at_level(logging.WARNING):
        assert read(world)["dropped"] == 1
    dropped = world.context.rule_switches.shadowed()["one"]
    assert dropped.by == "precision"
    assert dropped.why == "moderators kept 1 of its 2 decided reports: 50%, and at least 60% are asked for"
    assert [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING] == ["rule_dropped"]
    assert [(one.event, list(one.rules)) for one in world.context.audit.recent(1)] == [("dropped", ["one"])]
    assert read(world)["dropped"] == 0


def test_a_rule_that_is_right_often_enough_or_has_too_few_decisions_stays(world):
    report(world, 1)
    world.server.resolve("1")
    assert read(world)["rejected"] == 1
    assert world.context.rule_switches.shadowed() == {}, "one decision is too few"
    report(world, 2, 3, 4)
    for number in (2, 3, 4):
        world.server.resolve(str(number))
        suspend(world, number)
    assert read(world)["kept"] == 3
    assert world.context.rule_switches.shadowed() == {}


def test_a_death_between_decision_and_drop_is_made_good(world, monkeypatch):
    report(world, 1, 2)
    world.server.resolve("1")
    world.server.resolve("2")
    monkeypatch.setattr(outcomes.guarding, "drop", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        read(world)
    monkeypatch.undo()
    assert read(world)["dropped"] == 1
    assert of(world).rejected == 2


def test_a_rearmed_rule_begins_anew(world):
    report(world, 1, 2, 3)
    for number in ("1", "2"):
        world.server.resolve(number)
    read(world)
    world.now += MINUTE
    assert world.context.rule_switches.rearm("one", world.now)
    world.server.resolve("3")
    assert read(world, after_s=DAY)["rejected"] == 1, "filed before: it says nothing of the mended rule"
    assert world.context.rule_switches.shadowed() == {}
    report(world, 4, 5)
    world.server.resolve("4")
    assert read(world)["dropped"] == 0, "one decision since is too few"
    world.server.resolve("5")
    assert read(world)["dropped"] == 1


def test_nothing_is_asked_while_stopped(world):
    report(world, 1)
    world.server.resolve("1")
    world.context.switches.set_panic_stop(on=True, by="me", now=START)
    before = world.server.requests
    assert "panic stop" in read(world)["ended"]
    assert world.server.requests == before


def test_looks_are_bounded_in_each_run(world, monkeypatch):
    monkeypatch.setattr(outcomes, "LOOKS_MAX", 2)
    report(world, 1, 2, 3)
    assert read(world)["looked_at"] == 2
    assert read(world, after_s=1)["looked_at"] == 1


def test_private_posts_reach_no_store(world):
    world.server.add(account("1"))
    secret = post("1", "casino canary-7153", visibility="private")
    world.server.account_statuses = lambda _: (secret, replace(secret, id="12", visibility="unlisted"))
    world.run(tasks.analyze_and_maybe_report, "1")
    (look,) = world.context.posts.since(0)
    assert [one.id for one in look.statuses] == ["12"]
