"""The note of whoever reads the public stream, in memory and in Redis."""

from __future__ import annotations

import pytest

from mastowatch.adapters.memory_stream_notes import MemoryStreamNotes
from mastowatch.adapters.redis_stream_notes import KEY, NOTE_TTL_S, RedisStreamNotes
from mastowatch.errors import StoreUnavailable
from mastowatch.ports.types import StreamNote
from tests.redis_server import nowhere

NOW = 1_767_268_800.125


@pytest.fixture(params=["memory", "redis"])
def notes(request, redis):
    return MemoryStreamNotes() if request.param == "memory" else RedisStreamNotes(redis)


def test_there_is_none_before_the_first(notes):
    assert notes.read() is None


def test_the_last_one_stands(notes):
    notes.note(StreamNote(NOW, connected=False, covering=False))
    assert notes.read() == StreamNote(NOW, connected=False, covering=False, lag_s=None, post_at=0.0)
    second = StreamNote(NOW + 5, connected=True, covering=True, lag_s=0.25, post_at=NOW + 4)
    notes.note(second)
    assert notes.read() == second


def test_it_runs_out(redis):
    RedisStreamNotes(redis).note(StreamNote(NOW, connected=True, covering=True))
    assert 0 < redis.ttl(KEY) <= NOTE_TTL_S


def test_a_redis_that_is_away_is_told_as_store_unavailable():
    with nowhere() as away, pytest.raises(StoreUnavailable, match="ConnectionError"):
        RedisStreamNotes(away).read()
