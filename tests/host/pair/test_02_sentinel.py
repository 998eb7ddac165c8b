"""The same over sentinels: the primary is stopped, then killed; both hosts follow it, and no job is lost."""

from __future__ import annotations

import time

import pytest

from tests.host.pair.two import CREDENTIALS, NAME, OURS, PORT, REDIS, no_restart
from tests.host.suite import SCHEDULER
from tests.host.waiting import wait


@pytest.fixture(scope="module", autouse=True)
def over_sentinels(pair):
    pair.run_redis(pair.b, replica_of=pair.address(pair.a))
    wait(lambda: pair.follows(pair.b), 30, "the replica has all")
    pair.watch()
    for side in pair.both:
        pair.point(
            side,
            REDIS_URL="rediss://sentinels-know/1",
            REDIS_SENTINELS=pair.sentinel_addresses,
            REDIS_SENTINEL_MASTER=NAME,
        )
        side.systemctl("restart", *OURS)
        wait(lambda side=side: side.all_active(OURS), 60, f"all units of {side.host.name} are active")
    wait(lambda: any("Leading" in side.status(SCHEDULER) for side in pair.both), 30, "a scheduler leads")


def _takeover(pair, measured, what, old, new, end):
    """Let ``end`` end the primary on ``old``; all that was accepted before and meanwhile is done with ``new``."""
    posts, pids = pair.a.posts, {side.host.name: side.pids(OURS[:2]) for side in pair.both}
    accepted = pair.trigger(new, posts[20:40])
    pair.replicate(old)
    end()
    began = time.monotonic()
    wait(lambda: pair.is_primary(new), 40, "the replica is the primary", every_s=0.1)
    promoted = time.monotonic() - began
    wait(lambda: pair.trigger(new, posts[40:41]), 40, "the API accepts jobs", every_s=0.1)
    accepting = time.monotonic() - began
    accepted += pair.trigger(new, posts[41:50])
    done = pair.finished(new)
    wait(lambda: pair.finished(new) > done, 40, "jobs are done", every_s=0.1)
    working = time.monotonic() - began
    measured(f"{what}: promoted, jobs accepted, jobs done", f"{promoted:.1f}, {accepting:.1f}, {working:.1f} s")
    pair.wait_for_all(new, accepted, 60)
    assert {side.host.name: side.pids(OURS[:2]) for side in pair.both} == pids
    old.systemctl("start", REDIS)
    wait(lambda: pair.follows(old), 60, "the old primary follows the new one")


def test_a_primary_that_is_stopped_hands_all_over(pair, measured):
    _takeover(pair, measured, "primary stopped", pair.a, pair.b, lambda: pair.a.systemctl("stop", REDIS, timeout=60))


def test_a_primary_that_is_killed_is_succeeded(pair, measured):
    with no_restart(pair.b, REDIS):
        kill = lambda: pair.b.systemctl("kill", "--signal=KILL", REDIS)  # noqa: E731
        _takeover(pair, measured, "primary killed", pair.b, pair.a, kill)


def test_the_sentinels_password_is_asked_for(pair):
    assert pair.b.host.path(f"{CREDENTIALS}/redis_sentinel_password").exists()
    ask = f"redis-cli -h {pair.address(pair.a)} -p 2{PORT} --tls --cacert /etc/mastowatch/redis-ca.pem"
    assert "NOAUTH" in pair.b.host.sh(f"{ask} SENTINEL masters")
