"""The watch over the hands of the dead, with times of our own."""

from __future__ import annotations

import pytest
from redis import Redis

from mastowatch.reliable.scripts import TAKERS, taken_key
from tests.chaos.hands import STEADY, Hands

DEAD = "host-4711-abcdef"


@pytest.fixture
def hands(redis: Redis, redis_server: str) -> Hands:
    redis.sadd(TAKERS, DEAD)
    redis.rpush(taken_key(DEAD), "job")
    redis.set(STEADY, 1)
    return Hands(redis_server, lambda: ())


def test_a_job_that_is_longer_than_promised_in_a_dead_hand_is_late(redis: Redis, hands: Hands):
    for now in (100.0, 110.0, 114.9):
        hands.look(redis, now)
        assert hands.late() == []
    hands.look(redis, 115.1)
    redis.delete(taken_key(DEAD))
    hands.look(redis, 120.0)
    assert hands.late() == [f"{DEAD}: 15.1 s"]
    assert hands.longest_s == pytest.approx(15.1)


def test_it_is_not_late_while_the_living_show_no_life_without_a_gap(redis: Redis, hands: Hands):
    hands.look(redis, 100.0)
    redis.delete(STEADY)
    hands.look(redis, 110.0)
    redis.set(STEADY, 2)
    for now in (114.0, 128.9):
        hands.look(redis, now)
        assert hands.late() == []
    hands.look(redis, 129.1)
    assert hands.late() == [f"{DEAD}: 15.1 s"]
    assert hands.longest_s == pytest.approx(29.1)


def test_the_hand_of_a_living_worker_is_never_late(redis: Redis, redis_server: str, hands: Hands):
    living = Hands(redis_server, lambda: {4711})
    for now in (100.0, 200.0):
        living.look(redis, now)
    assert (living.late(), living.longest_s) == ([], 0.0)
