"""Any history of an account, in any order: one open report at a time, none without news, and none missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from mastowatch.errors import MastodonUnreachable
from mastowatch.jobs.filing import SETTLE_S
from tests.filing_history import Killed, World

pytestmark = [pytest.mark.redis, pytest.mark.unmeasured]

DEATHS = [f"die {when} {step}" for step in ("plan", "send", "filed") for when in ("before", "after")]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.deferred(lambda: st.sampled_from([*HAPPENINGS, *DEATHS])), max_size=25))
def test_any_history_has_one_open_report_at_a_time_none_without_news_and_none_missing(
    redis: Redis, tmp_path: Path, events: list[str]
):
    redis.flushdb()
    world = World(redis, tmp_path)
    world.post("airdrop")
    for event in [*events, "wait", "judge", "wait", "judge"]:
        world.later(seconds=1)
        happen(world, event)
        opened = [report for report in world.reports() if not report.resolved]
        # Reports that people have opened again are theirs to close.
        assert len(opened) <= 1 + world.reopened
    check_that_each_had_news(world)
    newest = world.reports()[0]
    made = max(post.created_at for post in world.server.posts.values())
    assert not newest.resolved or made < newest.created_at or world.reopened, "nothing new is left unreported"


def happen(world: World, event: str) -> None:
    if event.startswith("die "):
        judge(world, dying=event.removeprefix("die "))
    else:
        HAPPENINGS[event](world)


def judge(world: World, **options: str) -> None:
    with suppress(Killed, MastodonUnreachable):
        world.judge(**options)


def resolve(world: World) -> None:
    for report in world.reports():
        if not report.resolved:
            world.server.resolve(report.id)


def lose_the_answer(world: World) -> None:
    world.server.lose_next_answer()
    judge(world)


def no_answer(world: World) -> None:
    world.server.away = True
    judge(world)
    world.server.away = False


HAPPENINGS: Mapping[str, Callable[[World], object]] = {
    "judge": judge,
    "post": lambda world: world.post("airdrop"),
    "another rule": lambda world: world.post("casino"),
    "resolve": resolve,
    "reopen": World.reopen_oldest,
    "lose the answer": lose_the_answer,
    "no answer": no_answer,
    "lose the claim": lambda world: world.redis.delete("mastowatch:claim:7"),
    "lose the case": lambda world: world.redis.delete("mastowatch:case:7"),
    "lose Redis": lambda world: world.redis.flushdb(),
    "wait": lambda world: world.later(seconds=SETTLE_S + 60),
}


def check_that_each_had_news(world: World) -> None:
    """Between two reports, a post was made."""
    reports = world.reports()
    for later, earlier in pairwise(reports):
        made = [post.created_at for post in world.server.posts.values()]
        assert any(earlier.created_at < at <= later.created_at for at in made)
    assert len({report.comment for report in reports}) == len(reports)
