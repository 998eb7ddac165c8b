"""No GET of the API or the dashboard sends Redis a command that writes, whatever stands in Redis.

RQ's own registries run clean-ups, with failure callbacks, whenever they are counted or listed.
"""

from __future__ import annotations

import re

import pytest
from fastapi import FastAPI
from redis import Redis
from starlette.routing import Route

from mastowatch.config import Loaded, Settings
from mastowatch.jobs import context as contexts
from mastowatch.jobs.context import View
from mastowatch.jobs.listing import STATUSES
from mastowatch.jobs.scheduler import get_scheduler
from mastowatch.web.app import create_api
from mastowatch.web.dashboard import create_dashboard
from tests.asgi import client_of
from tests.left_jobs import NOW, LeftJob, leave
from tests.snapshot import snapshot

pytestmark = pytest.mark.redis

# These never end by themselves.
STREAMS = ("/events", "/jobs/events")
KNOWN = {"account_id": "42", "name": "w", "action": "cancel"}
QUERIES = ("", "?status=failed", "?error=no&since=1&until=2e9", "?function=x&text=y", "?queue=low")


@pytest.fixture
def view(redis: Redis) -> View:
    return contexts.view(Loaded(Settings(instance_base="https://mastodon.example"), {}), redis)


@pytest.fixture
def full(view: View) -> Redis:
    """A Redis with jobs of each status, whose time in their registries is long over."""
    redis = view.redis
    get_scheduler(redis, view.settings).step(NOW)
    redis.delete("rq:scheduler_lock")  # it would run out by itself in the middle of a test
    long_ago = NOW - 1_000_000_000
    for queue in ("default", "another"):
        leave(redis, *(LeftJob(f"{status}-{queue}", status, queue, long_ago, error="E: no") for status in STATUSES))
    leave(redis, LeftJob("one", "failed", at=long_ago, error="ValueError: 1"))
    redis.sadd("rq:workers", "rq:worker:w", "rq:worker:dead")
    redis.hset("rq:worker:w", mapping={"state": "busy", "queues": "default,low", "birth": "2026-01-01T00:00:00Z"})
    return redis


def paths(app: FastAPI) -> list[str]:
    """Return the path of each GET, with something known in the place of each parameter."""
    described = [path for path, methods in app.openapi()["paths"].items() if "get" in methods]
    # The dashboard does not describe itself to anybody, and includes no routers.
    routes = [one.path for one in app.routes if isinstance(one, Route) and "GET" in (one.methods or ())]
    known = re.compile(r"{(\w+)(:\w+)?}")
    found = {known.sub(lambda name: KNOWN.get(name[1], "one"), path) for path in (*described, *routes)}
    return sorted(found - set(STREAMS))


def writes(redis: Redis) -> dict[str, int]:
    """Return how often each command that writes was sent."""
    found = {}
    commands = redis.command()
    for name, one in redis.info("commandstats").items():
        command = name.removeprefix("cmdstat_").partition("|")[0]
        if "write" in commands.get(command, {}).get("flags", ()):
            found[name] = one["calls"]
    return found


def get_all(app: FastAPI, redis: Redis, base_url: str, headers: dict[str, str]) -> dict[str, int]:
    """Ask for everything there is, see that nothing changed, and return what was answered."""
    before, sent = snapshot(redis), writes(redis)
    answered = {}
    with client_of(app, base_url) as client:
        client.headers.update(headers)
        for path in paths(app):
            for query in QUERIES if path.endswith("/jobs") else ("",):
                answered[path + query] = client.get(path + query).status_code
    assert writes(redis) == sent
    assert snapshot(redis) == before
    return answered


def test_the_counting_sees_a_write(full: Redis):
    sent = writes(full)
    full.zremrangebyscore("rq:failed:default", 0, 1)
    assert writes(full) != sent


def test_no_get_of_the_api_writes(view: View, full: Redis):
    answered = get_all(create_api(view, "key"), full, "http://127.0.0.1:8080", {"Authorization": "Bearer key"})
    assert answered["/jobs/jobs?status=failed"] == 200
    assert answered["/jobs/jobs/one"] == 200
    assert not [path for path, status in answered.items() if status >= 500 and not path.startswith("/readyz")]


def test_no_get_of_the_dashboard_writes(view: View, full: Redis):
    answered = get_all(create_dashboard(view), full, "http://127.0.0.1:9181", {})
    assert answered["/jobs?status=failed"] == 200
    assert answered["/jobs/one"] == 200
    assert not [path for path, status in answered.items() if status >= 500]
