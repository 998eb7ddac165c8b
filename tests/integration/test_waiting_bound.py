"""While so many judgements wait that more would fill Redis, nothing looks for more, and nothing is lost by it."""

from __future__ import annotations

import pytest

from mastowatch import metrics
from mastowatch.config import Settings
from mastowatch.jobs import intake, queues, tasks
from mastowatch.jobs.context import load_rules
from mastowatch.jobs.queues import Jobs
from mastowatch.jobs.timeline import look
from mastowatch.web import webhooks
from tests.engine import wait
from tests.integration.test_stream_process import launch, queued, server, start
from tests.integration.test_timeline import World as TimelineWorld
from tests.rules import AIRDROP
from tests.webhooks import delivery, running_api, status_entity
from tests.world import World, account

__all__ = ["launch", "server", "start"]
pytestmark = pytest.mark.redis
MOST = 10


@pytest.fixture
def few(monkeypatch) -> None:
    monkeypatch.setattr(queues, "WAITING_MAX", MOST)
    monkeypatch.setattr(intake, "WAITING_MAX", MOST)


def fill(redis, number: int = MOST) -> None:
    for one in range(number):
        assert Jobs(redis, Settings()).analyze(str(5_000_000 + one))


@pytest.fixture
def world(redis, few, tmp_path) -> World:
    (tmp_path / "airdrop.toml").write_text(AIRDROP)
    return World(redis, load_rules(tmp_path))


def waiting(redis) -> set[str]:
    ids = [raw.decode() for raw in redis.lrange("rq:queue:default", 0, -1)]
    return {one.rpartition("-")[2] for one in ids if int(one.rpartition("-")[2]) < 5_000_000}


def test_a_poll_asks_for_nothing_while_so_many_wait(world):
    world.server.add(account("7"))
    fill(world.redis)
    assert world.run(tasks.poll_admin_accounts)["ended"] == "10 judgements wait already; a later poll goes on"
    assert world.server.requests == 0
    world.redis.rpop("rq:queue:default")
    assert world.run(tasks.poll_admin_accounts)["ended"] == "complete"
    assert waiting(world.redis) == {"7"}


def test_local_newcomers_come_first_while_a_wave_from_elsewhere_waits(world, monkeypatch):
    monkeypatch.setattr("mastowatch.jobs.polling.LOCAL_MORE", 2)
    fill(world.redis)
    world.server.add(*(account(one, domain=None) for one in ("7", "8")))
    assert world.run(tasks.poll_admin_accounts_local)["ended"] == "10 judgements wait already; a later poll goes on"
    front = [raw.decode().rpartition("-")[2] for raw in world.redis.lrange("rq:queue:default", 0, 1)]
    assert sorted(front) == ["7", "8"]
    world.server.add(account("9", domain=None))
    asked = world.server.requests
    world.run(tasks.poll_admin_accounts_local)
    assert world.server.requests == asked, "but not without end"
    world.redis.ltrim("rq:queue:default", 0, 1)
    assert world.run(tasks.poll_admin_accounts_local)["ended"] == "complete"
    assert waiting(world.redis) == {"7", "8", "9"}


def test_delayed_judgements_count_as_those_that_wait(world):
    world.redis.zadd("rq:scheduled:default", {str(number): number for number in range(MOST)})
    assert "a later poll goes on" in world.run(tasks.poll_admin_accounts)["ended"]


def test_a_walk_stops_where_the_queue_is_full_and_loses_nobody(world):
    world.server.page_size = 4
    world.server.add(account("1"))
    world.run(tasks.poll_admin_accounts)
    newcomers = {str(number) for number in range(2, 402)}
    world.server.add(*map(account, newcomers))
    found: set[str] = set()
    for _ in range(400):
        world.run(tasks.poll_admin_accounts)
        found |= waiting(world.redis)
        # The page that filled it came whole.
        assert world.redis.llen("rq:queue:default") < MOST + world.server.page_size
        world.redis.delete("rq:queue:default")
        if found >= newcomers:
            break
    assert found >= newcomers


def test_a_look_at_the_timeline_leaves_its_mark_where_it_stood(redis, few, tmp_path):
    world = TimelineWorld(redis, tmp_path)
    look(world.context)
    world.now += 60
    world.posts(30, ago_s=30)
    fill(redis)
    assert look(world.context).ended == "10 judgements wait already; a later look goes on"
    world.now += 600
    redis.delete("rq:queue:default")
    assert look(world.context).handed_on == 30


def test_the_stream_holds_what_it_found_until_there_is_room(launch, server, redis, redis_server):
    unit = launch(redis_server)
    unit.wait_for("Reading")
    with redis.pipeline() as pipe:
        for number in range(queues.WAITING_MAX):
            pipe.rpush("rq:queue:default", f"analyze_and_maybe_report-{number}")
        pipe.execute()
    server.post(server.add_account(), "airdrop")
    unit.wait_for("Nothing is handed on: 10,000 judgements wait already")
    assert queued(redis) == 0
    redis.ltrim("rq:queue:default", 0, 10)
    wait(lambda: queued(redis) == 1)
    unit.wait_for("1 handed on")
    unit.stop()


def test_a_webhook_is_told_to_come_again_and_leaves_no_mark(redis, redis_server, few):
    with running_api(redis_server) as api:
        for number in range(MOST):
            assert api.outcome(delivery("status.created", status_entity(str(100 + number)))) == "queued"
        late = delivery("status.created", status_entity("200"))
        answer = api.post(late)
        assert (answer.status_code, answer.json()["detail"]) == (503, "too many jobs wait already; send this again")
        assert answer.headers["Retry-After"]
        again = delivery("status.updated", status_entity("100"))
        assert api.outcome(again) == "already queued", "what costs no room is taken in"
        redis.lpop("rq:queue:high")
        assert api.outcome(late) == "queued"
        wait(lambda: redis.hget("mastowatch:tally", metrics.WEBHOOKS_PUT_OFF) == b"1")


def test_reports_that_other_servers_send_leave_room_for_what_happens_here(redis, redis_server, few, monkeypatch):
    monkeypatch.setattr(webhooks, "WAITING_MAX", MOST)
    with running_api(redis_server) as api:
        reports = [delivery("report.created", {"id": str(number)}) for number in range(1, MOST + 1)]
        assert [api.post(one).status_code for one in reports].count(503) == MOST // 2
        assert api.outcome(delivery("status.created", status_entity("100"))) == "queued"
