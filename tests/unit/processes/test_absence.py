from __future__ import annotations

import re

from redis.exceptions import BusyLoadingError, OutOfMemoryError, ReadOnlyError
from redis.exceptions import ConnectionError as RedisConnectionError

from mastowatch.errors import LayoutUnready, StoreUnavailable
from mastowatch.processes.absence import Absence, Watch
from tests.engine import wait


def names(caplog) -> list[str]:
    return [one.message for one in caplog.records]


def test_it_is_told_once_when_it_begins_and_once_when_it_ends(caplog):
    absence = Absence()
    assert absence.text == ""
    assert not absence.ends()
    for _ in range(3):
        absence.begins(RedisConnectionError("refused"))
    assert re.fullmatch(r"Redis away since \d\d:\d\d:\d\d UTC", absence.text)
    assert absence.ends()
    assert not absence.ends()
    assert absence.text == ""
    assert names(caplog) == ["redis_away", "redis_back"]


def test_a_redis_that_answers_but_refuses_is_not_called_away():
    absence = Absence()
    absence.begins(ReadOnlyError("READONLY"))
    assert absence.text.startswith("Redis read-only since ")


def test_what_our_own_error_was_caused_by_counts_the_same():
    absence = Absence()
    error = StoreUnavailable("Redis: ReadOnlyError")
    error.__cause__ = ReadOnlyError("READONLY")
    absence.begins(error)
    assert absence.text.startswith("Redis read-only since ")


def test_what_comes_after_a_return_is_told_anew_but_loading_belongs_to_it(caplog):
    absence = Absence()
    for error in (
        RedisConnectionError("refused"),
        BusyLoadingError("loading"),
        OutOfMemoryError("no"),
        ReadOnlyError(),
    ):
        absence.begins(error)
        absence.begins(error)
    assert [one.state for one in caplog.records] == ["away", "full", "read-only"]
    assert all(one.hint for one in caplog.records)


def test_keys_that_wait_for_a_migration_are_named_as_such():
    absence = Absence()
    absence.begins(LayoutUnready("layout 1"))
    assert absence.text.startswith("Redis keys are not of our layout yet since ")


class _Fickle:
    """A Redis that answers as it is told."""

    def __init__(self) -> None:
        self.away = True

    def ping(self) -> None:
        if self.away:
            raise RedisConnectionError("refused")


def test_a_watch_sees_redis_go_and_come(caplog, monkeypatch):
    monkeypatch.setattr("mastowatch.processes.absence.LOOK_S", 0.01)
    monkeypatch.setattr("mastowatch.processes.absence.AWAY_LOOK_S", 0.01)
    redis, absence = _Fickle(), Absence()
    watch = Watch(redis.ping, absence)
    watch.start()
    wait(lambda: absence.text)
    redis.away = False
    wait(lambda: not absence.text)
    watch.stop()
    assert names(caplog) == ["redis_away", "redis_back"]
