"""A redis-server of one's own: on a free port, without persistence, gone at the end."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
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

# A port that the system chooses it also gives to the next who asks, and to connections, until somebody listens there:
# seconds later, on a busy machine. So each process of pytest goes round in ports of its own, below those.
_FIRST, _OF_EACH = 10_000, 2_500
_OWN = int(os.environ.get("PYTEST_XDIST_WORKER", "gw8").removeprefix("gw")) % 9 * _OF_EACH
_TRIED = itertools.count(random.randrange(_OF_EACH))


def free_port() -> int:
    """Return a port that nobody listens at, and that nobody else is given for a while."""
    while True:
        port = _FIRST + _OWN + next(_TRIED) % _OF_EACH
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class RedisProcess:
    """A redis-server that can be killed and started again on the same port and directory."""

    def __init__(self, directory: str | Path, *options: str, port: int = 0) -> None:
        self._options = ["--bind", "127.0.0.1", "--dir", str(directory), "--save", "", "--appendonly", "no", *options]
        self._process: subprocess.Popen[bytes] | None = None
        self._may_choose = not port
        self.port = port or free_port()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/1"

    def start(self) -> None:
        """Start it, the first time on another port if somebody else was quicker to take this one."""
        for _ in range(10):
            command = ["redis-server", "--port", str(self.port), *self._options]
            self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            if _answers(self.port, self._process):
                self._may_choose = False
                return
            if self._may_choose:
                self.port = free_port()
            time.sleep(0.05)
        raise RuntimeError("redis-server did not start")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        """Have it neither answer nor refuse, as when its machine or the network stands still."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

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


def nowhere() -> Redis:
    """Return a client of a Redis that is not there, which asks once."""
    return Redis(port=free_port(), retry=Retry(NoBackoff(), 0))


def _answers(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Wait until this process answers, and not another one that has its port; False if it has ended."""
    with Redis(port=port, retry=Retry(NoBackoff(), 0)) as client:
        while process.poll() is None:
            with contextlib.suppress(RedisError):
                client.ping()  # refused while it loads its data
                if client.info("server")["process_id"] == process.pid:
                    return True
            time.sleep(0.01)
    return False
