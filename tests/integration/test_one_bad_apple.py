"""One account or report at which Mastodon fails each time keeps nobody else waiting."""

from __future__ import annotations

import pytest

from mastowatch.errors import MastodonUnreachable
from mastowatch.jobs import tasks
from tests.integration import test_enforcement as enforcement
from tests.integration import test_learning as learning
from tests.integration.test_tasks import Server, World, spam, spammer, waiting

pytestmark = pytest.mark.redis


def fail_for(server, method: str, bad: str) -> None:
    whole = getattr(server, method)

    def fails(asked, *args):
        if asked == bad:
            raise MastodonUnreachable("Mastodon failed (500)")
        return whole(asked, *args)

    setattr(server, method, fails)


def test_of_a_batch_of_posts_those_after_it_are_judged_alone(redis):
    server = Server()
    ids = [one.id for number in (1, 2, 3) for one in spam(spammer(server, number))]
    fail_for(server, "account", "2")
    world = World(redis, server)
    assert world.run(tasks.process_new_statuses, ids)["waiting"] == 2
    assert {report.account_id for report in server.reports} == {"1"}
    assert waiting(redis) == ["analyze_and_maybe_report-2", "analyze_and_maybe_report-3"]


def test_the_other_measures_are_undone_in_time(redis):
    server = Server()
    world = enforcement.enforced(redis, server)
    for number in (1, 2):
        enforcement.judge(world, spammer(server, number))
    fail_for(server, "account", "1")
    world.now += 8 * enforcement.DAY
    with pytest.raises(MastodonUnreachable):
        enforcement.undo(world)
    assert server.measures[2:] == [("2", "unsilence")]


def test_the_other_reports_are_read_and_the_imprecise_rule_is_dropped(redis):
    world = learning.World(redis, [learning.RULE])
    learning.report(world, 1, 2, 3)
    fail_for(world.server, "report", "1")
    for number in "23":
        world.server.resolve(number)
    with pytest.raises(MastodonUnreachable):
        learning.read(world)
    assert learning.of(world).rejected == 2
    assert list(world.context.rule_switches.shadowed()) == ["one"]


def test_while_mastodon_is_away_a_run_ends_soon(redis):
    world = learning.World(redis, [learning.RULE])
    learning.report(world, *range(1, 11))
    asked = world.server.requests
    world.server.fail_next(*[MastodonUnreachable("no answer")] * 10)
    with pytest.raises(MastodonUnreachable):
        learning.read(world)
    assert world.server.requests - asked <= 3
