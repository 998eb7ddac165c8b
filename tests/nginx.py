"""A real nginx in front of an app of ours: Debian's program, taken out of its package where it is not installed."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.programs import program
from tests.redis_server import free_port


@contextmanager
def behind_nginx(directory: Path, locations: str, name: str) -> Iterator[str]:
    """Serve ``locations`` under ``name`` on a free port; yields the address, with 127.0.0.1 for the name."""
    port = free_port()
    config = directory / "nginx.conf"
    spools = "".join(
        f"{one}_temp_path {directory}/{one};" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(
        f"{user} daemon off; pid {directory}/pid; error_log stderr warn; events {{}}"
        f" http {{ access_log off; {spools} server {{ listen 127.0.0.1:{port}; server_name {name};\n{locations}\n}} }}"
    )
    with (directory / "log").open("w") as log:
        process = subprocess.Popen([program("nginx"), "-p", str(directory), "-c", str(config)], stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(url, process, directory / "log")
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(500):
        try:
            requests.get(url, timeout=5)
        except requests.ConnectionError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.02)  # nginx has no way to say that it listens
        else:
            return
    raise RuntimeError(f"nginx did not start: {log.read_text()}")
