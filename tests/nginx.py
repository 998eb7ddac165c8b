"""A real nginx in front of an app of ours: Debian's program, taken out of its package where it is not installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import requests

from tests.redis_server import free_port

_CACHE = Path("/var/tmp/mastowatch-nginx")


@cache
def nginx() -> str | None:
    """Return where the program is, or None where it is neither installed nor to be had."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found:
        return found
    program = _CACHE / "usr/sbin/nginx"
    if not program.is_file():
        # Unpacked and not installed: the package would start a service on this machine.
        own = _CACHE.with_name(f"{_CACHE.name}-{os.getpid()}")
        shutil.rmtree(own, ignore_errors=True)
        own.mkdir(parents=True)
        got = subprocess.run(["apt-get", "download", "-q", "nginx"], cwd=own, capture_output=True, check=False)
        packages = list(own.glob("*.deb"))
        if got.returncode or not packages:
            return None
        subprocess.run(["dpkg", "-x", str(packages[0]), str(own)], check=True)
        if not program.is_file():
            shutil.rmtree(_CACHE, ignore_errors=True)
            own.rename(_CACHE)
    return str(program)


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
        process = subprocess.Popen([nginx() or "nginx", "-p", str(directory), "-c", str(config)], stderr=log)
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
