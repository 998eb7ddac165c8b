"""Serves an ASGI app with uvicorn under systemd: READY when it listens, fed while the event loop answers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from mastowatch.config import Bind
from mastowatch.errors import ConfigError
from mastowatch.logs import event
from mastowatch.processes.notify import Notifier

log = logging.getLogger(__name__)

# Requests under way get this long at a stop; all of ours take milliseconds.
GRACE_S = 5


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, notifier: Notifier, listening: str) -> None:
        super().__init__(config)
        self._notifier, self._listening = notifier, listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._notifier.ready(f"Listening on {self._listening}")
        event(log, logging.INFO, "listening", on=self._listening)

    async def on_tick(self, counter: int) -> bool:
        # uvicorn calls this ten times a second from the event loop: a loop that hangs feeds nothing.
        self._notifier.alive()
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn would raise the signal once more at its end; a clean stop ends with exit status 0.
        del sig, frame
        self._notifier.stopping()
        self.should_exit = True


def serve(app: FastAPI, sockets: Sequence[socket.socket]) -> None:
    """Serve ``app`` on ``sockets`` until SIGTERM or SIGINT."""
    listening = ", ".join(_name(one) for one in sockets)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        proxy_headers=False,
    )
    asyncio.run(_Server(config, Notifier(), listening).serve(sockets=list(sockets)))
    event(log, logging.INFO, "stopped_listening", on=listening)


def tcp_socket(bind: Bind, setting: str) -> socket.socket:
    """Return a listening socket; raises ConfigError that names ``setting`` where the address is taken."""
    family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
    try:
        return socket.create_server((bind.host, bind.port), family=family, backlog=512)
    except OSError as error:
        raise ConfigError(f"{setting}={bind}: can't listen there: {error.strerror}; choose another address") from error


@contextlib.contextmanager
def unix_socket(path: Path) -> Iterator[socket.socket]:
    """Yield a listening unix socket that owner and group may use; the file is removed at the end."""
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Bound without rights for others: there is no moment in which a third user could connect.
        before = os.umask(0o117)
        try:
            sock.bind(str(path))
        finally:
            os.umask(before)
        sock.listen(512)
    except OSError as error:
        sock.close()
        raise ConfigError(f"API_SOCKET={path}: can't listen there: {error.strerror}") from error
    try:
        yield sock
    finally:
        sock.close()
        path.unlink(missing_ok=True)


def _remove_stale(path: Path) -> None:
    # A socket file that a killed process left behind would refuse the next start.
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()


def _name(sock: socket.socket) -> str:
    address = sock.getsockname()
    return address if isinstance(address, str) else str(Bind(address[0], address[1]))
