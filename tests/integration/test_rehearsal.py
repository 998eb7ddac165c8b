"""The dry run as a switch: turned on or off at any moment, nothing is filed in it, and nothing is forgotten by it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from redis import Redis

from mastowatch.adapters import redis_store
from mastowatch.errors import RehearsalBegun, Stopped
from mastowatch.jobs import tasks
from mastowatch.jobs.workforce import read_workers
from tests.integration.test_enforcement import enforced
from tests.integration.test_enforcement import judge as judge_enforced
from tests.integration.test_tasks import START, Server, World, spammer

pytestmark = pytest.mark.redis
DAY = 86_400


def turn(world: World, *, on: bool) -> None:
    world.context.switches.set_dry_run(on=on, by="alice", now=START)


def judge(world: World, account_id: str):
    return world.run(tasks.analyze_and_maybe_report, account_id)


def polled(world: World) -> int:
    """Return how many accounts the next poll has judged again."""
    return world.run(tasks.poll_admin_accounts)["handed_on"]


def test_while_it_is_on_nothing_is_filed_or_claimed_and_then_the_account_is_judged_again_and_filed_once(redis):
    server = Server()
    one = spammer(server)
    world = World(redis, server)
    turn(world, on=True)
    assert judge(world, one)["outcome"] == "rehearsed"
    assert (server.reports, redis.keys("mastowatch:claim:*")) == ([], [])
    assert polled(world) == 0, "nothing has changed"
    turn(world, on=False)
    redis.delete("mastowatch:cursor:remote:head")
    assert polled(world) == 1
    for _ in range(2):
        assert judge(world, one)["outcome"] == "filed"
    assert len(server.reports) == 1


# What is asked of Mastodon on the way to a report, in this order.
@pytest.mark.parametrize("step", ["account", "account_statuses", "own_reports"])
def test_turned_on_while_a_report_is_under_way_nothing_is_filed(redis, step, monkeypatch):
    server = Server()
    one = spammer(server)
    world = World(redis, server)
    asked = getattr(server, step)

    def and_somebody_turns_it_on(*args):
        turn(world, on=True)
        return asked(*args)

    monkeypatch.setattr(server, step, and_somebody_turns_it_on)
    assert judge(world, one)["outcome"] == "rehearsed"
    assert server.reports == []
    assert {redis.hget(key, "state") for key in redis.keys("mastowatch:claim:*")} <= {b"planned"}
    monkeypatch.undo()
    assert polled(world) == 0
    turn(world, on=False)
    assert polled(world) == 1
    assert judge(world, one)["outcome"] == "filed"
    assert judge(world, one)["outcome"] == "filed"
    assert len(server.reports) == 1


def test_turned_off_while_an_account_is_judged_it_is_judged_again(redis, monkeypatch):
    """It was rehearsed, so it must not be remembered as one that was acted on."""
    server = Server()
    one = spammer(server)
    world = World(redis, server)
    turn(world, on=True)
    asked = server.account_statuses

    def and_somebody_turns_it_off(*args):
        turn(world, on=False)
        return asked(*args)

    monkeypatch.setattr(server, "account_statuses", and_somebody_turns_it_off)
    assert judge(world, one)["outcome"] == "rehearsed"
    monkeypatch.undo()
    assert polled(world) == 1
    assert judge(world, one)["outcome"] == "filed"


def test_the_settings_turn_it_on_whatever_the_switch_says(redis):
    server = Server()
    world = World(redis, server, dry_run=True)
    turn(world, on=False)
    assert judge(world, spammer(server))["outcome"] == "rehearsed"
    assert server.reports == []


def test_a_switch_that_can_not_be_read_stops_the_work(redis):
    server = Server()
    one = spammer(server)
    world = World(redis, server)
    unreachable = redis_store.RedisSwitches(Redis(port=1))
    readable = world.context.switches

    class HalfReadable:
        panic_stop = staticmethod(readable.panic_stop)
        dry_run = staticmethod(unreachable.dry_run)

    world.context = replace(world.context, switches=HalfReadable())
    with pytest.raises(Stopped, match="can't be read"):
        world.context.rehearsing()
    with pytest.raises(Stopped, match="can't be read"):
        world.context.ensure_filing()
    result = _ended(world, one)
    assert (server.reports, redis.keys("mastowatch:claim:*"), redis.keys("mastowatch:judged:*")) == ([], [], [])
    world.context = replace(world.context, switches=readable)
    assert judge(world, one)["outcome"] == "filed", result


def _ended(world: World, account_id: str) -> str:
    """Return how the job ended; either it raises, or it asks to be run again."""
    try:
        return str(judge(world, account_id))
    except Stopped as error:
        return str(error)


def test_what_would_change_something_at_mastodon_asks_once_more(redis):
    world = World(redis, Server())
    world.context.ensure_filing()
    turn(world, on=True)
    with pytest.raises(RehearsalBegun):
        world.context.ensure_filing()


def test_turned_on_between_a_report_and_its_measure_the_measure_is_taken_later(redis, monkeypatch):
    server = Server()
    spammer(server, 1)
    world = enforced(redis, server)
    filed = server.file_report

    def and_somebody_turns_it_on(request):
        turn(world, on=True)
        return filed(request)

    monkeypatch.setattr(server, "file_report", and_somebody_turns_it_on)
    judge_enforced(world, "1")
    assert (len(server.reports), server.measures) == (1, [])
    monkeypatch.undo()
    turn(world, on=False)
    world.now += 400
    # Whatever comes first: nothing has been begun that could be given up.
    assert world.run(tasks.undo_expired_actions) == {"settled": 0}
    assert polled(world) == 1
    judge_enforced(world, "1")
    assert (len(server.reports), server.measures) == (1, [("1", "silence")])


def test_while_it_is_on_nothing_is_undone(redis):
    server = Server()
    spammer(server, 1)
    world = enforced(redis, server)
    judge_enforced(world, "1")
    world.now += 8 * DAY
    turn(world, on=True)
    assert world.run(tasks.undo_expired_actions) == {"settled": 0}
    turn(world, on=False)
    assert world.run(tasks.undo_expired_actions) == {"settled": 1}
    assert server.measures == [("1", "silence"), ("1", "unsilence")]


@pytest.mark.parametrize(
    ("label", "switch", "shown"), [("false", True, True), ("true", False, True), (None, True, None)]
)
def test_a_worker_is_shown_as_rehearsing_where_its_settings_or_the_switch_say_so(redis, label, switch, shown):
    redis.sadd("rq:workers", "rq:worker:w")
    redis.hset("rq:worker:w", mapping={"birth": "2026-01-01T00:00:00Z"} | ({"dry_run": label} if label else {}))
    redis_store.RedisSwitches(redis).set_dry_run(on=switch, by="me", now=1.0)
    assert [worker.dry_run for worker in read_workers(redis)] == [shown]
