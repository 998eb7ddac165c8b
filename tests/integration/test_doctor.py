"""`mastowatch doctor` against a real Redis, real certificates and a server over HTTP; no check writes anything."""

from __future__ import annotations

import http.server
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from mastowatch.cli import main
from mastowatch.config import Settings, Sources
from mastowatch.jobs import context as contexts
from mastowatch.jobs.checks.certificate import check_certificate, judge_certificate
from mastowatch.jobs.checks.examination import examine
from mastowatch.jobs.checks.finding import Finding
from mastowatch.jobs.checks.world import World
from mastowatch.jobs.scheduler import schedule_recurring_jobs
from tests.engine import wait
from tests.failover import watched
from tests.mastodon_server import add_account, running_mock
from tests.redis_server import free_port, private_redis, running_redis
from tests.rules import AIRDROP
from tests.snapshot import snapshot

REDIS = (
    "redis", "redis-version", "redis-role", "redis-policy", "redis-memory", "redis-persistence", "redis-database",
    "redis-latency", "layout",
)  # fmt: skip
MASTODON = (
    "mastodon-server", "mastodon-version", "certificate", "clock", "mastodon-token", "mastodon-scopes", "mastodon-role",
)  # fmt: skip
WORK = ("workers", "scheduler", "recurring-jobs", "queues", "stuck-jobs", "failed-jobs", "switches", "breakers")


def world(tmp_path: Path, redis_url: str = "", **settings: str) -> World:
    (tmp_path / "rules.d").mkdir(exist_ok=True)
    (tmp_path / "rules.d/airdrop.toml").write_text(AIRDROP)
    values = {"REDIS_URL": redis_url or settings["REDIS_URL"], "RULES_DIR": str(tmp_path / "rules.d"), **settings}
    (tmp_path / "env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    return World(Sources({}, tmp_path / "env"), time.time())


def states(found: list[Finding]) -> dict[str, str]:
    assert not [one for one in found if "this check failed" in one.says], found
    return {one.check: one.state for one in found}


def one(found: list[Finding], check: str) -> Finding:
    return next(finding for finding in found if finding.check == check)


def test_a_redis_with_an_append_only_file_is_well(tmp_path):
    with running_redis(tmp_path, "--appendonly", "yes") as server:
        found = states(examine(world(tmp_path, server.url), REDIS))
    assert found.pop("redis-latency") in ("ok", "warning")  # this machine may be busy
    assert set(found.values()) == {"ok"}


def test_debians_default_a_policy_that_evicts_and_a_full_memory_are_told(tmp_path):
    options = ("--save", "3600 1", "--maxmemory-policy", "allkeys-lru")
    with running_redis(tmp_path, *options) as server:
        with Redis.from_url(server.url) as redis:
            redis.config_set("maxmemory", int(redis.info("memory")["used_memory"] * 1.2))
        found = examine(world(tmp_path, server.url), REDIS)
    assert (one(found, "redis-persistence").state, one(found, "redis-policy").state) == ("warning", "failure")
    assert one(found, "redis-memory").state in ("warning", "failure")
    assert f"redis-cli -p {server.port} config set appendonly yes" in one(found, "redis-persistence").mend


def test_a_failed_write_to_disk_is_told(tmp_path):
    place = tmp_path / "data"
    place.mkdir()
    with running_redis(place) as server, Redis.from_url(server.url) as redis:
        (place / "dump.rdb").mkdir()
        redis.bgsave()
        wait(lambda: not redis.info("persistence")["rdb_bgsave_in_progress"])
        assert one(examine(world(tmp_path, server.url), REDIS), "redis-persistence").state == "failure"


def test_mastodons_database_is_told_by_its_number_and_by_its_keys(tmp_path):
    with running_redis(tmp_path) as server:
        at_zero = server.url.removesuffix("/1") + "/0"
        assert one(examine(world(tmp_path, at_zero), REDIS), "redis-database").state == "warning"
        with Redis.from_url(server.url) as redis:
            redis.sadd("queues", "default", "push")
        found = one(examine(world(tmp_path, server.url), REDIS), "redis-database")
        assert (found.state, found.says) == ("failure", "database 1 is shared with Mastodon")


def test_a_replica_is_told(tmp_path):
    with (
        private_redis() as primary,
        running_redis(tmp_path, "--replicaof", "127.0.0.1", primary.split(":")[2][:-2]) as replica,
    ):
        assert one(examine(world(tmp_path, replica.url), REDIS), "redis-role").state == "failure"


def test_a_redis_behind_sentinels_is_looked_at_where_it_is(tmp_path):
    with watched(tmp_path) as there:
        found = examine(world(tmp_path, **there.environ(tmp_path)), REDIS)
        assert one(found, "redis-role").says == "primary with one replica"
        assert f"redis-cli -p {there.primary.port} config" in one(found, "redis-persistence").mend
        assert one(found, "redis-database").state == "ok"


def test_passwords_that_lack_or_are_wrong_are_told_and_never_shown(tmp_path, capsys):
    with running_redis(tmp_path) as server:
        with Redis.from_url(server.url) as redis:
            redis.config_set("requirepass", "c0rrect-horse")
        found = examine(world(tmp_path, server.url), REDIS)
        assert one(found, "redis").says == "Redis asks for a password, and none is set up"
        assert {state for check, state in states(found).items() if check != "redis"} == {"unknown"}
        (tmp_path / "password").write_text("wr0ng-horse")
        found = examine(world(tmp_path, server.url, REDIS_PASSWORD_FILE=str(tmp_path / "password")), REDIS)
        assert one(found, "redis").says == "Redis refuses the password"
        (tmp_path / "password").write_text("c0rrect-horse")
        world(tmp_path, server.url, REDIS_PASSWORD_FILE=str(tmp_path / "password"))
        main(["--config", str(tmp_path / "env"), "doctor"])
    shown = capsys.readouterr()
    assert "ok    redis " in shown.out
    assert "horse" not in shown.out + shown.err
    assert f'REDISCLI_AUTH="$(cat {tmp_path}/password)" redis-cli' in shown.out
    assert f"mend: mastowatch --config {tmp_path}/env setup\n" in shown.out


def test_a_redis_that_is_away_or_stands_still_is_one_failure(tmp_path):
    found = examine(world(tmp_path, f"redis://127.0.0.1:{free_port()}/1"), (*REDIS, *WORK))
    assert (one(found, "redis").state, one(found, "redis").says) == (
        "failure",
        "Redis does not answer (connection refused)",
    )
    assert one(found, "redis").mend == "systemctl start redis-server"
    assert {state for check, state in states(found).items() if check != "redis"} == {"unknown"}
    with running_redis(tmp_path) as server, server.standing_still():
        found = examine(world(tmp_path, server.url), (*REDIS, *WORK))
    assert "no answer in time" in one(found, "redis").says


def test_what_is_wrong_with_the_way_to_redis_is_told_in_our_words(authority, tmp_path):
    def said(url: str) -> str:
        return one(examine(world(tmp_path, url), ["redis"]), "redis").says

    assert said(f"unix://{tmp_path}/none.sock?db=1") == "Redis does not answer (there is no such socket)"
    assert said("redis://nowhere.invalid:6379/1") == "Redis does not answer (its name is not known)"
    with over_tls(authority, "self") as url:
        told = said(f"{url.replace('https://', 'rediss://')}/1")
        assert told == "Redis does not answer (its certificate is not trusted)"


def test_keys_of_a_newer_layout_are_told_and_nothing_is_read_into_them(redis, redis_server, tmp_path):
    redis.set("mastowatch:layout", "99")
    found = examine(world(tmp_path, redis_server), (*REDIS, *WORK))
    assert (one(found, "layout").state, one(found, "redis").state) == ("failure", "ok")
    assert {states(found)[check] for check in WORK} == {"unknown"}


def test_nobody_at_work_is_told_and_looking_writes_nothing(redis, redis_server, tmp_path, capsys):
    schedule_recurring_jobs(redis, Settings())
    redis.rpush("rq:unsettled", "x")
    redis.hset("mastowatch:switch:panic_stop", mapping={"by": "alice", "at": "1.0"})
    before = snapshot(redis)
    found = examine(world(tmp_path, redis_server))
    assert snapshot(redis) == before
    assert (one(found, "workers").state, one(found, "scheduler").state) == ("failure", "failure")
    assert one(found, "stuck-jobs").says == "one job of a dead worker is set aside"
    assert one(found, "switches").mend == "mastowatch panic off"
    states(found)


def test_damage_in_redis_costs_its_own_check_alone(redis, redis_server, tmp_path):
    for key in ("mastowatch:rules:dropped", "mastowatch:webhooks:seen", "rq:failed:default", "mastowatch:stream"):
        redis.set(key, "damaged")
    redis.rpush("rq:queue:default", "a job without a record")
    found = examine(world(tmp_path, redis_server))
    assert one(found, "workers").state == "failure"
    assert one(found, "layout").state == "ok"
    assert one(found, "breakers").state == "unknown"


def test_a_server_a_token_and_what_the_server_allows_are_looked_at(redis_server, redis, tmp_path):
    """The whole of it, as `mastowatch doctor` does it."""
    token = tmp_path / "token"
    with running_mock(populate=lambda session: add_account(session, "bot", token="t0ken", role="moderator")) as mock:
        token.write_text("t0ken")
        token.chmod(0o600)
        there = {"INSTANCE_BASE": mock.url, "ACCESS_TOKEN_FILE": str(token)}
        well = states(examine(world(tmp_path, redis_server, **there), MASTODON))
        token.write_text("another")
        wrong = examine(world(tmp_path, redis_server, **there), MASTODON)
    assert well == dict.fromkeys(MASTODON, "ok")
    assert (one(wrong, "mastodon-token").state, one(wrong, "mastodon-server").state) == ("failure", "ok")
    away = states(examine(world(tmp_path, redis_server, **there), MASTODON))
    assert (away["mastodon-server"], away["mastodon-token"]) == ("failure", "unknown")
    token.unlink()
    found = examine(world(tmp_path, redis_server, **there), ["settings", "mastodon-token"])
    assert one(found, "settings").state == "failure"
    found = examine(world(tmp_path, redis_server), ["settings", "mastodon-token"])
    assert (one(found, "settings").says, one(found, "mastodon-token").says) == (
        "INSTANCE_BASE is not set",
        "not looked at: INSTANCE_BASE is not set",
    )


# --- certificates -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Path:
    """A certificate authority of our own, and what it signed: one that is good, and one whose time is over."""
    place = tmp_path_factory.mktemp("ca")
    _openssl(
        place,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2000 -subj /CN=Ours"
        " -keyout ca.key -out ca.pem",
    )
    for name, days in (("good", 60), ("soon", 5), ("over", -1)):
        request = "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost"
        _openssl(place, f"{request} -keyout {name}.key -out {name}.csr")
        (place / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
        sign = f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile names -out {name}.pem"
        _openssl(place, f"{sign} -days {days}")
    alone = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj /CN=localhost"
    _openssl(place, f"{alone} -addext subjectAltName=IP:127.0.0.1 -keyout self.key -out self.pem")
    return place


def _openssl(place: Path, words: str) -> None:
    subprocess.run(["openssl", *words.split()], cwd=place, check=True, capture_output=True)


@contextmanager
def over_tls(place: Path, name: str) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(place / f"{name}.pem", place / f"{name}.key")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *args: None
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("name", "state", "says"),
    [
        ("good", "ok", "59 days left"),
        ("soon", "warning", "4 days left"),
        ("over", "failure", "certificate has expired"),
        ("self", "failure", "self-signed certificate"),
    ],
)
def test_a_certificate_is_judged_as_our_requests_would(authority, monkeypatch, name, state, says):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority / "ca.pem"))
    with over_tls(authority, name) as url:
        [found] = check_certificate(url)
    assert (found.state, says in found.says) == (state, True), found


def test_without_the_authority_a_chain_is_not_trusted_and_a_port_without_tls_is_no_crash(authority, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with over_tls(authority, "good") as url:
        assert check_certificate(url)[0].state == "failure"
    with private_redis() as redis:
        assert contexts.certificate(f"https://127.0.0.1:{redis.split(':')[2][:-2]}", 2).problem
    nowhere = f"https://127.0.0.1:{free_port()}"
    assert judge_certificate(nowhere, contexts.certificate(nowhere, 2), 0.0).state == "unknown"
