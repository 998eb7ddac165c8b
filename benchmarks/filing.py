"""From a post's webhook to the filed report: how long an idle host takes, with all that stands in between.

``python -m benchmarks.filing``: a real ``mastowatch api`` and ``mastowatch worker``, a real redis-server, the shipped
rules, and a server that answers at once, in this process. One post at a time: the next comes when the report on the one
before was filed. The time runs from the first byte of the webhook to the report's arrival at the server. What Mastodon
itself takes for its answers comes on top; ``--latency`` adds so many milliseconds to each. Prints a table for README.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from redis import Redis

from tests.local_http import serving
from tests.redis_server import free_port, private_redis

RULES = Path(__file__).parents[1] / "etc" / "rules.d"
SECRET, TOKEN = "secret-of-the-benchmark", "token-of-the-benchmark"
BOT, FIRST_ID = "1", 1000
WARM_UP, GIVE_UP_S = 5, 30.0
SPAM = '<p>Claim your airdrop <a href="https://w.example/1">https://w.example/1</a> now</p>'


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.filing")
    parser.add_argument("--posts", type=int, default=200)
    parser.add_argument("--latency", type=float, nargs="+", default=[0.0, 50.0], help="milliseconds an answer")
    options = parser.parse_args()
    print(f"{'latency ms':>10}{'reports':>9}{'requests':>10}{'median ms':>11}{'p99 ms':>9}{'most ms':>9}")
    for latency in options.latency:
        with ExitStack() as stack:
            server = stack.enter_context(_server(latency / 1000))
            url = stack.enter_context(private_redis())
            port = stack.enter_context(_processes(url, server))
            with Redis.from_url(url) as redis:
                times = [_once(server, redis, port, number) for number in range(WARM_UP + options.posts)][WARM_UP:]
        _print(latency, server, sorted(times))


def _print(latency: float, server: FastServer, times: list[float]) -> None:
    if len(server.reports) != len(times) + WARM_UP:
        raise SystemExit(f"{len(server.reports)} reports were filed on {len(times) + WARM_UP} accounts")
    each = server.requests / len(server.reports)
    half, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
    print(
        f"{latency:>10.0f}{len(times):>9}{each:>10.1f}{half * 1000:>11.0f}{p99 * 1000:>9.0f}{times[-1] * 1000:>9.0f}",
        flush=True,
    )


def _once(server: FastServer, redis: Redis, port: int, number: int) -> float:
    """Send the webhook of one post and return the seconds until its author's report was there."""
    # One window's budget is for some fifty accounts, and this is about none of them waiting.
    for key in redis.scan_iter("mastowatch:budget:*"):
        redis.delete(key)
    account_id = str(FIRST_ID + number)
    begun = time.perf_counter()
    _deliver(port, server.status(account_id))
    while account_id not in server.reports:
        if not server.filed.wait(GIVE_UP_S):
            raise SystemExit(f"no report on account {account_id} after {GIVE_UP_S:.0f} s")
        server.filed.clear()
    taken = server.reports[account_id] - begun
    while redis.llen("rq:queue:high") or redis.exists(f"mastowatch:lock:account:{account_id}"):
        time.sleep(0.002)
    return taken


def _deliver(port: int, status: dict[str, Any]) -> None:
    body = json.dumps({"event": "status.created", "created_at": status["created_at"], "object": status}).encode()
    signed = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Content-Type": "application/json", "X-Hub-Signature": f"sha256={signed}"}
    connection.request("POST", "/webhooks/mastodon", body, headers)
    answer = connection.getresponse()
    if answer.status != 202:
        raise SystemExit(f"the webhook was answered with {answer.status}: {answer.read().decode()}")
    connection.close()


@contextmanager
def _processes(redis_url: str, server: FastServer) -> Iterator[int]:
    """Run the two processes as the units do; yields the API's port once both are ready."""
    with tempfile.TemporaryDirectory() as directory, Redis.from_url(redis_url) as redis:
        port = free_port()
        environ = {
            **os.environ,
            "REDIS_URL": redis_url,
            "INSTANCE_BASE": server.url,
            "API_BIND": f"127.0.0.1:{port}",
            "RULES_DIR": str(RULES),
            "DRY_RUN": "false",
            "LOG_LEVEL": "error",
            "WEBHOOK_SECRET_FILE": _secret(directory, "webhook_secret", SECRET),
            "ACCESS_TOKEN_FILE": _secret(directory, "access_token", TOKEN),
            # What stops a wave of reports is not measured here.
            **{f"{scope}REPORTS_PER_{span}": "10000" for scope in ("", "RULE_") for span in ("HOUR", "DAY")},
        }
        with ExitStack() as stack:
            for name in ("api", "worker"):
                process = stack.enter_context(subprocess.Popen([sys.executable, "-m", "mastowatch", name], env=environ))
                stack.callback(process.terminate)
            until = time.monotonic() + GIVE_UP_S
            while not (redis.scard("rq:workers") and _listens(port)):
                if time.monotonic() > until:
                    raise SystemExit("the processes did not get ready")
                time.sleep(0.05)
            yield port


def _secret(directory: str, name: str, text: str) -> str:
    path = Path(directory) / name
    path.write_text(text)
    return str(path)


def _listens(port: int) -> bool:
    with suppress(OSError):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        connection.connect()
        connection.close()
        return True
    return False


class FastServer:
    """As much of Mastodon as a report takes. ``reports`` are the times of arrival by account."""

    def __init__(self, latency_s: float) -> None:
        self.latency_s = latency_s
        self.url, self.requests = "", 0
        self.reports: dict[str, float] = {}
        self.filed = threading.Event()
        self.born = datetime.now(UTC) - timedelta(days=1)

    def account(self, account_id: str) -> dict[str, Any]:
        """Return an account that is new and has posted twice."""
        name = f"a{account_id}"
        return {
            "id": account_id,
            "username": name,
            "acct": name,
            "url": f"{self.url}/@{name}",
            "created_at": self.born.isoformat(),
            "statuses_count": 2,
        }

    def status(self, account_id: str, number: int = 1) -> dict[str, Any]:
        """Return one of its posts, which the shipped rules report."""
        return {
            "id": f"{account_id}{number}",
            "visibility": "public",
            "created_at": (self.born + timedelta(hours=23)).isoformat(),
            "content": SPAM,
            "account": self.account(account_id),
            "mentions": [{"acct": "b"}, {"acct": "c"}],
        }

    def answer(self, path: str) -> object:
        """Return what a path shows."""
        parts = path.removeprefix("/api/v1/").split("/")
        match parts:
            case ["accounts", "verify_credentials"]:
                return self.account(BOT)
            case ["admin", "accounts", account_id]:
                return {**self.account(account_id), "account": self.account(account_id)}
            case ["accounts", account_id, "statuses"]:
                return [self.status(account_id, number) for number in (2, 1)]
            case ["statuses", status_id]:
                return self.status(status_id[:-1])
            case _:
                return []  # no reports yet, no followers

    def file(self, form: dict[str, list[str]]) -> object:
        """Take a report; the first on an account is the one that is timed."""
        account_id = form["account_id"][0]
        self.reports.setdefault(account_id, time.perf_counter())
        self.filed.set()
        return {"id": account_id}


@contextmanager
def _server(latency_s: float) -> Iterator[FastServer]:
    found = FastServer(latency_s)
    with serving(_handler(found)) as found.url:
        yield found


def _handler(found: FastServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # an answer in one piece

        def do_GET(self) -> None:
            self._send(found.answer(urlsplit(self.path).path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._send(found.file(parse_qs(body.decode())))

        def _send(self, answer: object) -> None:
            found.requests += 1
            time.sleep(found.latency_s)
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    return Handler


if __name__ == "__main__":
    main()
