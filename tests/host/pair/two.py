"""Two hosts with MastoWatch over one Redis with TLS and a password, and later over three sentinels."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from tests.failover import certificates
from tests.host.host import Host
from tests.host.network import HERE, Network
from tests.host.suite import API_SOCKET, API_UNIT, DASHBOARD_UNIT, ENV_FILE, SCHEDULER, TARGET, WORKER, Suite
from tests.host.waiting import wait

NAME, PORT, SENTINEL_PORT = "mastowatch", 6379, 26379
PASSWORD, SENTINEL_PASSWORD = "pair-redis-password", "pair-sentinel-password"
REDIS, SENTINEL = "redis-server.service", "redis-sentinel.service"
OURS = (WORKER, SCHEDULER, API_SOCKET, API_UNIT)
DOWN_S = 5.0  # so long a primary must be silent before the sentinels take it for dead
TLS = "/etc/redis/tls"
CREDENTIALS = "/etc/mastowatch/credentials"
_TLS = f"""
tls-cert-file {TLS}/cert.pem
tls-key-file {TLS}/key.pem
tls-ca-cert-file {TLS}/ca.pem
tls-auth-clients no
tls-replication yes
"""
_REDIS = f"""
bind 0.0.0.0
port 0
tls-port {PORT}
{_TLS}
requirepass {PASSWORD}
masterauth {PASSWORD}
appendonly yes
"""
# As the package redis-sentinel has it; the root file systems are without it.
_SENTINEL_UNIT = """
[Unit]
After=network.target

[Service]
Type=notify
ExecStart=/usr/bin/redis-server /etc/redis/sentinel.conf --sentinel --supervised systemd --daemonize no
User=redis
Group=redis
Restart=always

[Install]
WantedBy=multi-user.target
"""


@dataclass
class Pair:
    """``a`` has the first Redis and was there first; ``place`` is for files of the third place, the test process."""

    network: Network
    a: Suite
    b: Suite
    place: Path
    sentinels: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def both(self) -> tuple[Suite, Suite]:
        return self.a, self.b

    def address(self, side: Suite) -> str:
        return self.network.addresses[side.host.name]

    # --- setting up ----------------------------------------------------------------------------------------

    def secure(self, side: Suite) -> None:
        """Put certificates of an authority of our own on a host, for its own address."""
        where = self.place / f"certificates-{side.host.name}"
        where.mkdir()
        certificates(where, f"IP:{self.address(side)}", authority=self.place)
        for name in ("ca.pem", "cert.pem", "key.pem"):
            side.host.write(f"{TLS}/{name}", (where / name).read_text(), 0o640)
        side.host.write("/etc/mastowatch/redis-ca.pem", (where / "ca.pem").read_text())
        side.host.sh(f"chgrp -R redis {TLS}")

    def run_redis(self, side: Suite, *, replica_of: str = "") -> None:
        config = side.host.path("/etc/redis/redis.conf")
        more = f"replicaof {replica_of} {PORT}\n" if replica_of else ""
        config.write_text(f"{config.read_text()}{_REDIS}replica-announce-ip {self.address(side)}\n{more}")
        side.systemctl("enable", REDIS)
        side.systemctl("restart", REDIS)

    def point(self, side: Suite, **settings: str) -> None:
        """Put settings on a host, below what it has, and the secrets of Redis."""
        lines = "".join(f"{name}={value}\n" for name, value in settings.items())
        side.host.write(ENV_FILE, side.host.path(ENV_FILE).read_text() + lines)
        for name, secret in (("redis_password", PASSWORD), ("redis_sentinel_password", SENTINEL_PASSWORD)):
            side.host.write(f"{CREDENTIALS}/{name}", secret, 0o600)

    def start(self, side: Suite) -> None:
        side.systemctl("disable", DASHBOARD_UNIT)
        side.systemctl("enable", "--now", TARGET)
        wait(lambda: side.all_active(OURS), 60, f"all units of {side.host.name} are active")

    def watch(self) -> None:
        """Start a sentinel on each host and one in the third place, and wait until they know each other."""
        for side in self.both:
            where = "/etc/redis/sentinel.conf"
            side.host.write(where, self._sentinel(self.address(side), TLS, "/var/lib/redis"))
            side.host.sh(f"chown redis:redis /etc/redis {where}")
            side.host.write(f"/etc/systemd/system/{SENTINEL}", _SENTINEL_UNIT)
            side.systemctl("daemon-reload")
            side.systemctl("enable", "--now", SENTINEL)
        here = self.place / "third"
        here.mkdir()
        certificates(here, f"IP:{HERE}", authority=self.place)
        (here / "sentinel.conf").write_text(self._sentinel(HERE, str(here), str(here)))
        command = ["redis-server", str(here / "sentinel.conf"), "--sentinel"]
        self.sentinels.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        for at in (self.address(self.a), self.address(self.b), HERE):
            wait(lambda at=at: self._knows_all(at), 60, f"the sentinel at {at} knows all others")

    def _sentinel(self, announced: str, tls: str, directory: str) -> str:
        return (
            f"port 0\ntls-port {SENTINEL_PORT}\nbind 0.0.0.0\ndir {directory}\n{_TLS.replace(TLS, tls)}"
            f"requirepass {SENTINEL_PASSWORD}\nsentinel sentinel-pass {SENTINEL_PASSWORD}\n"
            f"sentinel announce-ip {announced}\n"
            f"sentinel monitor {NAME} {self.address(self.a)} {PORT} 2\nsentinel auth-pass {NAME} {PASSWORD}\n"
            f"sentinel down-after-milliseconds {NAME} {DOWN_S * 1000:.0f}\nsentinel failover-timeout {NAME} 20000\n"
        )

    def _knows_all(self, at: str) -> bool:
        with contextlib.suppress(RedisError), self._client(at, SENTINEL_PORT, SENTINEL_PASSWORD) as sentinel:
            known = sentinel.sentinel_masters()[NAME]
            return (known["num-slaves"], known["num-other-sentinels"]) == (1, 2)
        return False

    @property
    def sentinel_addresses(self) -> str:
        return ",".join(f"{at}:{SENTINEL_PORT}" for at in (self.address(self.a), self.address(self.b), HERE))

    # --- looking -------------------------------------------------------------------------------------------

    def redis(self, side: Suite) -> Redis:
        return self._client(self.address(side), PORT, PASSWORD)

    def _client(self, at: str, port: int, password: str) -> Redis:
        return Redis(
            host=at, port=port, db=1 if port == PORT else 0, password=password, ssl=True,
            ssl_ca_certs=str(self.place / "ca.pem"), socket_timeout=12, socket_connect_timeout=1,
            retry=Retry(NoBackoff(), 0), decode_responses=True,
        )  # fmt: skip

    def is_primary(self, side: Suite) -> bool:
        with contextlib.suppress(RedisError), self.redis(side) as redis:
            return bool(redis.role()[0] == "master")
        return False

    def follows(self, side: Suite) -> bool:
        """Tell whether the Redis of a host is a replica that has all."""
        with contextlib.suppress(RedisError), self.redis(side) as redis:
            told = redis.info("replication")
            return (told["role"], told.get("master_link_status")) == ("slave", "up")
        return False

    def trigger(self, side: Suite, posts: Iterable[str]) -> list[str]:
        """Queue a look at each post through the API of a host; return the ids of the jobs that were accepted."""
        bodies = " ".join(shlex.quote(json.dumps({"status_id": post})) for post in posts)
        ask = "curl -s -m 20 --unix-socket /run/mastowatch/api.sock -H content-type:application/json"
        url = "http://localhost/jobs/trigger/process_new_status"
        told = side.host.sh(
            f"for body in {bodies}; do {ask} -d \"$body\" -w ' %{{http_code}}\\n' {url}; echo; done", timeout=300
        )
        return [json.loads(line.rpartition(" ")[0])["id"] for line in told.splitlines() if line.endswith(" 202")]

    def replicate(self, side: Suite) -> None:
        """Wait until the replica has all that the Redis of a host has: what it did not get may be lost."""
        with self.redis(side) as redis:
            redis.set("pair:mark", "x")
            assert redis.wait(1, 10_000) == 1

    def unfinished(self, side: Suite, jobs: Iterable[str]) -> set[str]:
        """Return those of the jobs that are not finished, by the Redis of a host; a record that is gone counts."""
        ids = list(jobs)
        try:
            with self.redis(side) as redis, redis.pipeline(transaction=False) as pipe:
                for one in ids:
                    pipe.hget(f"rq:job:{one}", "status")
                return {one for one, status in zip(ids, pipe.execute(), strict=True) if status != "finished"}
        except RedisError:
            return set(ids)

    def finished(self, side: Suite) -> int:
        """Return how many jobs were finished ever; 0 while Redis does not tell."""
        with contextlib.suppress(RedisError), self.redis(side) as redis:
            return sum(int(value) for name, value in redis.hgetall("rq:totals").items() if name.endswith(":finished"))
        return 0

    def wait_for_all(self, side: Suite, jobs: Iterable[str], seconds: float) -> None:
        """Wait until all these jobs are finished; fail with what those that are not say."""
        ids = list(jobs)
        try:
            wait(lambda: not self.unfinished(side, ids), seconds, "all accepted jobs are done")
        except AssertionError as error:
            with self.redis(side) as redis:
                names = ("status", "origin", "started_at", "enqueued_at", "number_of_retries", "worker_name")
                told = {one: redis.hmget(f"rq:job:{one}", *names) for one in self.unfinished(side, ids)}
            raise AssertionError(f"{error}: {told}") from error


@contextlib.contextmanager
def no_restart(side: Suite, unit: str) -> Iterator[None]:
    """Have systemd not start a unit again that dies within the block."""
    drop_in = f"/run/systemd/system/{unit}.d/no-restart.conf"
    side.host.write(drop_in, "[Service]\nRestart=no\n")
    side.systemctl("daemon-reload")
    try:
        yield
    finally:
        side.host.path(drop_in).unlink()
        side.systemctl("daemon-reload")


def boot(network: Network, name: str, root: Path, place: Path, cgroup: Path, deb: Path) -> Host:
    """Return a booted host of its own, with the package in /root."""
    (place / name).mkdir()
    (cgroup / name).mkdir()
    host = Host(name, root, place / name, cgroup / name, network.join(name))
    (host.disk / "root/deb.deb").write_bytes(deb.read_bytes())
    host.boot()
    return host
