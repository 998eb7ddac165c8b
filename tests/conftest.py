"""What all tests share: one real redis-server a process of pytest, emptied before each test that asks for it."""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings
from redis import Redis

from tests import measuring
from tests.alone import is_alone, place_for
from tests.engine import end_all, wait_until_no_horse_is_left
from tests.programs import program
from tests.redis_server import private_redis

# A machine with much else to do takes its time; how long an example took says nothing about the code.
settings.register_profile("unhurried", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
measuring.begin()
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell without job control starts what it runs in the background so, and programs that tests press Ctrl-C for
    # would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a redis-server by the fixtures it asks for, and put what wants the machine to itself last."""
    for item in items:
        if {"redis", "redis_server"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.redis)
    items.sort(key=is_alone)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    with place_for(item), measuring.place_for(item):
        return (yield)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    with private_redis() as url:
        yield url


@pytest.fixture
def redis(redis_server: str) -> Iterator[Redis]:
    with Redis.from_url(redis_server) as client:
        wait_until_no_horse_is_left(client)
        client.flushdb()
        yield client
        end_all()


@pytest.fixture(scope="session")
def promtool() -> str:
    """Return the path of Prometheus' own tool, fetched where it is not installed."""
    return program("promtool")
