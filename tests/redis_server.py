"""A redis-server of one's own: on a free port, without persistence, gone at the end."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisProcess:
    """A redis-server that can be killed and started again on the same port and directory."""

    def __init__(self, directory: str | Path, *options: str, port: int = 0) -> None:
        self.port = port or free_port()
        self.url = f"redis://127.0.0.1:{self.port}/1"
        self._command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(directory)]
        self._command += ["--save", "", "--appendonly", "no", *options]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        _wait(self.port)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)


@contextlib.contextmanager
def private_redis(*options: str, port: int = 0) -> Iterator[str]:
    """Yield the URL (database 1) of a redis-server that ends with the block."""
    with tempfile.TemporaryDirectory() as directory, running_redis(directory, *options, port=port) as redis:
        yield redis.url


@contextlib.contextmanager
def running_redis(directory: str | Path, *options: str, port: int = 0) -> Iterator[RedisProcess]:
    """Yield a redis-server with its data in ``directory``."""
    redis = RedisProcess(directory, *options, port=port)
    try:
        redis.start()
        yield redis
    finally:
        redis.stop()


def _wait(port: int) -> None:
    with Redis(port=port, retry=Retry(NoBackoff(), 0)) as client:
        for _ in range(250):
            with contextlib.suppress(RedisError):
                client.ping()
                return
            time.sleep(0.02)
    raise RuntimeError("redis-server did not start")
