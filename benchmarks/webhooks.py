"""From a webhook at the socket to its job in Redis: how many a second one process of the API takes, and how fast.

``python -m benchmarks.webhooks``: a real ``mastowatch api``, a real redis-server, and a client in a third process. An
answer is sent once the job stands in Redis, so what the client measures holds all of it. At a given rate a request's
time runs from the moment it was due, whether or not the client was free to send it: what waits behind a slow answer
counts as slow too. Prints a table for README; ends within a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import redis as redis_py
from redis import Redis

from benchmarks.queue.probes import cpu_s
from tests.redis_server import free_port, private_redis

SECRET = "secret-of-the-benchmark"
CONNECTIONS = 32
WARM_UP = 500
# A post of 500 characters with its author, as Mastodon sends it: 4 kB.
_TEXT = "<p>" + "word and another " * 30 + "</p>"


@dataclass(frozen=True)
class Order:
    """A run: ``count`` deliveries, ``rate`` a second; 0: one after the other on each of CONNECTIONS.

    ``kept``: connections are used again; otherwise there is a new one for each, as Mastodon does it.
    """

    count: int
    rate: int
    kept: bool
    first_id: int


@dataclass(frozen=True)
class Found:
    """What came of a run; times in milliseconds."""

    taken: int
    seconds: float
    half: float
    p99: float
    most: float


def main() -> None:
    """Measure and print; or, as the child, send."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.webhooks")
    parser.add_argument("--seconds", type=int, default=5, help="how long each run at a given rate takes")
    parser.add_argument("--rates", type=int, nargs="+", default=[250, 1000])
    parser.add_argument("--send", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.send:
        port, order = options.send
        print(json.dumps(asdict(asyncio.run(_send_all(int(port), Order(**json.loads(order)))))))
        return
    with private_redis() as url, _api(url) as (port, pid), Redis.from_url(url, decode_responses=True) as redis:
        _print_head(redis)
        next_id = 1
        for kept in (False, True):
            for rate in (*options.rates, 0):
                count = rate * options.seconds or 1000 * options.seconds
                next_id += _run(port, pid, redis, Order(count, rate, kept, next_id))


def _print_head(redis: Redis) -> None:
    version = redis.info("server")["redis_version"]
    print(f"Redis {version}, redis-py {redis_py.__version__}, {os.cpu_count()} CPUs; bodies of {len(_body(1))} bytes\n")
    print(f"{'connections':<16}{'due/s':>8}{'taken/s':>9}{'median ms':>11}{'p99 ms':>9}{'most ms':>9}{'µs CPU':>9}")


def _run(port: int, pid: int, redis: Redis, order: Order) -> int:
    """Have an order carried out, print what came of it, and return how many ids were used up."""
    warm = Order(WARM_UP, 0, order.kept, order.first_id)
    _send(port, warm)
    order = Order(order.count, order.rate, order.kept, order.first_id + WARM_UP)
    redis.delete("rq:queue:high")
    before = sum(cpu_s(pid))
    found = _send(port, order)
    each_us = (sum(cpu_s(pid)) - before) / order.count * 1e6
    jobs = {int(str(raw).rpartition("-")[2]) for raw in redis.lrange("rq:queue:high", 0, -1)}
    lost = set(range(order.first_id, order.first_id + order.count)) - jobs
    if lost or found.taken != order.count:
        raise SystemExit(f"{len(lost)} jobs are missing, {found.taken} of {order.count} deliveries were taken")
    name = f"{CONNECTIONS} kept" if order.kept else "one a delivery"
    due = f"{order.rate:,}" if order.rate else "all"
    print(
        f"{name:<16}{due:>8}{found.taken / found.seconds:>9,.0f}{found.half:>11.1f}{found.p99:>9.1f}"
        f"{found.most:>9.1f}{each_us:>9,.0f}",
        flush=True,
    )
    return WARM_UP + order.count


@contextmanager
def _api(redis_url: str) -> Iterator[tuple[int, int]]:
    """Run the process as the unit does; yields its port and pid."""
    with tempfile.TemporaryDirectory() as directory:
        secret, port = Path(directory) / "secret", free_port()
        secret.write_text(SECRET)
        environ = {
            "REDIS_URL": redis_url,
            "INSTANCE_BASE": "http://127.0.0.1:9",
            "API_BIND": f"127.0.0.1:{port}",
            "WEBHOOK_SECRET_FILE": str(secret),
            "LOG_LEVEL": "error",
        }
        command = [sys.executable, "-m", "mastowatch", "api"]
        with subprocess.Popen(command, env={**os.environ, **environ}) as process:
            try:
                asyncio.run(_answers(port))
                yield port, process.pid
            finally:
                process.terminate()


async def _answers(port: int) -> None:
    while True:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.05)


def _send(port: int, order: Order) -> Found:
    command = [sys.executable, "-m", "benchmarks.webhooks", "--send", str(port), json.dumps(asdict(order))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Found(**json.loads(done.stdout))


class _Sender(asyncio.Protocol):
    """A connection: sends a request, and tells when its answer is there."""

    def __init__(self, run: _Run) -> None:
        self._run, self._transport = run, asyncio.Transport()
        self._due = 0.0
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send(self, request: bytes, due: float) -> None:
        self._due, self._got = due, b""
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        if self._got.endswith(b"}"):
            self._run.answered(self, self._due, self._got)

    def close(self) -> None:
        self._transport.close()


class _Run:
    """An order under way."""

    def __init__(self, port: int, order: Order) -> None:
        self._port, self._order = port, order
        self._requests = deque(_request(order.first_id + number, kept=order.kept) for number in range(order.count))
        self._free: list[_Sender] = []
        self._times: list[float] = []
        self._taken = 0
        self._over = asyncio.Event()
        self._connecting: set[asyncio.Task[None]] = set()

    async def carry_out(self) -> Found:
        begun = time.perf_counter()
        if self._order.rate:
            await self._at_rate(begun)
        else:
            for _ in range(CONNECTIONS):
                self._start_next(time.perf_counter())
        await self._over.wait()
        seconds = time.perf_counter() - begun
        for sender in self._free:
            sender.close()
        times = sorted(1000 * one for one in self._times)
        return Found(self._taken, seconds, times[len(times) // 2], times[int(len(times) * 0.99)], times[-1])

    async def _at_rate(self, begun: float) -> None:
        for number in range(self._order.count):
            due = begun + number / self._order.rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            self._start_next(due)

    def _start_next(self, due: float) -> None:
        request = self._requests.popleft()
        if self._free:
            self._free.pop().send(request, due)
            return
        task = asyncio.get_running_loop().create_task(self._connect(request, due))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, request: bytes, due: float) -> None:
        loop = asyncio.get_running_loop()
        _, sender = await loop.create_connection(lambda: _Sender(self), "127.0.0.1", self._port)
        sender.send(request, due)

    def answered(self, sender: _Sender, due: float, got: bytes) -> None:
        self._times.append(time.perf_counter() - due)
        self._taken += got.startswith(b"HTTP/1.1 202") and b'"queued"' in got
        if self._order.kept:
            self._free.append(sender)
        else:
            sender.close()
        if not self._order.rate and self._requests:
            self._start_next(time.perf_counter())
        if len(self._times) == self._order.count:
            self._over.set()


async def _send_all(port: int, order: Order) -> Found:
    return await _Run(port, order).carry_out()


def _body(number: int) -> bytes:
    account = {
        "id": str(10**17 + number % 5000),
        "username": "somebody",
        "note": _TEXT,
        "fields": [{"name": "a", "value": _TEXT}] * 4,
    }
    status = {"id": str(number), "visibility": "public", "content": _TEXT, "account": account, "mentions": []}
    return json.dumps({"event": "status.created", "created_at": "2026-01-01T12:00:00.000Z", "object": status}).encode()


def _request(number: int, *, kept: bool) -> bytes:
    body = _body(number)
    signed = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    lines: Sequence[str] = (
        "POST /webhooks/mastodon HTTP/1.1",
        "Host: 127.0.0.1",
        "User-Agent: Mastodon/4.4.22 (http.rb/5.2.0; +https://m.example/)",
        f"Connection: {'keep-alive' if kept else 'close'}",
        "Content-Type: application/json",
        f"X-Hub-Signature: sha256={signed}",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


if __name__ == "__main__":
    main()
