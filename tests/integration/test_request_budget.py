"""The shared budget against a server that enforces its limits: whoever asks, Mastodon never has to answer 429."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import Literal

import pytest
import requests
from redis import Redis

from mastowatch.adapters.mastodon_api import MastodonApi
from mastowatch.errors import BudgetExhausted, MastodonRateLimited
from mastowatch.ports.mastodon import Purpose
from tests.mastodon_client import client
from tests.strict_mastodon import StrictMastodon, strict_mastodon

READERS = 4
# Alike for both families, as Mastodon's are: while both windows end together, headers can't be told apart, and
# with different limits the budget would hold back more than it must, depending on the time of day.
LIMIT = 60
Walk = Literal["newest", "below"]


@dataclass(frozen=True)
class Clock:
    """A clock that is ahead; as processes that race need it, too, it is no closure."""

    ahead_s: float

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@pytest.fixture
def clock() -> Clock:
    """Begin at the beginning of a window: they are the clock's, and at the end of one a test would see two."""
    return Clock(900 - time.time() % 900)


def read_until_exhausted(api: MastodonApi, walk: Walk = "newest") -> int:
    """Ask until the budget says no; returns how often it said yes. A 429 of the server is an error here."""
    asked = 0
    while True:
        try:
            api.newest_accounts("remote") if walk == "newest" else api.accounts_below("remote", "1000")
            asked += 1
        except MastodonRateLimited:
            raise AssertionError("Mastodon had to answer 429") from None
        except BudgetExhausted:
            return asked


def meet(gate: Barrier) -> None:
    """Wait at the beginning of a process until the others have begun, too."""
    gate.wait(60)


def race(url: str, redis_url: str, clock: Clock, walk: Walk, purpose: Purpose) -> int:
    """Run in a process of its own."""
    with Redis.from_url(redis_url) as redis:
        api = client(url, "token", redis, per_5_min=LIMIT, paged_per_15_min=LIMIT, clock=clock)
        return read_until_exhausted(api.for_purpose(purpose), walk)


@pytest.mark.parametrize(
    ("walk", "purpose", "allowed"),
    [("newest", "report", 60), ("newest", "poll", 42), ("below", "report", 60), ("below", "sweep", 30)],
)
def test_racing_readers_use_up_their_share_and_never_meet_a_429(redis, redis_server, clock, walk, purpose, allowed):
    with strict_mastodon(per_5_min=LIMIT, per_user=5 * LIMIT, paged=LIMIT, clock=clock) as strict:
        context = multiprocessing.get_context("spawn")
        together = {"initializer": meet, "initargs": (context.Barrier(READERS),)}
        with ProcessPoolExecutor(READERS, mp_context=context, **together) as pool:
            readers = [pool.submit(race, strict.url, redis_server, clock, walk, purpose) for _ in range(READERS)]
            asked = [reader.result(60) for reader in readers]
    assert strict.codes == [200] * allowed
    assert sum(asked) == allowed


def already_used(strict: StrictMastodon, name: str, count: int) -> None:
    """As if other programs with the same token or user had made so many requests."""
    throttle = next(one for one in strict.throttles if one.name == name)
    throttle.counts[int(strict.clock() // throttle.window_s)] = count


@pytest.mark.parametrize(
    ("throttle", "used", "walk", "left"),
    [("token", 270, "newest", 30), ("user", 1480, "newest", 20), ("paging", 285, "below", 15)],
)
def test_what_other_programs_use_up_is_learned_from_the_headers(redis, clock, throttle, used, walk, left):
    with strict_mastodon(clock=clock) as strict:
        already_used(strict, throttle, used)
        api = client(strict.url, "token", redis, clock=clock).for_purpose("report")
        assert read_until_exhausted(api, walk) == left
    assert strict.codes == [200] * left


def test_a_poll_that_finds_others_near_the_limit_leaves_the_rest_to_reports(redis, clock):
    with strict_mastodon(clock=clock) as strict:
        already_used(strict, "token", 270)
        api = client(strict.url, "token", redis, clock=clock)
        assert read_until_exhausted(api.for_purpose("poll")) == 1
        assert read_until_exhausted(api.for_purpose("report")) == 29


def test_a_429_that_others_caused_is_met_once_by_all_processes_together(redis, clock):
    with strict_mastodon(clock=clock) as strict:
        already_used(strict, "token", 300)
        apis = [client(strict.url, "token", redis, clock=clock) for _ in range(3)]
        with pytest.raises(MastodonRateLimited) as limited:
            apis[0].newest_accounts("remote")
        for api in apis:
            with pytest.raises(BudgetExhausted):
                api.newest_accounts("remote")
        assert strict.codes == [429]
        assert 0 < limited.value.retry_at - (clock() // 300 + 1) * 300 <= 3


def test_the_server_of_these_tests_does_answer_429_without_a_budget(clock):
    with strict_mastodon(per_5_min=5, clock=clock) as strict:
        codes = [requests.get(strict.url, timeout=5).status_code for _ in range(7)]
    assert codes == [200] * 5 + [429] * 2
