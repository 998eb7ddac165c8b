"""Looks at the public timeline, over a real redis-server and the Mastodon in memory that is shipped."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis

from mastowatch.adapters.memory_mastodon import MemoryMastodon
from mastowatch.config import Settings, load
from mastowatch.domain.ruleset import RuleSet
from mastowatch.errors import BudgetExhausted, MastodonAuthError, MastodonUnreachable
from mastowatch.jobs import context as contexts
from mastowatch.jobs import tasks, timeline
from mastowatch.jobs.scheduler import recurring_jobs
from mastowatch.jobs.timeline import GAP_MAX_S, Marks, id_at, look
from mastowatch.ports.types import Account, Status

pytestmark = pytest.mark.redis
START = 1_767_268_800.0  # 2026-01-01 12:00 UTC
RULE = {
    "id": "airdrop", "name": "Airdrop", "description": "d", "mode": "report", "weight": 5,
    "account": {"age_max": "7d"}, "status": {"words": ["airdrop"]},
    "examples": {"match": [{"age": "1d", "posts": ["airdrop"]}], "no_match": [{"posts": ["x"]}]},
}  # fmt: skip


class World:
    def __init__(self, redis: Redis, directory: Path, **settings: str) -> None:
        self.now, self.redis, self.handed_on = START, redis, []
        born = datetime.fromtimestamp(START, UTC) - timedelta(days=1)
        self.server = MemoryMastodon(Account("1", "bot", "bot", None, "", "", "", born))
        for number, domain in ((2, "far.example"), (3, None)):
            acct = f"a{number}@{domain}" if domain else f"a{number}"
            self.server.add(Account(str(number), acct, f"a{number}", domain, "", "", "", born, statuses=3))
        (directory / "token").write_text("t")
        loaded = load({"INSTANCE_BASE": "https://m.example", "ACCESS_TOKEN_FILE": str(directory / "token"), **settings})
        built = contexts.build(loaded, redis, RuleSet.load([("airdrop.toml", RULE)]))
        self.context = replace(built, mastodon=self.server.for_purpose, clock=lambda: self.now)

    def post(self, *, ago_s: float = 0.0, author: str = "2", text: str = "airdrop", **changes) -> str:
        number = id_at(self.now - ago_s) + len(self.server.posts)
        at = datetime.fromtimestamp(self.now - ago_s, UTC)
        self.server.post(replace(Status(str(number), author, at, f"<p>{text}</p>"), **changes))
        return str(number)

    def posts(self, number: int, *, ago_s: float = 0.0) -> None:
        """Let so many authors post once each."""
        for author in range(100, 100 + number):
            self.server.add(replace(self.server.accounts["2"], id=str(author)))
            self.post(author=str(author), ago_s=ago_s)


@pytest.fixture
def world(redis, tmp_path) -> World:
    return World(redis, tmp_path)


def test_the_first_look_is_at_the_newest_page_alone(world):
    world.posts(50)
    found = look(world.context)
    assert (found.seen, found.handed_on, found.pages, found.ended) == (40, 40, 0, "complete")
    assert world.server.requests == 1


def test_only_what_some_rule_wants_is_handed_on_and_that_once(world):
    world.post(text="hello")
    world.post()
    assert look(world.context).handed_on == 1
    world.now += 60
    again = look(world.context)
    assert (again.seen, again.handed_on) == (4, 0), "the newest page and the overlap show them once more"


def test_suspended_accounts_and_staff_cost_nothing(world):
    author = world.server.accounts["2"]
    for changes in ({"suspended": True}, {"staff": True}):
        world.server.add(replace(author, **changes))
        world.post()
        assert look(world.context).handed_on == 0


def test_a_wave_between_two_looks_is_walked_without_a_gap(world):
    look(world.context)
    world.now += 60
    world.posts(150, ago_s=30)
    found = look(world.context)
    assert (found.handed_on, found.ended) == (150, "complete")
    assert found.pages <= 5


def test_a_post_that_came_in_late_is_found_by_the_overlap(world):
    look(world.context)
    world.now += 60
    world.posts(45)
    late = world.post(ago_s=100)
    look(world.context)
    assert world.context.handed_on.fresh([late]) == set()


def test_without_budget_it_goes_on_next_time_from_where_it_was(world):
    look(world.context)
    world.now += 60
    world.posts(130, ago_s=10)
    mark = Marks(world.context).seen
    # The newest page, one of the walk; then nothing is left.
    page = world.server.public_timeline
    calls = []

    def running_out(**asked):
        calls.append(asked)
        if len(calls) == 3:
            raise BudgetExhausted("nothing left", world.now + 60)
        return page(**asked)

    world.server.public_timeline = running_out
    first = look(world.context)
    assert (first.handed_on, "no budget" in first.ended) == (80, True)
    assert Marks(world.context).seen == mark
    second = look(world.context)
    assert (second.handed_on, second.ended) == (50, "complete")
    assert int(calls[3 + 1]["min_id"]) > int(calls[1]["min_id"])


def test_a_gap_of_days_is_cut_and_told(world, caplog):
    caplog.set_level("INFO", logger="mastowatch")
    look(world.context)
    world.now += 3 * 86400
    old, recent = world.post(ago_s=GAP_MAX_S + 60), world.post(ago_s=GAP_MAX_S - 60)
    world.posts(45)
    look(world.context)
    assert world.context.handed_on.fresh([old, recent]) == {old}
    assert [one.message for one in caplog.records] == ["timeline_gap_cut"]


def test_where_ids_carry_no_time_the_newest_page_is_all_there_is(world):
    for number in range(60):
        world.server.post(Status(str(1000 + number), "2", datetime.fromtimestamp(START, UTC), "<p>airdrop</p>"))
    look(world.context)
    world.now += 60
    found = look(world.context)
    assert (found.pages, found.ended) == (0, "complete")


@pytest.mark.parametrize(("which", "authors"), [("all", {"2", "3"}), ("remote", {"2"}), ("local", {"3"})])
def test_it_looks_at_the_posts_that_are_wanted(redis, tmp_path, which, authors):
    world = World(redis, tmp_path, PUBLIC_POSTS=which)
    posts = {author: world.post(author=author) for author in ("2", "3")}
    look(world.context)
    assert {one for one, post in posts.items() if not world.context.handed_on.fresh([post])} == authors


def test_two_looks_at_once_are_one(world):
    world.context.locks.acquire("timeline:all", "another", 60)
    assert "another" in look(world.context).ended
    assert world.server.requests == 0


def test_the_lock_is_free_after_a_look_also_after_one_that_failed(world):
    world.server.fail_next(MastodonUnreachable("no"))
    with pytest.raises(MastodonUnreachable):
        look(world.context)
    assert look(world.context).ended == "complete"


def test_a_server_that_shows_its_timeline_to_nobody_is_told_of_once_and_is_no_error(world, caplog):
    for _ in range(3):
        world.server.fail_next(MastodonAuthError("timelines/public: not allowed (403)"))
        assert "403" in look(world.context).ended
    assert [one.message for one in caplog.records] == ["timeline_refused"]
    assert look(world.context).ended == "complete"


def test_a_cursor_that_is_no_time_or_id_is_none(world):
    for name in ("streamed", "looked", "walk"):
        world.context.cursors.set(f"timeline:all:{name}", "nonsense")
    assert look(world.context).ended == "complete"


def test_the_panic_stop_stops_it(world):
    world.context.switches.set_panic_stop(on=True, by="me", now=START)
    with contexts.use(world.context):
        assert "panic" in tasks.poll_public_timeline()["ended"]
    assert world.server.requests == 0


def test_it_recurs_unless_its_interval_is_0():
    ids = {one.id: one.every_s for one in recurring_jobs(Settings())}
    assert ids["poll_public_timeline"] == 60
    assert "poll_public_timeline" not in {one.id for one in recurring_jobs(Settings(poll_public_timeline_interval=0))}


def test_posts_seen_are_counted(world):
    world.post()
    look(world.context)
    assert world.context.tally.read()["posts_seen"] == 1
    assert world.context.tally.read()["posts_handed_on"] == 1


def test_a_walk_that_is_too_long_goes_on_at_the_next_look(world, monkeypatch):
    monkeypatch.setattr(timeline, "PAGES_MAX", 2)
    look(world.context)
    world.now += 60
    world.posts(200, ago_s=10)
    looks = []
    while not looks or looks[-1].ended != "complete":
        looks.append(look(world.context))
        assert len(looks) < 5
    assert sum(one.handed_on for one in looks) == 200
    assert all(one.pages <= 2 for one in looks)
