"""A Redis with a replica and three sentinels, and certificates of an authority of one's own."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from tests.engine import wait
from tests.redis_server import RedisProcess, free_port

NAME, PASSWORD, SENTINEL_PASSWORD = "mastowatch", "redis secret", "sentinel secret"
DOWN_MS = 500  # so long a primary must be silent before the sentinels take it for dead


class Watched:
    """``primary`` has ``replica``, and with ``sentinels`` (ports) somebody watches them; all ask for passwords."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.primary, self.replica = self._server("primary"), self._server("replica")
        self.sentinels: list[int] = []
        self._processes: list[subprocess.Popen[bytes]] = []

    def _server(self, name: str) -> RedisProcess:
        (self._directory / name).mkdir()
        return RedisProcess(self._directory / name, "--masterauth", PASSWORD, "--repl-diskless-sync-delay", "0")

    def start(self) -> None:
        for one in (self.primary, self.replica):
            one.start()
            with Redis(port=one.port) as client:
                client.config_set("requirepass", PASSWORD)
        self.follow()

    def follow(self) -> None:
        """Have the replica follow the primary, and wait until it has all."""
        with self.client(self.replica) as client:
            client.replicaof("127.0.0.1", str(self.primary.port))
            wait(lambda: client.info("replication")["master_link_status"] == "up")

    def watch(self) -> None:
        """Start three sentinels, and wait until each knows the replica and the other two."""
        for number in range(3):
            port, place = free_port(), self._directory / f"sentinel{number}"
            place.mkdir()
            (place / "conf").write_text(
                f'port {port}\nbind 127.0.0.1\ndir {place}\nrequirepass "{SENTINEL_PASSWORD}"\n'
                f'sentinel sentinel-pass "{SENTINEL_PASSWORD}"\n'
                f"sentinel monitor {NAME} 127.0.0.1 {self.primary.port} 2\n"
                f'sentinel auth-pass {NAME} "{PASSWORD}"\n'
                f"sentinel down-after-milliseconds {NAME} {DOWN_MS}\nsentinel failover-timeout {NAME} 3000\n"
            )
            command = ["redis-server", str(place / "conf"), "--sentinel"]
            self._processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
            self.sentinels.append(port)
        for port in self.sentinels:
            wait(lambda port=port: self._knows_all(port))

    def _knows_all(self, port: int) -> bool:
        with self.ask(port) as sentinel, contextlib.suppress(RedisError):
            known = sentinel.sentinel_masters()[NAME]
            return (known["num-slaves"], known["num-other-sentinels"]) == (1, 2)
        return False

    def ask(self, port: int) -> Redis:
        return Redis(port=port, password=SENTINEL_PASSWORD, retry=Retry(NoBackoff(), 0))

    def fail_over(self) -> None:
        """Have the sentinels make the replica the primary, though the primary is well.

        Without the pause the old one would take writes for seconds more, and forget them.
        """
        with self.client(self.primary) as client, self.ask(self.sentinels[0]) as sentinel:
            client.client_pause(15_000, all=False)
            sentinel.execute_command("SENTINEL", "FAILOVER", NAME)

    def client(self, server: RedisProcess) -> Redis:
        """Return a client of this server, which sentinels may disconnect when they give it another part."""
        return Redis(port=server.port, db=1, password=PASSWORD, retry=Retry(NoBackoff(), 2))

    def promote(self) -> None:
        """Make the replica a primary by hand, with what it has."""
        with self.client(self.replica) as client:
            client.execute_command("REPLICAOF", "NO", "ONE")

    def cut_off_replica(self) -> None:
        """Have the replica hear nothing more, and keep what it has; when this returns it is so."""
        with self.client(self.replica) as client:
            client.replicaof("127.0.0.1", str(free_port()))
            wait(lambda: client.info("replication")["master_link_status"] == "down")

    def environ(self, directory: Path) -> dict[str, str]:
        """Return the settings for it, with the secrets in files in ``directory``."""
        for name, secret in (("redis", PASSWORD), ("sentinel", SENTINEL_PASSWORD)):
            (directory / name).write_text(secret)
        return {
            "REDIS_URL": "redis://not-used/1",
            "REDIS_PASSWORD_FILE": str(directory / "redis"),
            "REDIS_SENTINELS": ",".join(f"127.0.0.1:{port}" for port in self.sentinels),
            "REDIS_SENTINEL_MASTER": NAME,
            "REDIS_SENTINEL_PASSWORD_FILE": str(directory / "sentinel"),
        }

    def stop(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        for one in (self.primary, self.replica):
            one.kill()


@contextlib.contextmanager
def watched(directory: Path, *, sentinels: bool = True) -> Iterator[Watched]:
    """Yield a Redis with a replica that has all, and with sentinels that know each other."""
    made = Watched(directory)
    try:
        made.start()
        if sentinels:
            made.watch()
        yield made
    finally:
        made.stop()


def certificates(directory: Path, *names: str, authority: Path | None = None) -> None:
    """Write cert.pem and key.pem that are good for ``names``, as in "IP:127.0.0.1", and ca.pem of who signed them.

    The authority is made in ``authority`` where none is there yet.
    """
    authority = authority or directory
    new = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    ca, key = authority / "ca.pem", authority / "ca.key"
    for script in (
        f"test -e {ca} || openssl req -x509 {new} -days 2 -subj /CN=test-ca -keyout {key} -out {ca}",
        f"test -e ca.pem || cp {ca} .",
        f"openssl req {new} -subj /CN=redis -keyout key.pem -out csr",
        f"printf 'subjectAltName=%s' '{','.join(names)}' >names",
        f"openssl x509 -req -in csr -CA {ca} -CAkey {key} -CAcreateserial -days 2 -extfile names -out cert.pem",
    ):
        subprocess.run(["sh", "-c", script], cwd=directory, check=True, capture_output=True)


@contextlib.contextmanager
def secured(directory: Path) -> Iterator[tuple[RedisProcess, int]]:
    """Yield a Redis with certificates of its own, a password, and the port for TLS."""
    certificates(directory, "IP:127.0.0.1")
    port = free_port()
    tls = ("--tls-port", str(port), "--tls-auth-clients", "no", "--tls-ca-cert-file", str(directory / "ca.pem"))
    tls += ("--tls-cert-file", str(directory / "cert.pem"), "--tls-key-file", str(directory / "key.pem"))
    server = RedisProcess(directory, *tls)
    try:
        server.start()
        with Redis(port=server.port) as client:
            client.config_set("requirepass", PASSWORD)
        yield server, port
    finally:
        server.kill()


def until_written(redis: Redis, key: str, seconds: float = 30.0) -> None:
    """Write until it is done once."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            redis.set(key, "x")
        except RedisError:
            assert time.monotonic() < deadline, "nothing could be written"
            time.sleep(0.05)
        else:
            return
