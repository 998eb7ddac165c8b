"""One record of RQ's, or of what people have set, is damaged: everything beside it is shown, and work goes on."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from redis import Redis

from mastowatch.adapters.budget import LONG_S, SHORT_S
from mastowatch.jobs.scheduler import get_scheduler, recurring_jobs
from mastowatch.jobs.workforce import read_workers
from mastowatch.web.app import create_api
from mastowatch.web.dashboard import create_dashboard, live_routes
from mastowatch.web.dashboard.access import Access
from mastowatch.web.dashboard.rendering import Pages
from mastowatch.web.dashboard.site import Site
from tests.api_server import KEY
from tests.api_world import WORKER, seed, view_of
from tests.asgi import client_of

pytestmark = pytest.mark.redis

JOB = "poll_admin_accounts"
_PAGES = ("/", "/queues", "/recurring", "/workers", "/rules", "/switches", "/healthz")
_LISTS = ("/jobs/queues", "/jobs/scheduled", "/jobs/workers", "/rules", "/switches", "/metrics")
_NO_NUMBERS = ("²", "1e999", "9" * 5000)
_NO_MOMENTS = ('["me", 1e999]', '["me", 1e300]', '["me", NaN]', "[" * 100_000)


def _field(key: str, name: str, value: str) -> Callable[[Redis], object]:
    return lambda redis: redis.hset(key, name, value)


def _worker_of_another_type(redis: Redis) -> None:
    redis.sadd("rq:workers", "rq:worker:strange")
    redis.set("rq:worker:strange", "x")


def _queue_whose_name_is_no_text(redis: Redis) -> None:
    redis.sadd("rq:queues", b"rq:queue:\xff", b"\xff")


def _of_another_type(key: str) -> Callable[[Redis], object]:
    def damage(redis: Redis) -> None:
        redis.delete(key)
        redis.rpush(key, "x")

    return damage


def _odd_budget(redis: Redis) -> None:
    for window_s in (SHORT_S, LONG_S):
        for number in range(int(time.time() // window_s), int(time.time() // window_s) + 3):
            redis.mset({f"mastowatch:budget:{family}:{number}": "x" for family in ("token", "user", "paging")})


_COUNTS = ("pid", "successful_job_count", "failed_job_count", "total_working_time")
_DAMAGES = {
    "worker": _worker_of_another_type,
    "queue": _queue_whose_name_is_no_text,
    **{f"{one} {value[:5]}": _field(f"rq:worker:{WORKER}", one, value) for one in _COUNTS for value in _NO_NUMBERS},
    **{f"totals {value[:5]}": _field("rq:totals", "high:finished", value) for value in _NO_NUMBERS},
    **{f"paused {value[:12]}": _field("rq:paused", "low", value) for value in _NO_MOMENTS},
    **{f"last tick {value[:5]}": _field("rq:scheduler:last_tick", JOB, value) for value in _NO_NUMBERS},
    **{f"skipped {value[:5]}": _field("rq:scheduler:skipped", JOB, value) for value in _NO_NUMBERS},
    **{
        f"rule {one}": _field("mastowatch:rule:casino-words", one, "x")
        for one in ("hits", "reports", "last_hit_at", "since")
    },
    "rule of another type": _of_another_type("mastowatch:rule:casino-words"),
    "hits of another type": _of_another_type("mastowatch:rule:casino-words:hits"),
    "open reports of another type": _of_another_type("mastowatch:reports:open"),
    "block of another type": _of_another_type("mastowatch:budget:blocked_until"),
    "block that is no number": lambda redis: redis.set("mastowatch:budget:blocked_until", "x"),
    "budget that is no number": _odd_budget,
    **{
        f"interval {value[:12]}": _field("rq:scheduler:intervals", JOB, value)
        for value in ('[1e999, "me", 1]', '[60, "me", 1e300]', '[60, "me", NaN]', "[" * 100_000)
    },
}


@pytest.mark.parametrize("damage", _DAMAGES.values(), ids=_DAMAGES)
def test_a_damaged_record_hides_nothing_beside_it(redis: Redis, damage: Callable[[Redis], object]):
    view = view_of(redis)
    seed(view)
    damage(redis)
    access = Access.without_sign_in(view)
    dashboard, api = client_of(create_dashboard(view, access)), client_of(create_api(view, KEY))
    for path in _PAGES:
        assert dashboard.get(path).status_code in (200, 503 if path == "/healthz" else 200), path
    for path in _LISTS:
        assert api.get(path, headers={"X-API-Key": KEY}).status_code == 200, path
    site = Site(view, recurring_jobs(view.settings), Pages(view), access)
    assert live_routes.look(site).redis
    assert WORKER in [one.name for one in read_workers(redis)]
    scheduler = get_scheduler(redis, view.settings)
    scheduler.step(time.time())
    assert scheduler.next_due() is not None
