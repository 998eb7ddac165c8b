"""When Mastodon's webhooks were last heard of, in Redis."""

from __future__ import annotations

import pytest

from mastowatch.adapters.redis_webhook_notes import KEY, RedisWebhookNotes
from mastowatch.errors import StoreUnavailable
from mastowatch.ports.types import WebhooksSeen
from tests.redis_server import nowhere

NOW = 1_767_268_800.125


def test_nothing_is_known_before_the_first(redis):
    assert RedisWebhookNotes(redis).read() == WebhooksSeen()


def test_the_last_of_each_stands(redis):
    notes = RedisWebhookNotes(redis)
    notes.note(WebhooksSeen(NOW, "status.created"))
    notes.note(WebhooksSeen(refused_at=NOW + 1, why="not signed"))
    notes.note(WebhooksSeen(NOW + 2, "account.created"))
    assert notes.read() == WebhooksSeen(NOW + 2, "account.created", NOW + 1, "not signed")
    assert redis.hlen(KEY) == 4


def test_to_note_nothing_writes_nothing(redis):
    RedisWebhookNotes(redis).note(WebhooksSeen())
    assert redis.keys("*") == []


def test_a_damaged_moment_is_none(redis):
    redis.hset(KEY, "taken_at", "yesterday")
    assert RedisWebhookNotes(redis).read().taken_at == 0.0


def test_a_redis_that_is_away_is_told_as_store_unavailable():
    with nowhere() as away, pytest.raises(StoreUnavailable, match="ConnectionError"):
        RedisWebhookNotes(away).read()
