"""Re-arming while workers judge: nobody who was kept back is forgotten, whoever comes first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mastowatch.jobs import arming
from mastowatch.jobs.queues import TASKS, get_queue
from mastowatch.ports.types import EVERY_RULE
from tests.integration.test_breakers import JUDGE, guarded, outcomes, rule
from tests.integration.test_tasks import Killed, Server, spammer, waiting

pytestmark = pytest.mark.redis


class Before:
    """A port at which something happens right before a method is called for the first time."""

    def __init__(self, port, method: str, happens) -> None:
        self._port, self._method, self._happens = port, method, happens

    def __getattr__(self, name):
        if name == self._method and self._happens is not None:
            happens, self._happens = self._happens, None
            happens()
        return getattr(self._port, name)


def runs(world, account_id: str) -> None:
    """Have a job that judges the account run right now."""
    job = world.context.jobs.submit("analyze_and_maybe_report", {"account_id": account_id})
    get_queue(TASKS["analyze_and_maybe_report"].queue, world.redis).remove(job)
    job.set_status("started")


def test_one_that_is_being_judged_right_now_is_judged_again(redis):
    """It may have read that the rule is in shadow a moment before."""
    server = Server()
    world = guarded(redis, server, rule("airdrop", 6.0))
    world.context.rule_switches.drop("airdrop", "why", "breaker", 1.0)
    one = spammer(server)
    assert outcomes(world, [one]) == ["watched"]
    runs(world, one)
    assert arming.arm(world.context, "airdrop", "alice").queued == 1
    assert waiting(redis) == [f"judge_again-{one}"]


@pytest.mark.parametrize("scope", ["airdrop", EVERY_RULE])
def test_one_that_is_held_a_moment_after_the_rearming_is_judged_at_once(redis, scope):
    server = Server()
    world = guarded(redis, server, rule("airdrop", 6.0))
    context = world.context
    context.rule_switches.drop(scope, "why", "breaker", 1.0)

    def rearm() -> None:
        assert arming.arm(context, "all", "alice").scopes == (scope,)

    world.context = replace(context, held=Before(context.held, "hold", rearm))
    assert outcomes(world, [spammer(server)]) == ["filed"]


def test_one_that_is_held_anew_while_it_is_released_stays_held(redis):
    server = Server()
    world = guarded(redis, server, rule("airdrop", 6.0))
    context = world.context
    context.rule_switches.drop("airdrop", "why", "breaker", 1.0)
    one = spammer(server)
    outcomes(world, [one])

    def judged_and_held_anew() -> None:
        world.now += 1
        context.rule_switches.drop("airdrop", "again", "precision", world.now)
        world.run(JUDGE, one)

    arming.arm(replace(context, held=Before(context.held, "release", judged_and_held_anew)), "airdrop", "alice")
    assert tuple(context.held.waiting("airdrop")) == (one,)


def test_a_death_after_a_rule_was_rearmed_with_all_is_made_good_by_another_all(redis):
    server = Server()
    world = guarded(redis, server, rule("airdrop", 6.0))
    world.context.rule_switches.drop("airdrop", "why", "breaker", 1.0)
    one = spammer(server)
    outcomes(world, [one])

    def dies() -> None:
        raise Killed

    dying = replace(world.context, held=Before(world.context.held, "waiting", dies))
    with pytest.raises(Killed):
        arming.arm(dying, "all", "alice")
    assert arming.arm(world.context, "all", "alice").queued == 1


def test_a_report_right_after_the_rearming_does_not_trip_it_again(redis):
    server = Server()
    ids = [spammer(server, number) for number in range(1, 4)]
    world = guarded(redis, server, rule("airdrop", 6.0, limits={"reports_per_hour": 1}))
    assert outcomes(world, ids[:2]) == ["filed", "watched"]
    context = world.context

    def rearm_and_report():
        class Switches:
            def __getattr__(self, name):
                return getattr(context.rule_switches, name)

            def rearm(self, *args):
                done = context.rule_switches.rearm(*args)
                assert outcomes(world, ids[2:]) == ["filed"]
                return done

        return Switches()

    arming.arm(replace(context, rule_switches=rearm_and_report()), "airdrop", "alice")
    assert context.rule_switches.shadowed() == {}


def test_who_a_composite_would_report_is_held_when_one_of_its_parts_is_dropped(redis):
    server = Server()
    world = guarded(redis, server, rule("sign", 1.0), rule("both", 5.0, requires=["sign"]))
    world.context.rule_switches.drop("sign", "why", "breaker", 1.0)
    one = spammer(server)
    outcomes(world, [one])
    assert server.reports == []
    assert tuple(world.context.held.waiting("sign")) == (one,)
    arming.arm(world.context, "sign", "alice")
    assert outcomes(world, [one]) == ["filed"]
