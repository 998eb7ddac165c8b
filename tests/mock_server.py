"""mastodon-mock as a process of its own, on a free port."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.redis_server import free_port

CONFIG = """
[server]
port = {port}
[database]
path = ":memory:"
[auth]
enforce_scopes = {scopes}
[[seed.accounts]]
username = "watch"
role = "admin"
access_token = "bot-token"
[[seed.accounts]]
username = "alice"
email = "alice@secret.example"
[[seed.accounts]]
username = "spammer"
domain = "spam.example"
note = "<p>hello</p>"
[[seed.statuses]]
account = "spammer"
text = "claim your airdrop https://w.example/1"
[[seed.statuses]]
account = "spammer"
text = "for friends only"
visibility = "private"
"""


@dataclass(frozen=True)
class Mock:
    url: str

    def fault(self, effect: dict, path_regex: str, count: int | None = None) -> None:
        body = {"match": {"path_regex": path_regex}, "effect": effect, "count": count}
        requests.post(f"{self.url}/api/v1/_mock/faults", json=body, timeout=5).raise_for_status()

    def heal(self) -> None:
        requests.delete(f"{self.url}/api/v1/_mock/faults", timeout=5)


@contextlib.contextmanager
def mock_server(*, scopes: bool = False) -> Iterator[Mock]:
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "mock.toml"
        config.write_text(CONFIG.format(port=port, scopes=str(scopes).lower()))
        command = [sys.executable, "-m", "mastodon_mock", "serve", "--config", str(config)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=directory)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url)
            yield Mock(url)
        finally:
            process.kill()  # one that still holds a hanging request does not end by itself
            process.wait(10)


def _wait(url: str) -> None:
    for _ in range(200):
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{url}/api/v2/instance", timeout=2).ok:
                return
        time.sleep(0.1)
    raise RuntimeError("mastodon-mock did not start")
