"""A Redis that answers, but takes no changes: everybody says which it is, and goes on afterwards."""

from __future__ import annotations

import html
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from redis import Redis
from redis.exceptions import RedisError, ResponseError
from rq.job import JobStatus

from mastowatch.adapters.redis_store import RedisHistory, RedisTally
from mastowatch.config import Settings
from mastowatch.errors import StoreUnavailable
from mastowatch.jobs.scheduler import get_scheduler
from mastowatch.jobs.worker import is_of_redis
from mastowatch.ports.types import QueuePoint
from mastowatch.processes.absence import Absence
from mastowatch.redis_trouble import FULL, NOT_SAVING, READ_ONLY, Trouble
from mastowatch.reliable.recovery import is_passing
from mastowatch.reliable.serializer import JsonQueue
from mastowatch.web.dashboard.app import create_dashboard
from tests.api_server import KEY, SECRET, served
from tests.api_world import view_of
from tests.asgi import client_of
from tests.dashboard_people import access_for_tests, post, sign_in
from tests.engine import attempts, end_all, hold, leftovers, pid, start, wait
from tests.redis_server import running_redis
from tests.webhooks import admin_account_entity, delivery, signature
from tests.world import START

TROUBLES = (FULL, READ_ONLY, NOT_SAVING)


@pytest.fixture(scope="module")
def stubborn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis that can't write a snapshot: a directory is in the way."""
    directory = tmp_path_factory.mktemp("redis")
    with running_redis(directory) as redis:
        (directory / "dump.rdb").mkdir()
        yield redis.url


@pytest.fixture
def client(stubborn: str) -> Iterator[Redis]:
    with Redis.from_url(stubborn) as redis:
        redis.flushdb()
        yield redis
        end_all()


@contextmanager
def refusing(redis: Redis, found: Trouble) -> Iterator[None]:
    begin, end = _HOW[found.word]
    begin(redis)
    try:
        yield
    finally:
        end(redis)


def _fail_to_save(redis: Redis) -> None:
    redis.config_set("save", "3600 1")
    redis.bgsave()
    wait(lambda: redis.info("persistence")["rdb_last_bgsave_status"] == "err")


_HOW: dict[str, tuple[Callable[[Redis], object], Callable[[Redis], object]]] = {
    "full": (lambda redis: redis.config_set("maxmemory", 1), lambda redis: redis.config_set("maxmemory", 0)),
    "read-only": (lambda redis: redis.replicaof("127.0.0.1", "1"), lambda redis: redis.replicaof("NO", "ONE")),
    "not saving": (_fail_to_save, lambda redis: redis.config_set("save", "")),
}


@pytest.mark.parametrize("found", TROUBLES, ids=lambda one: one.word)
def test_api_and_webhooks_say_which_it_is(client: Redis, found: Trouble):
    view = view_of(client)
    body = delivery("account.created", admin_account_entity("5"))
    with served(view) as base:
        headers = {"Authorization": f"Bearer {KEY}"}
        with refusing(client, found):
            asked = [
                requests.post(f"{base}/jobs/trigger/poll_admin_accounts", json={}, headers=headers, timeout=20),
                requests.post(f"{base}/jobs/queues/high/pause", headers=headers, timeout=20),
                requests.post(
                    f"{base}/jobs/queues/high/pause", headers={**headers, "Idempotency-Key": "one"}, timeout=20
                ),
                requests.post(f"{base}/webhooks/mastodon", data=body, headers=signature(body, SECRET), timeout=20),
            ]
        for answer in asked:
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
            assert (answer.json()["title"], found.says in answer.json()["detail"]) == (found.title, True), answer.text
        assert client.keys("rq:queue:*") == client.keys("mastowatch:webhook:*") == []
        # Nothing of what was refused stands in its way when it is sent again.
        again = requests.post(f"{base}/webhooks/mastodon", data=body, headers=signature(body, SECRET), timeout=20)
        assert (again.status_code, again.json()["outcome"]) == (202, "queued")


def test_the_command_line_says_which_it_is_and_what_to_do(client: Redis, stubborn: str):
    found = FULL
    with refusing(client, found):
        command = [sys.executable, "-m", "mastowatch", "panic", "on"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={"REDIS_URL": stubborn})
    assert done.returncode == 1
    assert found.says in done.stderr
    assert found.mend in done.stderr


@pytest.mark.parametrize("found", TROUBLES, ids=lambda one: one.word)
def test_the_dashboard_shows_its_pages_and_says_it_where_something_is_done(client: Redis, found: Trouble):
    view = view_of(client)
    browser = client_of(create_dashboard(view, access_for_tests(view)), "http://127.0.0.1:9181")
    sign_in(browser, view, "switch")
    with refusing(client, found):
        answer = post(browser, "/queues/pause", "/queues", queue="high")
    assert answer.status_code == 503
    shown = html.unescape(answer.text)
    assert found.title in shown
    assert found.mend in shown


@pytest.mark.parametrize("found", TROUBLES, ids=lambda one: one.word)
def test_a_job_that_ends_meanwhile_is_recorded_once_when_it_is_over(
    client: Redis, stubborn: str, found: Trouble, tmp_path: Path
):
    job = JsonQueue("default", connection=client).enqueue(hold, str(tmp_path))
    start(stubborn, ["default"])
    wait((tmp_path / "begun").exists)
    with refusing(client, found):
        before = refusals(client)
        (tmp_path / "go").touch()
        wait(lambda: refusals(client) > before + 3)
        assert attempts(client, job.id) == []
    wait(lambda: job.get_status(refresh=True) == JobStatus.FINISHED)
    assert attempts(client, job.id) == [("SUCCESSFUL", "")]
    wait(lambda: leftovers(client) == [])


@pytest.mark.parametrize("found", TROUBLES, ids=lambda one: one.word)
def test_what_waits_is_taken_when_it_is_over(client: Redis, stubborn: str, found: Trouble):
    job = JsonQueue("default", connection=client).enqueue(pid)
    with refusing(client, found):
        before = refusals(client)
        start(stubborn, ["default"])
        wait(lambda: refusals(client) > before + 3)
        assert client.llen("rq:queue:default") == 1
    wait(lambda: job.get_status(refresh=True) == JobStatus.FINISHED)
    assert attempts(client, job.id) == [("SUCCESSFUL", "")]


@pytest.mark.parametrize("found", TROUBLES, ids=lambda one: one.word)
def test_the_scheduler_queues_what_fell_due_once_when_it_is_over(client: Redis, found: Trouble):
    scheduler = get_scheduler(client, Settings())
    assert scheduler.step(START) > 0
    client.delete(*client.keys("rq:queue:*"), *client.keys("rq:job:*"))
    absence = Absence()
    with refusing(client, found):
        for second in range(3):
            with pytest.raises(RedisError) as refused:
                scheduler.step(START + 3600 + second)
            absence.begins(refused.value)
        assert absence.text.startswith(f"Redis {found.word} since ")
        assert client.keys("rq:queue:*") == []
    assert scheduler.step(START + 3610) > 0
    queued = [raw for key in client.keys("rq:queue:*") for raw in client.lrange(key, 0, -1)]
    assert sorted(queued) == sorted(one.id.encode() for one in scheduler.recurring)


def test_a_job_whose_pipeline_is_refused_has_not_failed(client: Redis):
    """There redis-py puts before the answer which command it was."""
    point = QueuePoint(START, "default", depth=0, oldest_s=0.0, started=0, finished=0, failed=0, workers=0)
    client.config_set("min-replicas-to-write", 1)
    try:
        with pytest.raises(StoreUnavailable, match="NOREPLICAS") as in_one_step:
            RedisTally(client).add_all({"accounts_seen": 1})
        with pytest.raises(StoreUnavailable, match="NOREPLICAS") as one_by_one:
            RedisHistory(client).record([point])
    finally:
        client.config_set("min-replicas-to-write", 0)
    assert is_of_redis(in_one_step.value)
    assert is_of_redis(one_by_one.value)


def test_a_script_that_redis_6_refuses_may_be_asked_again():
    told = "Error running script (call to f_1): @user_script:3: @user_script: 3: -OOM command not allowed"
    assert is_passing(ResponseError(told))
    assert not is_passing(ResponseError("Error running script (call to f_1): @user_script:3: attempt to index a nil"))


def refusals(redis: Redis) -> int:
    """Return how many commands Redis has refused so far."""
    told = redis.info("errorstats")
    return sum(told.get(f"errorstat_{word}", {}).get("count", 0) for word in ("OOM", "READONLY", "MISCONF"))
