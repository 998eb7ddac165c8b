"""The stream from the server to the queue: breaks, gaps, refusals, outages of Redis, and the panic stop."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import RedisError

from mastowatch.config import load
from mastowatch.errors import StoreUnavailable
from mastowatch.jobs import context as contexts
from mastowatch.jobs import timeline
from mastowatch.ports.types import StreamNote
from mastowatch.processes import stream as streams
from mastowatch.processes.stream import Reading
from tests.redis_server import running_redis
from tests.rules import AIRDROP
from tests.small_mastodon import SmallMastodon, small_mastodon

pytestmark = pytest.mark.redis
SPAM = "Claim your airdrop"


class World:
    """The process' inside over a real Redis and a small Mastodon; time is the tests' own where it matters."""

    def __init__(self, server: SmallMastodon, redis_url: str, directory: Path, **settings: str) -> None:
        (directory / "rules").mkdir(exist_ok=True)
        (directory / "rules" / "airdrop.toml").write_text(AIRDROP)
        (directory / "token").write_text("t")
        chosen = {
            "INSTANCE_BASE": server.strict.url,
            "REDIS_URL": redis_url,
            "RULES_DIR": str(directory / "rules"),
            "ACCESS_TOKEN_FILE": str(directory / "token"),
            **settings,
        }
        self.server, self.loaded = server, load(chosen)
        self.redis = contexts.connect(self.loaded, waits=False)
        # One that is made anew right away: a layout belongs to a process.
        with contexts.ensure_layout(self.redis):
            self.context = contexts.build(self.loaded, self.redis)
        self.context = replace(self.context, clock=lambda: time.time() + self.ahead_s)
        self.ahead_s = 0.0
        server.clock = self.context.clock
        self.reading = self.begin()

    def begin(self) -> Reading:
        """Make the process' inside anew, as after a restart."""
        return Reading(self.loaded, self.context, clock=lambda: time.monotonic() + self.ahead_s)

    def until(self, condition: Callable[[], Any]) -> None:
        """Turn until it is so. Pauses pass quickly: the process' clock is moved on instead."""
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, self.reading.describe()
            self.reading.step()
            self.ahead_s += 0.5

    def connected(self) -> None:
        self.until(lambda: self.server.connections and self.reading._line.stream)

    def covering(self) -> None:
        """Turn until it is connected and misses nothing; what is to be looked at is looked at."""
        self.until(lambda: self.look() and self.reading._covering)

    def look(self) -> dict[str, Any]:
        """Do what a worker does with the job that the stream asked for, if it did."""
        if not self.redis.lrem("rq:queue:default", 0, "poll_public_timeline-now"):
            return {"ended": "not asked for"}
        self.redis.delete("rq:job:poll_public_timeline-now")
        return timeline.look(self.context).as_result()

    def batches(self) -> list[list[str]]:
        """Return the batches that were queued."""
        found = [raw.decode() for raw in self.redis.lrange("rq:queue:default", 0, -1)]
        kept = [self.redis.hget(f"rq:job:{one}", "data") for one in found if one.startswith("process_new_statuses")]
        return [_ids(raw) for raw in kept]

    def handed_on(self) -> list[str]:
        return sorted(one for batch in self.batches() for one in batch)


def _ids(raw: bytes) -> list[str]:
    return next(one["status_ids"] for one in json.loads(_plain(raw)) if isinstance(one, dict) and "status_ids" in one)


def _plain(raw: bytes) -> bytes:
    import zlib

    try:
        return zlib.decompress(raw)
    except zlib.error:
        return raw


@pytest.fixture(autouse=True)
def in_quick_steps(monkeypatch) -> None:
    monkeypatch.setattr(streams, "IDLE_S", 0.02)


@pytest.fixture
def server() -> Iterator[SmallMastodon]:
    with small_mastodon() as small:
        yield small


@pytest.fixture
def make(server, redis, redis_server, tmp_path) -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def make(**settings: str) -> World:
        made.append(World(server, redis_server, tmp_path, **settings))
        return made[-1]

    yield make
    for one in made:
        one.reading._line.cut()
        one.redis.close()


def test_only_posts_that_some_rule_wants_are_handed_on_and_cost_a_job(make, server, redis):
    world = make()
    world.covering()
    young, old = server.add_account(), server.add_account(at=server.clock() - 30 * 86400)
    for author, text in ((young, "Hello"), (old, SPAM)):
        server.post(author, text)
    wanted = server.post(young, SPAM)
    world.until(world.handed_on)
    assert world.handed_on() == [wanted]
    assert world.reading.seen == 3
    assert [code for code in server.strict.codes if code != 200] == []
    assert server.strict.codes == [], "not one request for three posts"


def test_up_to_twenty_posts_are_a_job_and_those_of_one_author_go_together(make, server):
    world = make()
    world.covering()
    authors = [server.add_account() for _ in range(23)]
    posts = [server.post(author, SPAM) for author in authors]
    world.until(lambda: len(world.handed_on()) == 23)
    assert world.handed_on() == sorted(posts)
    assert max(map(len, world.batches())) <= 20
    assert len(world.batches()) <= 4


def test_a_busy_author_is_handed_on_once_a_minute(make, server):
    world = make()
    world.covering()
    author = server.add_account()
    server.post(author, SPAM)
    world.until(world.handed_on)
    for _ in range(30):
        server.post(author, SPAM)
    world.until(lambda: world.reading.seen == 31)
    assert len(world.batches()) == 1
    world.until(lambda: len(world.batches()) == 2)
    assert len(world.batches()[1]) == 3, "the newest few stand for all"


def test_an_edit_is_handed_on_again_and_a_repeat_is_not(make, server):
    world = make()
    world.covering()
    post = server.post(server.add_account(), SPAM)
    world.until(world.handed_on)
    world.ahead_s += 100
    server.tell("update", server.statuses[int(post)])
    world.until(lambda: world.reading.seen == 2)
    world.until(lambda: not len(world.reading._hold))
    assert world.reading.handed_on == 1
    world.redis.delete("rq:queue:default")  # it was taken
    world.redis.delete(*world.redis.keys("rq:job:process_new_statuses*"))
    world.ahead_s += 100
    server.tell("status.update", {**server.statuses[int(post)], "edited_at": "2026-01-01T00:00:00Z"})
    world.until(world.handed_on)
    assert world.reading.handed_on == 2


def test_after_a_break_the_gap_is_filled_with_late_posts_and_nothing_twice(make, server):
    world = make()
    world.covering()
    author = server.add_account()
    before = server.post(author, SPAM)
    world.until(world.handed_on)
    server.refuse = 503
    server.hang_up()
    world.until(lambda: not world.reading._covering)
    others = [server.add_account() for _ in range(60)]
    missed = [server.post(one, SPAM, tell=False) for one in others]
    late = server.post(server.add_account(), SPAM, at=server.clock() - 300, tell=False)
    server.refuse = 0
    world.covering()
    assert world.handed_on() == sorted([before, late, *missed])


def test_while_the_gap_is_open_the_mark_stays_and_a_look_that_is_cut_goes_on(make, server, monkeypatch):
    monkeypatch.setattr(timeline, "PAGES_MAX", 1)
    world = make()
    world.covering()
    server.hang_up()
    world.until(lambda: not world.reading._covering)
    mark = timeline.Marks(world.context).seen
    missed = [server.post(server.add_account(), SPAM, tell=False) for _ in range(150)]
    world.until(lambda: world.redis.lpos("rq:queue:default", "poll_public_timeline-now") is not None)
    assert timeline.Marks(world.context).seen == mark
    assert "the next goes on" in world.look()["ended"]
    assert timeline.Marks(world.context).seen == mark
    world.covering()
    assert world.handed_on() == sorted(missed)
    assert timeline.Marks(world.context).seen > mark
    assert timeline.Marks(world.context).walk == 0


def test_what_came_while_nothing_ran_is_looked_at_after_the_start(make, server):
    world = make()
    world.covering()
    world.reading.leave()
    missed = server.post(server.add_account(), SPAM)
    world.reading = world.begin()
    world.covering()
    assert world.handed_on() == [missed]


def test_the_first_start_looks_at_nothing_old(make, server):
    server.post(server.add_account(), SPAM)
    world = make()
    world.covering()
    assert world.handed_on() == []
    assert server.strict.codes == []


def test_while_the_stream_reads_along_looks_cost_no_request(make, server):
    world = make()
    world.covering()
    assert timeline.look(world.context).ended == "the stream, or another look, sees to it"
    assert server.strict.codes == []
    world.reading.leave()
    assert timeline.look(world.context).ended == "complete"
    assert server.strict.codes == [200]


def test_a_stream_that_died_stands_in_the_way_of_a_look_for_a_minute_at_most(make, redis):
    world = make()
    world.covering()
    for lock in ("timeline:all", "stream:all"):
        assert 0 < redis.pttl(f"mastowatch:lock:{lock}") <= 60_000


def test_a_second_stream_stands_by_and_takes_over(make, server):
    first, second = make(), make()
    first.covering()
    second.until(lambda: "Standing by" in second.reading.describe())
    assert second.reading.ready()
    assert server.attempts == 1
    first.reading.leave()
    second.covering()
    assert server.attempts == 2


def test_a_stream_whose_lead_another_has_taken_lets_go_of_its_connection(make, server, redis):
    world = make()
    world.covering()
    redis.set("mastowatch:lock:stream:all", "another")
    world.until(lambda: "Standing by" in world.reading.describe())
    server.connections[0].heartbeat()
    world.until(lambda: server.strict.codes or not server.connections or server.connections[0].heartbeat())
    assert not world.reading._covering
    redis.delete("mastowatch:lock:stream:all")
    world.covering()
    assert server.attempts == 2


def test_a_refusal_is_told_once_and_tried_again_seldom(make, server, caplog):
    caplog.set_level("INFO", logger="mastowatch")
    server.refuse = 403
    world = make()
    world.until(lambda: server.attempts == 3)
    told = [record for record in caplog.records if record.message == "stream_refused"]
    assert len(told) == 1
    assert "read:statuses" in told[0].why
    assert world.ahead_s > streams.REFUSED_RETRY_S
    assert "Refused" in world.reading.describe()
    assert world.reading.ready(), "it knows why it can't read"
    assert timeline.look(world.context).ended == "complete", "looks do it meanwhile"
    server.refuse = 0
    world.covering()
    assert world.handed_on() == []


def test_breaks_are_told_once_an_outage_with_longer_pauses_each_time(make, server, caplog):
    caplog.set_level("INFO", logger="mastowatch")
    world = make()
    world.covering()
    server.refuse = 503
    server.hang_up()
    world.until(lambda: server.attempts == 8)
    server.refuse = 0
    world.covering()
    names = [record.message for record in caplog.records if record.message.startswith("stream_")]
    assert names == ["stream_connected", "stream_broken", "stream_connected"]
    assert caplog.records[-1].away_s > 30, "2 + 4 + 8 + ... s, each shortened by half at most"


def test_nothing_is_handed_on_while_stopped_and_the_gap_is_looked_at_afterwards(make, server):
    world = make()
    world.covering()
    world.context.switches.set_panic_stop(on=True, by="me", now=1.0)
    world.until(lambda: "Stopped" in world.reading.describe())
    post = server.post(server.add_account(), SPAM)
    world.until(lambda: world.reading.seen == 1)
    assert world.handed_on() == []
    world.context.switches.set_panic_stop(on=False, by="me", now=2.0)
    world.until(lambda: "Stopped" not in world.reading.describe())
    world.covering()
    assert world.handed_on() == [post]
    assert server.attempts == 1, "the connection stays"


def test_new_settings_and_rules_are_put_in_force_without_a_break_unless_they_ask_for_one(make, server):
    world = make()
    world.covering()
    world.reading.adopt(world.loaded, replace(world.context, settings=world.context.settings))
    world.covering()
    assert server.attempts == 1
    changed = world.context.settings.model_copy(update={"public_posts": "remote"})
    world.context = replace(world.context, settings=changed)
    world.reading.adopt(replace(world.loaded, settings=changed), world.context)
    world.until(lambda: server.attempts == 2)
    world.connected()
    assert server.connections[-1].path.endswith("/remote")


def test_redis_away_loses_no_post(server, tmp_path):
    with running_redis(tmp_path) as redis:
        world = World(server, redis.url, tmp_path)
        world.covering()
        redis.kill()
        posts = [server.post(server.add_account(), SPAM) for _ in range(30)]
        deadline = time.monotonic() + 60
        while world.reading.seen < 30:
            assert time.monotonic() < deadline
            world.reading._next_books = 0
            with pytest.raises((RedisError, StoreUnavailable)):
                world.reading.step()
        redis.start()
        with contexts.ensure_layout(world.redis):
            pass
        world.until(lambda: len(world.handed_on()) == 30)
        assert world.handed_on() == sorted(posts)
        world.reading._line.cut()
        world.redis.close()


def test_past_its_bound_it_holds_no_more_and_looks_at_the_timeline_later(make, server):
    world = make()
    world.covering()
    world.reading._hold.authors_max = 5
    posts = [server.post(server.add_account(), SPAM) for _ in range(12)]
    world.until(lambda: world.reading.seen == 12)
    world.covering()
    world.until(lambda: len(world.handed_on()) == 12)
    assert world.handed_on() == sorted(posts)


def test_at_the_end_what_is_held_is_handed_on(make, server):
    world = make()
    world.covering()
    author = server.add_account()
    server.post(author, SPAM)
    world.until(world.handed_on)
    last = server.post(author, SPAM)
    world.until(lambda: world.reading.seen == 2)
    assert last not in world.handed_on()
    world.reading.leave()
    assert last in world.handed_on()


def test_how_far_it_is_behind_is_told_every_few_seconds_by_the_one_that_reads(make, server, redis):
    world, other = make(), make()
    world.covering()
    other.reading.step()
    notes = world.context.stream_notes
    world.until(lambda: (notes.read() or StreamNote(0, False, False)).covering)
    assert (notes.read().connected, notes.read().lag_s) == (True, None)
    author = server.add_account()
    server.post(author, "Hello")
    world.until(lambda: notes.read().lag_s is not None)
    assert 0 <= notes.read().lag_s <= 60
    assert notes.read().post_at > 0
    world.until(lambda: notes.read().lag_s is None)
    world.reading._line.cut()
    world.reading._line._next = float("inf")
    world.until(lambda: not notes.read().connected)


def test_nothing_of_a_private_post_an_address_or_a_text_reaches_redis(make, server, redis):
    world = make()
    world.covering()
    author = server.add_account(note="<p>canary-bio</p>")
    server.post(author, f"{SPAM} canary-private", visibility="private")
    server.post(author, f"{SPAM} canary-public")
    world.until(world.handed_on)
    dump = b"".join(_plain(redis.dump(key) or b"") for key in redis.keys("*"))
    for canary in (b"canary", b"secret.example", b"203.0.113.7", b"airdrop"):
        assert canary not in dump
