"""The layout of the keys: stamped, checked by each connection, migrated once and forward, resumed, never downgraded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from redis import Redis

from mastowatch.adapters import redis_layout
from mastowatch.adapters.redis_layout import Layout, LayoutRefused, Migration, check_connection
from mastowatch.errors import LayoutNewer, LayoutUnready, StoreUnavailable
from tests.redis_server import free_port

ROOT = Path(__file__).parents[2]


class Died(Exception):
    """A migration's process ends here."""


def rename(redis: Redis, alive: Callable[[], None]) -> None:
    """Bring ``old:<n>`` to ``new:<n>``: one key a step, each step atomic, and nothing to do for one that is done."""
    for key in sorted(redis.scan_iter("old:*")):
        redis.rename(key, key.replace(b"old", b"new"))
        alive()


def count(redis: Redis, alive: Callable[[], None]) -> None:
    redis.set("count", len(list(redis.scan_iter("new:*"))))


RENAME, COUNT = Migration(2, "old becomes new", rename), Migration(3, "new ones are counted", count)


@contextmanager
def process(redis: Redis, known: int = 1, *migrations: Migration, kind: str = "worker") -> Iterator[Layout]:
    layout = Layout(redis, kind, known=known, migrations=migrations)
    try:
        yield layout
    finally:
        layout.leave()


@contextmanager
def guarded(url: str, known: int = 1) -> Iterator[Redis]:
    with Redis.from_url(url, redis_connect_func=partial(check_connection, known=known)) as client:
        yield client


def keys(redis: Redis, pattern: str = "*") -> set[str]:
    return {key.decode() for key in redis.keys(pattern)}


def test_this_versions_migrations_lead_to_its_layout_without_a_gap():
    assert [one.to for one in redis_layout.MIGRATIONS] == list(range(2, redis_layout.LAYOUT + 1))


def test_the_script_for_purges_knows_the_same_layout():
    (known,) = re.findall(r"^KNOWN_LAYOUT=(\d+)$", (ROOT / "packaging" / "forget.sh").read_text(), re.MULTILINE)
    assert int(known) == redis_layout.LAYOUT


def test_an_empty_database_is_stamped_and_the_process_shown(redis: Redis):
    with process(redis) as layout:
        layout.agree()
        assert redis.get("mastowatch:layout") == b"1"
        (one,) = redis_layout.running(redis)
        assert (one.layout, one.kind) == (1, "worker")
        assert 0 < redis.pttl("mastowatch:processes") <= redis_layout.LIFE_S * 1000
        layout.agree()
        assert len(redis_layout.running(redis)) == 1
    assert redis_layout.running(redis) == []


def test_a_process_that_says_no_more_is_not_shown_for_long(redis: Redis):
    with process(redis) as layout, process(redis, kind="api") as other:
        layout.agree()
        (member,) = redis.zrange("mastowatch:processes", 0, -1)
        redis.zadd("mastowatch:processes", {member: redis.time()[0] - 1})
        assert redis_layout.running(redis) == []
        other.agree()
        assert [one.kind for one in redis_layout.running(redis)] == ["api"]
        assert redis.zcard("mastowatch:processes") == 1


@pytest.mark.parametrize("found", ["2", "17", "two", "", "0", "1.5", "-1"])
def test_what_is_newer_or_unknown_is_refused_and_not_touched(redis: Redis, redis_server, found):
    redis.set("mastowatch:layout", found)
    with process(redis) as layout:
        with pytest.raises(LayoutNewer, match=re.escape(found or "''")) as caught:
            layout.agree()
        assert keys(redis) == {"mastowatch:layout"}
    assert "touched nothing" in str(caught.value)
    assert "\n" not in str(caught.value)
    with guarded(redis_server) as client, pytest.raises(LayoutRefused, match=re.escape(found or "''")):
        client.set("written", 1)
    assert keys(redis) == {"mastowatch:layout"}
    assert redis.get("mastowatch:layout") == found.encode()


def test_a_connection_is_made_where_the_layout_is_the_known_one_or_not_said(redis: Redis, redis_server):
    for stamp in (None, 1):
        if stamp:
            redis.set("mastowatch:layout", stamp)
        with guarded(redis_server) as client:
            assert client.ping()


def test_every_new_connection_looks_also_one_made_after_a_break(redis: Redis, redis_server):
    with guarded(redis_server) as client:
        client.set("written", 1)
        redis.set("mastowatch:layout", 2)
        client.connection_pool.disconnect()
        for _ in range(2):
            with pytest.raises(LayoutRefused):
                client.set("written", 2)
        with pytest.raises(LayoutRefused), client.pipeline() as pipe:
            pipe.set("written", 3).execute()
        assert redis.get("written") == b"1"
        redis.set("mastowatch:layout", 1)
        assert client.set("written", 4)


def test_redis_away_is_told_as_such(redis: Redis):
    with Redis(port=free_port()) as away, process(away) as layout, pytest.raises(StoreUnavailable) as caught:
        layout.agree()
    assert not isinstance(caught.value, LayoutUnready)


def test_older_keys_are_migrated_step_by_step_and_each_is_recorded(redis: Redis, redis_server):
    redis.mset({f"old:{n}": n for n in range(5)})
    with guarded(redis_server, known=3) as client, pytest.raises(LayoutRefused, match=r"layout 1 .* brought to 3"):
        client.ping()
    with process(redis, 3, RENAME, COUNT) as layout:
        layout.agree()
    assert redis.get("mastowatch:layout") == b"3"
    assert redis.get("count") == b"5"
    assert keys(redis, "mastowatch:*") == {"mastowatch:layout", "mastowatch:layout:past:2", "mastowatch:layout:past:3"}
    assert redis.hget("mastowatch:layout:past:2", "about") == b"old becomes new"
    assert b"worker on" in redis.hget("mastowatch:layout:past:2", "by")
    with guarded(redis_server, known=3) as client:
        assert client.ping()
    with process(redis) as older, pytest.raises(LayoutNewer, match="layout 3: a newer version was here"):
        older.agree()


def test_only_what_is_missing_is_migrated_also_over_a_client_whose_connections_are_refused(redis: Redis, redis_server):
    redis.set("mastowatch:layout", 2)
    redis.set("old:1", "stays")
    with guarded(redis_server, 3) as client, process(client, 3, RENAME, COUNT) as layout:
        layout.agree()
    assert redis.get("old:1") == b"stays"
    assert redis.get("count") == b"0"


def test_a_migration_waits_for_older_processes_and_tells_them_and_whom_it_waits_for(redis: Redis):
    redis.set("old:1", 1)
    with process(redis, kind="scheduler") as older, process(redis, 2, RENAME) as newer:
        older.agree()
        with pytest.raises(LayoutUnready, match=r"layout 2 as soon as these have ended: scheduler on .* \(process \d+"):
            newer.agree()
        assert (redis.get("mastowatch:layout"), redis.get("old:1"), older.leaving) == (b"1", b"1", "")
        older.agree()
        assert re.match("layout 2 is to come, by worker on", older.leaving)
        with pytest.raises(LayoutUnready):  # it may take its time to end its job
            newer.agree()
        older.leave()
        newer.agree()
        assert (redis.get("mastowatch:layout"), redis.get("new:1")) == (b"2", b"1")


def test_an_older_process_that_comes_too_late_does_not_hold_up_the_migration(redis: Redis):
    with process(redis) as older, process(redis, 2, RENAME) as newer, process(redis) as late:
        older.agree()
        with pytest.raises(LayoutUnready):
            newer.agree()
        with pytest.raises(LayoutNewer, match="about to be brought to layout 2 by worker on"):
            late.agree()
        older.leave()
        newer.agree()


def test_an_announcement_of_one_that_died_ends_by_itself(redis: Redis):
    with process(redis) as older, process(redis, 2, RENAME) as newer:
        older.agree()
        with pytest.raises(LayoutUnready):
            newer.agree()
        assert 0 < redis.pttl("mastowatch:layout:next") <= redis_layout.LOCK_S * 1000


def test_one_process_migrates_and_the_others_wait(redis: Redis):
    with process(redis, 2, RENAME, kind="api") as second:

        def run(client: Redis, alive: Callable[[], None]) -> None:
            with pytest.raises(LayoutUnready, match="being brought to layout 2 by worker on"):
                second.agree()
            rename(client, alive)

        with process(redis, 2, Migration(2, "watched", run)) as first:
            first.agree()
        second.agree()
        assert second.leaving == ""


@pytest.mark.parametrize("resumed_with", [2, 3])
def test_a_migration_that_died_halfway_is_gone_on_with_and_nothing_older_comes_between(
    redis: Redis, redis_server, resumed_with
):
    redis.mset({f"old:{n}": n for n in range(5)})

    def die(client: Redis, alive: Callable[[], None]) -> None:
        client.rename("old:0", "new:0")
        raise Died

    with process(redis, 2, Migration(2, "dies", die)) as first, pytest.raises(Died):
        first.agree()
    redis.delete("mastowatch:layout:next")  # its lock runs out
    with process(redis) as older, pytest.raises(LayoutNewer):
        older.agree()
    for known in (1, 2, 3):
        with guarded(redis_server, known) as client, pytest.raises(LayoutRefused):
            client.ping()
    with process(redis, resumed_with, *(RENAME, COUNT)[: resumed_with - 1]) as second:
        second.agree()
    assert keys(redis, "old:*") == set()
    assert len(keys(redis, "new:*")) == 5
    assert int(redis.get("mastowatch:layout")) == resumed_with
    with guarded(redis_server, resumed_with) as client:
        assert client.ping()


def test_whoever_finds_that_another_was_quicker_looks_again(redis: Redis):
    redis.set("mastowatch:layout", 2)
    with process(redis, 2, RENAME) as layout:
        look, layout._join = layout._join, lambda: ["1", "", "", "", "0"]  # as it was a moment ago
        with pytest.raises(LayoutUnready, match="another process was quicker"):
            layout.agree()
        layout._join = look
        layout.agree()


def test_whoever_lost_the_lock_stops_and_says_nothing_is_done(redis: Redis):
    redis.set("old:1", 1)

    def stall(client: Redis, alive: Callable[[], None]) -> None:
        client.hset("mastowatch:layout:next", "owner", "another")
        alive()
        raise AssertionError("it went on")

    with process(redis, 2, Migration(2, "stalls", stall)) as layout, pytest.raises(LayoutUnready, match="taken over"):
        layout.agree()
    assert redis.get("mastowatch:layout:unfinished") == b"2"


def test_the_record_is_not_written_by_whoever_lost_the_lock_at_the_end(redis: Redis):
    def stall(client: Redis, alive: Callable[[], None]) -> None:
        client.hset("mastowatch:layout:next", "owner", "another")

    with process(redis, 2, Migration(2, "stalls", stall)) as layout, pytest.raises(LayoutUnready):
        layout.agree()
    assert not redis.exists("mastowatch:layout:past:2")


def test_a_long_migration_keeps_its_lock_its_process_shown_and_the_watchdog_fed(redis: Redis):
    fed = []

    def run(client: Redis, alive: Callable[[], None]) -> None:
        client.pexpire("mastowatch:layout:next", 1000)
        client.delete("mastowatch:processes")
        alive()
        assert client.pttl("mastowatch:layout:next") > 1000
        assert client.exists("mastowatch:processes")

    layout = Layout(redis, "worker", known=2, migrations=[Migration(2, "long", run)], alive=lambda: fed.append(1))
    layout.agree()
    layout.leave()
    assert fed


def test_keys_that_were_deleted_meanwhile_are_stamped_anew(redis: Redis):
    with process(redis, 2, RENAME) as layout:
        layout.agree()
        redis.flushdb()
        layout.agree()
        assert redis.get("mastowatch:layout") == b"2"
        assert len(redis_layout.running(redis)) == 1
