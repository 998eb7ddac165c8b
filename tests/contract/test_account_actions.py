"""One suite for the actions in memory and the ones in Redis."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mastowatch.adapters.memory_actions import MemoryAccountActions
from mastowatch.adapters.redis_actions import RedisAccountActions
from mastowatch.errors import StoreUnavailable
from mastowatch.ports.types import AccountAction
from tests.redis_server import nowhere

NOW = 1_767_268_800.125
ACTION = AccountAction("7", "silence", "casino", "12", "planned", NOW, NOW + 9000, ("sensitive",), ("12", "13"), "")


@pytest.fixture(params=["memory", "redis"])
def actions(request, redis):
    return MemoryAccountActions() if request.param == "memory" else RedisAccountActions(redis)


def moved(actions, action, state, at=NOW, **changes):
    to = replace(action, state=state, changed_at=at, **changes)
    assert actions.move(action, to)
    return to


def test_an_action_is_planned_once_and_comes_back_whole(actions):
    assert actions.get("7") is None
    assert actions.plan(ACTION) == ACTION == actions.get("7")
    assert actions.plan(replace(ACTION, report_id="99", measure="suspend")) == ACTION


def test_only_who_saw_its_latest_step_may_take_the_next(actions):
    actions.plan(ACTION)
    sent = moved(actions, ACTION, "sent", NOW + 1)
    assert not actions.move(ACTION, replace(ACTION, state="sent", changed_at=NOW + 2))
    assert actions.get("7") == sent
    assert not actions.move(replace(ACTION, account_id="8"), replace(ACTION, account_id="8", state="sent"))


@pytest.mark.parametrize("state", ["undone", "left", "failed"])
def test_one_that_has_ended_makes_room_for_another_report_and_never_for_the_same(actions, state):
    actions.plan(ACTION)
    ended = moved(actions, ACTION, state, why="because")
    assert actions.plan(replace(ACTION, changed_at=NOW + 5)) == ended
    another = replace(ACTION, report_id="99", changed_at=NOW + 5)
    assert actions.plan(another) == another == actions.get("7")


def test_what_is_done_is_due_when_it_expires(actions):
    actions.plan(ACTION)
    done = moved(actions, ACTION, "done")
    assert actions.due(NOW + 8999, 9) == ()
    assert actions.due(NOW + 9000, 9) == (done,)


@pytest.mark.parametrize("state", ["planned", "sent", "acted", "undoing"])
def test_what_is_half_done_is_due_some_minutes_after_its_last_step(actions, state):
    actions.plan(ACTION)
    half = ACTION if state == "planned" else moved(actions, ACTION, state)
    assert actions.due(NOW + 299, 9) == ()
    assert actions.due(NOW + 300, 9) == (half,)


@pytest.mark.parametrize("state", ["undone", "left", "failed"])
def test_what_has_ended_is_never_due(actions, state):
    actions.plan(ACTION)
    moved(actions, ACTION, state)
    assert actions.due(NOW + 10**6, 9) == ()


def test_the_first_due_come_first_and_no_more_than_asked_for(actions):
    for number in (3, 1, 2):
        actions.plan(replace(ACTION, account_id=str(number), changed_at=NOW + number))
    assert [one.account_id for one in actions.due(NOW + 9000, 2)] == ["1", "2"]


def test_an_action_has_an_end_only_once_it_has_ended(redis):
    actions = RedisAccountActions(redis)
    actions.plan(ACTION)
    assert redis.ttl("mastowatch:action:7") == -1, "as long as it is in force it must not be forgotten"
    moved(actions, ACTION, "undone")
    assert redis.ttl("mastowatch:action:7") > 0
    assert redis.zcard("mastowatch:actions:due") == 0


def test_a_redis_that_is_away_is_told_as_store_unavailable():
    with nowhere() as away, pytest.raises(StoreUnavailable, match="ConnectionError"):
        RedisAccountActions(away).due(NOW, 1)
