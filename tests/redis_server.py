"""A redis-server of one's own: on a free port, without persistence, gone at the end."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator

from redis import Redis
from redis.exceptions import RedisError


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def private_redis(*options: str, port: int = 0) -> Iterator[str]:
    """Yield the URL (database 1) of a redis-server that ends with the block."""
    port = port or free_port()
    with tempfile.TemporaryDirectory() as directory:
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", directory]
        command += ["--save", "", "--appendonly", "no", *options]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            _wait(port)
            yield f"redis://127.0.0.1:{port}/1"
        finally:
            process.terminate()
            process.wait(10)


def _wait(port: int) -> None:
    with Redis(port=port) as client:
        for _ in range(100):
            with contextlib.suppress(RedisError):
                client.ping()
                return
            time.sleep(0.05)
    raise RuntimeError("redis-server did not start")
