"""How deliveries are handed to the one thread that writes them."""

from __future__ import annotations

import asyncio

import pytest
from redis import Redis

from mastowatch.adapters.redis_store import RedisTally
from mastowatch.adapters.redis_webhook_notes import RedisWebhookNotes
from mastowatch.config.loading import load
from mastowatch.errors import StoreUnavailable
from mastowatch.jobs import context as contexts
from mastowatch.jobs import intake as intakes
from mastowatch.jobs.intake import Intake
from mastowatch.reliable.deliveries import Delivery
from tests.redis_server import running_redis

pytestmark = pytest.mark.redis


def test_what_was_counted_is_written_at_the_end_at_the_latest(redis):
    with Intake(redis, RedisTally(redis), RedisWebhookNotes(redis)) as intake:
        for _ in range(5):
            intake.count("one", "other")
    assert redis.hgetall("mastowatch:tally") == {b"one": b"5", b"other": b"5"}


def test_what_was_handed_over_before_the_end_is_written(redis):
    async def hand_over() -> None:
        for number in range(1000):
            intake.put(Delivery(f"mastowatch:webhook:{number}", None))

    with Intake(redis, RedisTally(redis), RedisWebhookNotes(redis)) as intake:
        asyncio.run(hand_over())
    assert len(redis.keys("mastowatch:webhook:*")) == 1000


def test_after_its_end_nothing_is_taken(redis):
    with Intake(redis, RedisTally(redis), RedisWebhookNotes(redis)) as intake:
        pass

    async def hand_over() -> None:
        await intake.put(Delivery("mastowatch:webhook:1", None))

    with pytest.raises(StoreUnavailable):
        asyncio.run(hand_over())


def test_while_redis_stands_still_only_so_many_wait(tmp_path, monkeypatch):
    monkeypatch.setattr(intakes, "UNWRITTEN_MAX", 3)

    async def hand_over(intake: Intake) -> list[object]:
        promises = [intake.put(Delivery(f"mastowatch:webhook:{number}", None)) for number in range(70)]
        return await asyncio.gather(*promises, return_exceptions=True)

    with running_redis(tmp_path) as server:
        loaded = load({"REDIS_URL": server.url, "INSTANCE_BASE": "https://m.example"})
        with (
            contexts.connect(loaded, waits=False) as redis,
            Intake(redis, RedisTally(redis), RedisWebhookNotes(redis)) as intake,
        ):
            redis.ping()
            with server.standing_still():
                outcomes = asyncio.run(hand_over(intake))
    refused = [one for one in outcomes if "wait already" in str(one)]
    assert all(isinstance(one, StoreUnavailable) for one in outcomes)
    assert len(refused) >= 60


def test_counts_that_could_not_be_written_are_kept(tmp_path):
    with running_redis(tmp_path) as server, Redis.from_url(server.url) as redis:
        with Intake(redis, RedisTally(redis), RedisWebhookNotes(redis)) as intake:
            server.kill()
            intake.count("one")
            intake._write_counts()
            server.start()
        assert redis.hgetall("mastowatch:tally") == {b"one": b"1"}
