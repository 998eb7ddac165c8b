"""An agreement that ends while a look from beside the work is under way."""

from __future__ import annotations

import threading

import pytest
from redis import Redis

from mastowatch.adapters.redis_layout import running
from mastowatch.errors import LayoutNewer, StoreUnavailable
from mastowatch.processes.layout import Agreement
from tests.redis_server import free_port


def test_a_look_after_the_end_does_not_take_the_process_in_again(redis: Redis):
    with Agreement(redis, "api") as agreement:
        agreement.begin()
        assert [one.kind for one in running(redis)] == ["api"]
    agreement.look()
    assert running(redis) == []


def test_an_end_waits_for_a_look_that_is_under_way(redis: Redis, monkeypatch):
    under_way, go_on = threading.Event(), threading.Event()
    with Agreement(redis, "api") as agreement:
        agree = agreement._layout.agree

        def slowly() -> None:
            under_way.set()
            go_on.wait(10)
            agree()

        monkeypatch.setattr(agreement._layout, "agree", slowly)
        look = threading.Thread(target=agreement.look)
        look.start()
        under_way.wait(10)
        go_on.set()
    look.join()
    assert running(redis) == []


def test_nothing_is_done_before_an_agreement_and_redis_away_afterwards_is_the_steps_to_notice(redis: Redis):
    steps = []
    clock = iter(range(0, 1000, 10)).__next__

    def step() -> bool:
        steps.append(1)
        return True

    with Redis(port=free_port()) as away, Agreement(away, "worker", clock=clock) as agreement:
        guarded = agreement.guard(step)
        with pytest.raises(StoreUnavailable):
            guarded()
        assert steps == []
    with Agreement(redis, "worker", clock=clock) as agreement:
        guarded = agreement.guard(step)
        guarded()
        agreement._layout._redis.connection_pool.connection_kwargs["port"] = free_port()
        agreement._layout._redis.connection_pool.disconnect()
        guarded()
        assert len(steps) == 2


def test_newer_keys_are_an_error_at_the_start_and_an_end_with_status_1_later(redis: Redis):
    clock = iter(range(0, 1000, 10)).__next__
    with Agreement(redis, "worker", clock=clock) as agreement:
        guarded = agreement.guard(lambda: True)
        guarded()
        redis.set("mastowatch:layout", 2)
        with pytest.raises(SystemExit) as ended:
            guarded()
        assert ended.value.code == 1
        agreement._outdated = False
    with Agreement(redis, "worker", clock=clock) as agreement, pytest.raises(LayoutNewer):
        agreement.guard(lambda: True)()
