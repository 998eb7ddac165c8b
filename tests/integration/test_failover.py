"""The primary of Redis fails over, with TLS, passwords and sentinels: all go on, nothing is lost, none filed twice."""

from __future__ import annotations

import asyncio
import os
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError
from rq.job import Job, Retry

from mastowatch.adapters import redis_sentinel
from mastowatch.adapters.redis_store import RedisClaims, RedisSwitches, RedisTally
from mastowatch.adapters.redis_webhook_notes import RedisWebhookNotes
from mastowatch.config.loading import load
from mastowatch.errors import ConfigError, StoreUnavailable
from mastowatch.jobs import context as contexts
from mastowatch.jobs.intake import Intake
from mastowatch.jobs.queues import Jobs
from mastowatch.jobs.worker import is_of_redis
from mastowatch.ports.types import Claim
from mastowatch.reliable.deliveries import Delivery
from mastowatch.reliable.doorbell import Doorbell
from mastowatch.reliable.horse import INTERRUPTED_MAX
from mastowatch.reliable.serializer import JsonQueue
from mastowatch.reliable.worker import ReliableWorker
from mastowatch.same_redis import same_redis
from tests.engine import wait
from tests.failover import PASSWORD, Watched, secured, until_written, watched
from tests.filing_history import START, World
from tests.integration.test_processes import start  # noqa: F401 -- a fixture

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.redis


@pytest.fixture
def place(tmp_path) -> Path:
    made = tmp_path / "servers"
    made.mkdir()
    return made


@pytest.fixture
def three(place):
    with watched(place) as made:
        yield made


@pytest.fixture
def two(place):
    with watched(place, sentinels=False) as made:
        yield made


def connect(made: Watched, tmp_path: Path, **more: str) -> Redis:
    return contexts.connect(load(made.environ(tmp_path) | more))


# --- TLS and a password ---


def test_a_client_speaks_tls_and_trusts_the_authority_in_the_settings_alone(place, tmp_path):
    (tmp_path / "password").write_text(PASSWORD)
    with secured(place) as (_, port):
        given = {"REDIS_URL": f"rediss://127.0.0.1:{port}/1", "REDIS_PASSWORD_FILE": str(tmp_path / "password")}
        with contexts.connect(load(given)) as redis, pytest.raises(RedisConnectionError, match="CERTIFICATE_VERIFY"):
            redis.ping()
        given["REDIS_CA_FILE"] = str(place / "ca.pem")
        with contexts.connect(load(given)) as redis:
            assert redis.ping()
            other = same_redis(redis, socket_timeout=1)
            assert other.ping()
            assert Doorbell(redis, ["a"]).wait(0.1)
        # As a user of an access list: the name stands in the address, the password in its file.
        with contexts.connect(load({**given, "REDIS_URL": f"rediss://default@127.0.0.1:{port}/1"})) as redis:
            assert redis.ping()


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"REDIS_CA_FILE": "/ca.pem"}, "REDIS_CA_FILE='/ca.pem' is not allowed; allowed: nothing, unless REDIS_URL"),
        ({"REDIS_URL": "unix:///run/r?db=1", "REDIS_SENTINELS": "a:1"}, "redis:// or rediss:// where REDIS_SENTINELS"),
        ({"REDIS_SENTINELS": "a"}, "REDIS_SENTINELS='a' is not allowed; allowed: host:port of each"),
        ({"REDIS_SENTINELS": "a:0"}, "host:port of each"),
        ({"REDIS_SENTINEL_MASTER": "my master"}, "a name of letters"),
    ],
)
def test_a_setting_that_can_not_work_is_named(given, complaint):
    with pytest.raises(ConfigError, match=complaint):
        load(given)


def test_a_certificate_that_is_not_there_is_named_at_the_start():
    with pytest.raises(ConfigError, match=r"REDIS_CA_FILE: /nowhere/ca.pem can't be read: No such file"):
        contexts.connect(load({"REDIS_URL": "rediss://h/1", "REDIS_CA_FILE": "/nowhere/ca.pem"}))
    with pytest.raises(ConfigError, match=r"test_failover.py holds no certificate"):
        contexts.connect(load({"REDIS_URL": "rediss://h/1", "REDIS_CA_FILE": __file__}))


# --- sentinels ---


def test_a_client_and_all_made_from_it_follow_the_primary(three, tmp_path):
    with connect(three, tmp_path) as redis:
        others = [same_redis(redis, socket_timeout=1), same_redis(redis, without=("redis_connect_func",))]
        bell = Doorbell(redis, ["rung"])
        redis.set("before", "x")
        for one in others:
            assert one.get("before") == b"x"
        wait(lambda: bell.wait(0.1) and bell._wire is not None)
        three.fail_over()
        wait(lambda: _is_primary(three, three.replica))
        with three.client(three.replica) as promoted:
            for number, one in enumerate((redis, *others)):
                until_written(one, f"after-{number}")
                assert promoted.exists(f"after-{number}", "before") == 2
            bell.take_down()  # as a horse does that Redis leaves in the lurch
            wait(lambda: bell.wait(0.1) and bell._wire is not None)
            promoted.set("rung", "x")
        assert bell.wait(10)


def test_a_client_follows_a_primary_that_was_killed_and_says_what_the_sentinels_said_meanwhile(three, tmp_path):
    with connect(three, tmp_path) as redis:
        redis.set("before", "x")
        with three.client(three.replica) as replica:
            wait(lambda: replica.get("before") == b"x")
        three.primary.kill()
        until_written(redis, "after")
        assert redis.get("before") == b"x"


def test_a_client_gives_up_a_primary_that_says_nothing_more(three, tmp_path):
    with contexts.connect(load(three.environ(tmp_path)), waits=False) as redis:
        redis.set("before", "x")
        with three.primary.standing_still():
            until_written(redis, "after")
            with three.client(three.replica) as replica:
                assert replica.exists("after") == 1


def test_without_sentinels_that_answer_it_says_whom_it_has_asked(tmp_path, place):
    made = Watched(place)
    made.sentinels = [1, 2]
    with connect(made, tmp_path) as redis, pytest.raises(RedisConnectionError, match=r"127.0.0.1:1: .*127.0.0.1:2: "):
        redis.ping()


def _is_primary(three: Watched, server) -> bool:
    with three.client(server) as client:
        return client.role()[0] == b"master"


def test_processes_go_on_and_no_job_is_lost_or_fails_when_the_primary_is_killed(three, start, tmp_path):  # noqa: F811
    environ = three.environ(tmp_path)
    url = environ.pop("REDIS_URL")
    with connect(three, tmp_path) as redis:
        worker, scheduler = start(url, "worker", **environ), start(url, "scheduler", **environ)
        for one in (worker, scheduler):
            one.wait_for("READY=1")
        queue = JsonQueue("default", connection=redis)
        before = [queue.enqueue("tests.engine.pid", job_id=f"before-{number}") for number in range(20)]
        with three.client(three.replica) as replica:
            wait(lambda: replica.exists("rq:job:before-19"))
        three.primary.kill()
        until_written(redis, "mark")
        after = [queue.enqueue("tests.engine.pid", job_id=f"after-{number}") for number in range(20)]
        wait(lambda: all(_status(redis, job) == "finished" for job in (*before, *after)), 60)
        wait(lambda: "away" not in [line for line in scheduler.heard if line.startswith("STATUS=")][-1])
        # The looks at Mastodon do fail: it is not there.
        assert [one for one in redis.zrange("rq:failed:default", 0, -1) if one.startswith((b"before", b"after"))] == []
        assert all(one.process.poll() is None for one in (worker, scheduler))


def _status(redis: Redis, job: Job) -> str:
    return (redis.hget(f"rq:job:{job.id}", "status") or b"").decode()


def test_the_keys_can_be_deleted_by_the_script_too(three, tmp_path):
    settings = tmp_path / "settings.env"
    settings.write_text("".join(f"{name}={value}\n" for name, value in three.environ(tmp_path).items()))
    with three.client(three.primary) as redis:
        redis.set("mastowatch:layout", 1)
    script, lua = ROOT / "packaging/forget.sh", ROOT / "mastowatch/adapters/forget.lua"
    done = subprocess.run(
        ["sh", script, "--count", "--env", settings],
        env={**os.environ, "FORGET_LUA": str(lua)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "1 key" in done.stdout or "layout" in done.stdout, done
    settings.write_text(settings.read_text() + "REDIS_SENTINEL_MASTER=other\n")
    done = subprocess.run(["sh", script, "--env", settings], capture_output=True, text=True, check=True,
                          env={**os.environ, "FORGET_LUA": str(lua)})  # fmt: skip
    assert "knows where other is" in done.stderr


# --- what the replica did not get ---


@pytest.mark.parametrize("lost_from", ["the start", "before send", "after send", "before filed"])
def test_a_report_is_filed_once_whatever_the_replica_did_not_get(two, tmp_path, lost_from):
    """The last writes, from a step of the claim on, go with the primary; its replica knows only what was before."""
    with two.client(two.primary) as redis:
        world = World(redis, tmp_path)
        other = world.context.claims
        other.steady_since(world.now.timestamp() - 3600)
        world.post("airdrop", START - timedelta(hours=1))
        if lost_from == "the start":
            _have_all(redis)
            two.cut_off_replica()
            assert world.judge()["outcome"] == "filed"
        else:
            claims = _Until(other, lost_from, lambda: (_have_all(redis), two.cut_off_replica()))
            world.context = replace(world.context, claims=claims)
            assert world.judge()["outcome"] == "filed"
    two.primary.kill()
    two.promote()
    with two.client(two.replica) as redis:
        again = World(redis, tmp_path)
        again.server, again.posts, again.now = world.server, world.posts, world.now
        again.context = replace(again.context, mastodon=again.server.for_purpose, clock=lambda: again.now.timestamp())
        again.later(seconds=1)
        found = again.judge()
        while isinstance(found, Retry):
            again.later(seconds=30)
            found = again.judge()
        assert (found["outcome"], len(world.reports())) == ("filed", 1)
        assert again.claim.state == "filed"


def test_a_report_that_is_under_way_when_the_primary_dies_is_waited_for(two, tmp_path):
    with two.client(two.primary) as redis:
        world = World(redis, tmp_path)
        world.context.claims.steady_since(world.now.timestamp() - 3600)
        world.post("airdrop", START - timedelta(hours=1))
        _have_all(redis)
        two.cut_off_replica()
    two.primary.kill()
    two.promote()
    with two.client(two.replica) as redis:
        # Another worker's report, whose claim went with the primary, is not there yet: nothing is sent now.
        again = World(redis, tmp_path)
        again.post("airdrop", START - timedelta(hours=1))
        assert isinstance(again.judge(), Retry)
        assert again.reports() == ()
        again.later(seconds=120)
        assert again.judge()["outcome"] == "filed"


def _have_all(redis: Redis) -> None:
    assert redis.wait(1, 10_000) == 1


class _Until:
    """Claims that have something done before or after one of their steps."""

    def __init__(self, inner, point: str, do) -> None:
        self._inner, self._point, self._do = inner, point, do

    def __getattr__(self, name):
        def call(*args):
            if self._point == f"before {name}":
                self._do()
            found = getattr(self._inner, name)(*args)
            if self._point == f"after {name}":
                self._do()
            return found

        return call


def test_a_claim_that_is_sent_twice_by_a_client_that_lost_the_answer_is_one(two):
    with two.client(two.primary) as redis:
        claims = RedisClaims(redis)
        claims.steady_since(1.0)
        planned = claims.plan("7", "marker", 1.0)
        sending = Claim("7", "marker", "sent", 2.0, owner="me")
        assert claims.send(planned, sending) == sending
        assert claims.send(planned, sending) == sending
        assert claims.send(planned, replace(sending, owner="another")) is None


@pytest.fixture
def cut_off(three, tmp_path, place):
    """A client of a primary that most sentinels have given up since, as when its machine is cut off with one."""
    lonely = place / "lonely"
    lonely.mkdir()
    with watched(lonely) as other, connect(other, tmp_path) as redis:
        redis.ping()
        sentinels = redis.connection_pool.sentinel_manager
        others = [three.ask(port) for port in three.sentinels[:2]]
        sentinels.sentinels = [*sentinels.sentinels[:1], *others]
        yield redis
        for one in others:
            one.close()


def test_nothing_is_filed_by_a_primary_that_most_sentinels_have_given_up(three, tmp_path, cut_off):
    world = World(cut_off, tmp_path)
    confirming = redis_sentinel.Confirming(cut_off, replicas=0)
    world.context = replace(world.context, claims=RedisClaims(cut_off, confirm=confirming.agreed))
    world.post("airdrop", START - timedelta(hours=1))
    told = f"most sentinels name 127.0.0.1:{three.primary.port} for the primary, not this Redis"
    with pytest.raises(StoreUnavailable, match=told):
        world.judge()
    assert world.reports() == ()


def test_a_new_connection_goes_where_most_sentinels_say_and_not_the_first(three, cut_off):
    with same_redis(cut_off) as redis:
        redis.set("here", "x")
    with three.client(three.primary) as primary:
        assert primary.get("here") == b"x"


def test_without_most_of_the_sentinels_there_is_no_primary(three, tmp_path):
    three.sentinels[1:] = [1, 2]
    with connect(three, tmp_path) as redis, pytest.raises(RedisConnectionError, match=r"127.0.0.1:2: .*1 name 127.0"):
        redis.ping()


def test_what_must_not_be_lost_waits_for_a_replica_where_the_settings_ask(two, tmp_path):
    given = {"REDIS_URL": two.primary.url, "REDIS_PASSWORD_FILE": str(tmp_path / "redis"), "REDIS_WAIT_REPLICAS": "1"}
    (tmp_path / "redis").write_text(PASSWORD)
    loaded = load(given)
    with contexts.connect(loaded) as redis:
        confirm = contexts.confirm_replicated(redis, loaded.settings)
        switches = RedisSwitches(redis, confirm=confirm)
        switches.set_panic_stop(on=True, by="me", now=1.0)
        assert asyncio.run(_take_in(redis, confirm)) == "marked"
        with two.client(two.replica) as replica:
            assert replica.exists("mark", "mastowatch:switch:panic_stop") == 2
        two.cut_off_replica()
        with pytest.raises(StoreUnavailable, match=r"only 0 of 1 replicas \(REDIS_WAIT_REPLICAS\) have it"):
            switches.set_panic_stop(on=False, by="me", now=2.0)
        with pytest.raises(StoreUnavailable, match="only 0 of 1 replicas"):
            asyncio.run(_take_in(redis, confirm))


async def _take_in(redis: Redis, confirm) -> str:
    with Intake(redis, RedisTally(redis), RedisWebhookNotes(redis), confirm=confirm) as intake:
        return await intake.put(Delivery("mark", None))


# --- a job that Redis leaves in the lurch ---


def trip() -> None:
    """A job that Redis refuses, each time."""
    raise StoreUnavailable("Redis: read-only") from ReadOnlyError("You can't write against a read only replica.")


def test_a_job_that_redis_left_in_the_lurch_runs_again_and_keeps_its_tries(redis: Redis):
    job = JsonQueue("default", connection=redis).enqueue(trip, retry=Retry(max=1))
    worker = ReliableWorker(["default"], connection=redis, is_interruption=is_of_redis)
    worker.work(burst=True)
    found = job.latest_result()
    job.refresh()
    # Not for ever: it may be the job after all.
    assert len(job.results()) == INTERRUPTED_MAX + 2
    assert (job.get_status(), job.retries_left) == ("failed", 0)
    assert "read-only" in found.exc_string


@pytest.mark.parametrize(
    ("error", "of_redis"),
    [
        (RedisConnectionError("gone"), True),
        (ReadOnlyError("READONLY You can't"), True),
        (ValueError("no"), False),
        (StoreUnavailable("a replica has it not"), False),
        (ConfigError("no"), False),
    ],
)
def test_only_what_passes_is_no_fault_of_the_job(error, of_redis):
    assert is_of_redis(error) is of_redis


def test_jobs_are_queued_through_sentinels(three, tmp_path):
    loaded = load(three.environ(tmp_path))
    with contexts.connect(loaded) as redis:
        assert Jobs(redis, loaded.settings).submit("send_alerts") is not None
