"""Measures beside a report: only where they are allowed, once a report, undone exactly once, over every death."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rq.job import Retry

from mastowatch.adapters.memory_mastodon import MemoryMastodon
from mastowatch.errors import BudgetExhausted, MastodonAuthError, MastodonNotFound, MastodonUnreachable
from mastowatch.jobs import tasks
from mastowatch.ports.types import FiledReport
from tests.integration.test_breakers import guarded, rule, rules
from tests.integration.test_tasks import START, Killed, Server, World, account, spammer

pytestmark = pytest.mark.redis
DAY = 86_400
SILENCE = rule("airdrop", 6.0, action="silence", expires="7d")


def enforced(redis, server, *documents, **settings) -> World:
    world = guarded(redis, server, *(documents or (SILENCE,)), **{"allow_enforcement": True, **settings})
    server.clock = lambda: datetime.fromtimestamp(world.now, UTC)
    return world


def judge(world: World, account_id: str):
    return world.run(tasks.analyze_and_maybe_report, account_id)


def undo(world: World):
    return world.run(tasks.undo_expired_actions)


def judge_while_no_measure_arrives(world: World, server: Server) -> None:
    """Have the account reported, and the measure beside it begun and not taken."""
    take = server.take_measure

    def away(*_):
        raise MastodonUnreachable("no answer")

    server.take_measure = away
    with pytest.raises(MastodonUnreachable):
        judge(world, "1")
    server.take_measure = take


@pytest.fixture
def server() -> Server:
    found = Server()
    spammer(found, 1)
    return found


@pytest.mark.parametrize(
    ("measure", "state"), [("sensitive", "sensitized"), ("silence", "silenced"), ("suspend", "suspended")]
)
def test_the_measure_is_taken_beside_the_report_and_undone_when_it_expires(redis, server, measure, state):
    world = enforced(redis, server, rule("airdrop", 6.0, action=measure, expires="7d"))
    assert judge(world, "1")["outcome"] == "filed"
    assert getattr(server.accounts["1"], state)
    assert "No action was taken" not in server.reports[0].comment
    assert "by MastoWatch for 7 days" in server.reports[0].comment
    assert not server.report("1").resolved, "a person is to look at it"
    world.now += 7 * DAY - 1
    undo(world)
    assert server.measures == [("1", measure)]
    world.now += 1
    assert undo(world) == {"settled": 1}
    assert server.measures == [("1", measure), ("1", f"un{measure}")]
    assert not getattr(server.accounts["1"], state)
    assert undo(world) == {"settled": 0}
    assert [one.event for one in world.context.audit.recent(9)] == ["undone", "enforced", "judged"]
    assert world.context.tally.read() | {"actions_taken": 1, "actions_undone": 1} == world.context.tally.read()


@pytest.mark.parametrize(
    ("documents", "settings"),
    [
        ((SILENCE,), {"allow_enforcement": False}),
        ((rule("airdrop", 6.0),), {}),
        ((rule("airdrop", 4.0, action="silence", expires="7d"),), {}),
        ((SILENCE,), {"dry_run": True}),
        ((SILENCE,), {"exempt_domains": "x.example"}),
        ((SILENCE,), {"our_bots": "a1@x.example"}),
        ((rule("airdrop", 6.0), rule("zz", 1.0, mode="shadow", action="suspend", expires="7d")), {}),
    ],
    ids=["not allowed", "not asked for", "no report", "dry run", "exempt", "our bot", "rule in shadow"],
)
def test_nothing_is_done_to_anybody_without_leave(redis, server, documents, settings):
    world = enforced(redis, server, *documents, **settings)
    judge(world, "1")
    assert server.measures == []
    assert all("by MastoWatch for" not in report.comment for report in server.reports)


def test_while_reporting_is_paused_or_the_rule_dropped_nothing_is_done(redis, server):
    world = enforced(redis, server)
    world.context.rule_switches.drop("*", "why", "breaker", START)
    assert judge(world, "1")["outcome"] == "held"
    world.context.rule_switches.rearm("*", START)
    world.context.rule_switches.drop("airdrop", "why", "breaker", START)
    assert judge(world, "1")["outcome"] == "watched"
    assert server.measures == []


def test_while_stopped_nothing_is_done_and_nothing_is_undone(redis, server):
    world = enforced(redis, server)
    judge(world, "1")
    world.now += 8 * DAY
    world.context.switches.set_panic_stop(on=True, by="alice", now=START)
    assert "panic stop" in undo(world)["ended"]
    world.context.switches.set_panic_stop(on=False, by="alice", now=START)
    world.context = replace(world.context, settings=world.context.settings.model_copy(update={"dry_run": True}))
    assert undo(world) == {"settled": 0}
    assert server.measures == [("1", "silence")]


def test_what_was_done_is_undone_also_when_enforcement_was_turned_off_since(redis, server):
    world = enforced(redis, server)
    judge(world, "1")
    off = world.context.settings.model_copy(update={"allow_enforcement": False})
    world.context = replace(world.context, settings=off)
    world.now += 8 * DAY
    undo(world)
    assert server.measures == [("1", "silence"), ("1", "unsilence")]


def test_what_was_begun_is_not_sent_again_when_enforcement_was_turned_off_since(redis, server):
    world = enforced(redis, server)
    judge_while_no_measure_arrives(world, server)
    off = world.context.settings.model_copy(update={"allow_enforcement": False})
    world.context = replace(world.context, settings=off)
    world.now += 400
    assert judge(world, "1")["outcome"] == "filed"
    undo(world)
    assert server.measures == []
    assert world.context.actions.get("1").state == "failed"


def test_it_is_done_once_a_report_however_often_the_account_is_judged(redis, server):
    world = enforced(redis, server)
    for _ in range(3):
        judge(world, "1")
    world.now += 8 * DAY
    undo(world)
    for _ in range(3):
        judge(world, "1")
    assert server.measures == [("1", "silence"), ("1", "unsilence")]


def forget_everything(world: World) -> None:
    """Have Redis lose all, as one does that is restored from before the report."""
    world.context.jobs._redis.flushdb()


def test_a_measure_that_redis_has_forgotten_is_not_taken_again_and_is_undone_in_its_time(redis, server):
    world = enforced(redis, server)
    judge(world, "1")
    world.now += DAY
    forget_everything(world)
    for _ in range(2):
        judge(world, "1")
    assert world.context.actions.get("1").state == "done"
    world.now += 6 * DAY - 1
    undo(world)
    assert server.measures == [("1", "silence")]
    world.now += 1
    undo(world)
    assert server.measures == [("1", "silence"), ("1", "unsilence")]
    assert len(server.reports) == 1


@pytest.mark.parametrize("by", ["a moderator", "its expiry"])
def test_a_measure_that_was_lifted_before_redis_forgot_it_is_not_taken_again(redis, server, by):
    world = enforced(redis, server)
    judge(world, "1")
    if by == "a moderator":
        server.add(replace(server.accounts["1"], silenced=False))
    else:
        world.now += 8 * DAY
        undo(world)
    before = list(server.measures)
    forget_everything(world)
    for _ in range(2):
        judge(world, "1")
    world.now += 30 * DAY
    undo(world)
    assert server.measures == before
    assert world.context.actions.get("1").state == "left"


def test_a_report_that_announced_no_measure_may_still_get_one_when_redis_has_forgotten_it(redis, server):
    judge(enforced(redis, server, rule("airdrop", 6.0)), "1")
    redis.flushdb()
    judge(enforced(redis, server), "1")
    assert server.measures == [("1", "silence")]


def test_what_moderators_have_done_already_is_not_done_again_and_never_undone(redis, server):
    server.add(account(1, silenced=True))
    world = enforced(redis, server)
    judge(world, "1")
    assert "No action was taken" in server.reports[0].comment
    world.now += 8 * DAY
    undo(world)
    assert server.measures == []


@pytest.mark.parametrize(
    ("states", "why"),
    [
        ({"silenced": False}, "lifted already"),
        ({"silenced": True, "suspended": True}, "moderators have changed it"),
        ({"silenced": True, "disabled": True}, "moderators have changed it"),
    ],
)
def test_what_moderators_have_changed_since_is_left_to_them(redis, server, states, why):
    world = enforced(redis, server)
    judge(world, "1")
    server.add(replace(server.accounts["1"], **states))
    world.now += 8 * DAY
    undo(world)
    assert server.measures == [("1", "silence")]
    assert (world.context.actions.get("1").state, why in world.context.actions.get("1").why) == ("left", True)


def test_who_resolves_the_report_decides_and_the_measure_stays(redis, server):
    world = enforced(redis, server)
    judge(world, "1")
    server.resolve("1")
    world.now += 8 * DAY
    undo(world)
    assert server.measures == [("1", "silence")]
    assert "resolved report 1" in world.context.actions.get("1").why


def test_reports_of_other_people_that_mastodon_resolved_with_it_are_open_again(redis, server):
    opened = FiledReport("900", "5", "1", "", datetime.fromtimestamp(START, UTC), resolved=False)
    elsewhere = replace(opened, id="902", target_account_id="2")
    server.other_reports = {"900": opened, "901": replace(opened, id="901", resolved=True), "902": elsewhere}
    judge(enforced(redis, server), "1")
    assert [server.report(one).resolved for one in ("1", "900", "901", "902")] == [False, False, True, False]


def test_one_that_a_moderator_resolves_in_between_stays_resolved(redis, server):
    take = server.take_measure

    def take_and_resolve(*args):
        take(*args)
        server.resolve("1", by="moderator")

    server.take_measure = take_and_resolve
    judge(enforced(redis, server), "1")
    assert server.report("1").resolved


def test_an_account_that_is_gone_ends_it(redis, server):
    world = enforced(redis, server)
    judge(world, "1")
    del server.accounts["1"]
    world.now += 8 * DAY
    assert undo(world) == {"settled": 1}
    assert world.context.actions.get("1").why == "the account is gone"


# --- failures ---


@pytest.mark.parametrize("error", [MastodonAuthError("403: admin:write:accounts"), MastodonNotFound("gone")])
def test_a_refused_measure_is_told_of_and_costs_the_report_nothing(redis, server, caplog, error):
    def refuse(*_):
        raise error

    server.take_measure = refuse
    world = enforced(redis, server)
    with caplog.at_level(logging.WARNING, "mastowatch"):
        assert judge(world, "1")["outcome"] == "filed"
    assert [one.message for one in caplog.records] == ["action_failed"]
    assert world.context.actions.get("1").state == "failed"
    assert judge(world, "1")["outcome"] == "filed"


def test_without_budget_it_waits_and_nothing_is_lost(redis, server):
    take, tries = server.take_measure, []

    def broke(*args):
        tries.append(args)
        if len(tries) == 1:
            raise BudgetExhausted("none left", START + 60)
        take(*args)

    server.take_measure = broke
    world = enforced(redis, server)
    assert isinstance(judge(world, "1"), Retry)
    assert judge(world, "1")["outcome"] == "filed"
    assert server.measures == [("1", "silence")]


def test_a_lost_answer_is_looked_up_and_not_repeated(redis, server):
    world = enforced(redis, server)
    take = server.take_measure

    def lost(*args):
        take(*args)
        raise MastodonUnreachable("the answer was lost")

    server.take_measure = lost
    with pytest.raises(MastodonUnreachable):
        judge(world, "1")
    judge(world, "1")
    assert server.measures == [("1", "silence")]
    assert (world.context.actions.get("1").state, server.report("1").resolved) == ("done", False)


def test_a_measure_that_never_arrived_is_sent_again_only_when_it_can_no_longer_arrive(redis, server):
    world = enforced(redis, server)
    judge_while_no_measure_arrives(world, server)
    assert isinstance(judge(world, "1"), Retry)
    assert server.measures == []
    world.now += 120
    judge(world, "1")
    assert server.measures == [("1", "silence")]


def test_a_lost_answer_to_the_undoing_is_looked_up_and_not_repeated(redis, server):
    world = enforced(redis, server)
    judge(world, "1")
    world.now += 8 * DAY
    server.lose_next_answer()
    with pytest.raises(MastodonUnreachable):
        undo(world)
    world.now += 300
    assert undo(world) == {"settled": 1}
    assert server.measures == [("1", "silence"), ("1", "unsilence")]
    assert world.context.actions.get("1").state == "undone"


def test_an_account_that_is_being_judged_is_left_for_the_next_run(redis, server):
    world = enforced(redis, server)
    judge(world, "1")
    world.now += 8 * DAY
    world.context.locks.acquire("account:1", "another worker", 60)
    assert undo(world) == {"settled": 0}
    world.context.locks.release("account:1", "another worker")
    assert undo(world) == {"settled": 1}


def test_accounts_at_which_mastodon_always_fails_keep_no_other_restricted(redis, server, monkeypatch):
    world = enforced(redis, server)
    for number in range(1, 9):
        spammer(server, number)
        judge(world, str(number))
        world.now += 60
    account = server.account

    def fails_at_the_first_seven(account_id: str):
        if account_id != "8":
            raise MastodonUnreachable("no answer")
        return account(account_id)

    monkeypatch.setattr(server, "account", fails_at_the_first_seven)
    world.now += 8 * DAY
    for _ in range(200):  # one run in two comes to it
        if ("8", "unsilence") in server.measures:
            break
        with pytest.raises(MastodonUnreachable):
            undo(world)
    assert ("8", "unsilence") in server.measures


# --- deaths ---


class Dies:
    """Anything that dies at the n-th call of some methods, before or after it was carried out."""

    def __init__(self, real, methods: set[str], at: int, *, after: bool) -> None:
        self.real, self.methods, self.at, self.after, self.calls = real, methods, at, after, 0

    def __getattr__(self, name: str):
        method = getattr(self.real, name)
        if name not in self.methods:
            return method

        def call(*args, **kwargs):
            self.calls += 1
            if self.calls == self.at and not self.after:
                raise Killed
            result = method(*args, **kwargs)
            if self.calls == self.at:
                raise Killed
            return result

        return call


# planned, sent, acted, done; undoing, undone: each is a step of the store, with a request to Mastodon between them.
STEPS = [("actions", {"plan", "move"}, number) for number in range(1, 5)]
POSTS = [("mastodon", {"open_reports", "take_measure", "report", "reopen_report"}, number) for number in range(1, 5)]
UNDOING = [("actions", {"move"}, number) for number in range(1, 3)]
LIFTING = [("mastodon", {"report", "lift_measure", "account"}, number) for number in range(1, 4)]


def dying(world: World, what: str, methods: set[str], at: int, *, after: bool):
    """Have the world die there; returns the context that is alive."""
    alive = world.context
    if what == "actions":
        world.context = replace(alive, actions=Dies(alive.actions, methods, at, after=after))
    else:
        server = Dies(alive.mastodon("report"), methods, at, after=after)
        world.context = replace(alive, mastodon=lambda _: server)
    return alive


def bury(world: World, alive) -> None:
    """Let time pass as it does until the job is tried again."""
    world.redis.delete("mastowatch:lock:account:1")
    world.context = alive
    world.now += 120


@pytest.mark.parametrize(("what", "methods", "at"), [*STEPS, *POSTS])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_death_at_any_step_takes_the_measure_exactly_once(redis, server, what, methods, at, after):
    world = enforced(redis, server)
    alive = dying(world, what, methods, at, after=after)
    with pytest.raises(Killed):
        judge(world, "1")
    bury(world, alive)
    judge(world, "1")
    assert server.measures == [("1", "silence")]
    assert len(server.reports) == 1
    assert (world.context.actions.get("1").state, server.report("1").resolved) == ("done", False)
    world.now += 8 * DAY
    undo(world)
    assert server.measures == [("1", "silence"), ("1", "unsilence")]


@pytest.mark.parametrize(("what", "methods", "at"), [*STEPS, *POSTS])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_death_whose_job_is_not_tried_again_is_seen_to_by_the_recurring_one(redis, server, what, methods, at, after):
    world = enforced(redis, server)
    alive = dying(world, what, methods, at, after=after)
    with pytest.raises(Killed):
        judge(world, "1")
    bury(world, alive)
    for _ in range(3):
        world.now += 400
        undo(world)
    action = world.context.actions.get("1")
    if server.measures:
        assert (action.state, server.report("1").resolved) == ("done", False)
    else:
        assert action is None or action.state == "failed"
    world.now += 8 * DAY
    undo(world)
    assert not server.accounts["1"].silenced
    assert server.measures in ([], [("1", "silence"), ("1", "unsilence")])


@pytest.mark.parametrize(("what", "methods", "at"), [*UNDOING, *LIFTING])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_death_at_any_step_of_undoing_undoes_it_exactly_once(redis, server, what, methods, at, after):
    world = enforced(redis, server)
    judge(world, "1")
    world.now += 8 * DAY
    alive = dying(world, what, methods, at, after=after)
    with pytest.raises(Killed):
        undo(world)
    bury(world, alive)
    world.now += 300
    undo(world)
    assert server.measures == [("1", "silence"), ("1", "unsilence")]
    assert world.context.actions.get("1").state == "undone"


def test_a_moderator_who_limits_again_after_a_death_while_undoing_is_not_overruled(redis, server):
    world = enforced(redis, server)
    judge(world, "1")
    world.now += 8 * DAY
    alive = dying(world, "mastodon", {"lift_measure"}, 1, after=True)
    with pytest.raises(Killed):
        undo(world)
    bury(world, alive)
    server.add(replace(server.accounts["1"], silenced=True))
    server.resolve("1")  # as Mastodon does with every measure
    world.now += 300
    undo(world)
    assert server.accounts["1"].silenced
    assert isinstance(server, MemoryMastodon)


def test_a_measure_on_an_account_whose_report_is_open_is_counted_in_the_breakers_too(redis):
    """A rule that comes later files no report on it, and must not act on any number of accounts either."""
    server = Server()
    ids = [spammer(server, number) for number in range(1, 6)]
    world = enforced(redis, server, rule("other", 6.0))
    for one in ids:
        judge(world, one)
    suspends = rule("airdrop", 6.0, action="suspend", expires="7d", limits={"reports_per_hour": 2})
    world.context = replace(world.context, rules=rules(rule("other", 6.0), suspends))
    for one in ids:
        assert judge(world, one)["outcome"] == "filed"
    assert server.measures == [("1", "suspend"), ("2", "suspend")]
    assert list(world.context.rule_switches.shadowed()) == ["airdrop"]
    assert len(server.reports) == 5


def test_while_reporting_is_paused_no_measure_is_taken_on_an_account_whose_report_is_open(redis, server):
    world = enforced(redis, server, rule("other", 6.0))
    judge(world, "1")
    world.context = replace(world.context, rules=rules(rule("other", 6.0), SILENCE))
    world.context.rule_switches.drop("*", "why", "breaker", START)
    assert judge(world, "1")["outcome"] == "filed"
    assert server.measures == []
    world.context.rule_switches.rearm("*", START)
    judge(world, "1")
    assert server.measures == [("1", "silence")]
