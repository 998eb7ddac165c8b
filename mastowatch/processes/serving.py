"""Serves an ASGI app with uvicorn under systemd: READY when it listens, fed while the event loop answers."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Sequence
from types import FrameType

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from mastowatch.config import Loaded
from mastowatch.logs import event
from mastowatch.processes.absence import Absence, Watch
from mastowatch.processes.layout import Agreement
from mastowatch.processes.notify import Notifier
from mastowatch.processes.reloading import OF_REDIS, Reloader
from mastowatch.processes.sockets import address
from mastowatch.web.live import ENDING

log = logging.getLogger(__name__)

# Requests under way get this long at a stop; all of ours take milliseconds.
GRACE_S = 5
# At a stop, a connection that is open already may still send its first request for so long.
FIRST_REQUEST_S = 1.0


class _Served:
    """The app in force. A reload puts another in its place; requests under way end in the one they began in.

    Streams have no end of their own, so they are told: by what stands in their scope.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._ending = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[ENDING] = self._ending
        await self._app(scope, receive, send)

    def adopt(self, app: ASGIApp) -> None:
        """Put ``app`` in force; streams come again, and what may be listened to is asked of the new one."""
        self.end_streams()
        self._app, self._ending = app, asyncio.Event()

    def end_streams(self) -> None:
        """Have every open stream end now."""
        self._ending.set()


class _Server(uvicorn.Server):
    def __init__(
        self,
        config: uvicorn.Config,
        served: _Served,
        *,
        notifier: Notifier,
        reload: Callable[[], None],
        absence: Absence,
        where: str,
    ) -> None:
        super().__init__(config)
        self._served = served
        self._notifier, self._reload, self._absence, self._where = notifier, reload, absence, where

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._hang_up)
        self._notifier.ready(self._status())
        event(log, logging.INFO, "listening", on=self._where)

    async def on_tick(self, counter: int) -> bool:
        # uvicorn calls this ten times a second from the event loop: a loop that hangs feeds nothing.
        self._notifier.alive()
        self._notifier.status(self._status())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, let those that are there send what they came for, then end as uvicorn does."""
        for server in self.servers:
            server.close()
        self._served.end_streams()
        until = asyncio.get_running_loop().time() + FIRST_REQUEST_S
        await asyncio.sleep(0.05)  # what was accepted a moment ago becomes a connection
        while self._any_fresh() and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110 -- uvicorn has no event for it
            await asyncio.sleep(0.02)
        await super().shutdown(sockets=sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn would raise the signal once more at its end; a clean stop ends with exit status 0.
        del sig, frame
        self._notifier.stopping()
        self.should_exit = True

    def _any_fresh(self) -> bool:
        # uvicorn closes a connection without a request at once, and with it a request that is on its way.
        return any(getattr(one, "cycle", None) is None for one in self.server_state.connections)

    def _status(self) -> str:
        said = f"Listening on {self._where}; {self.server_state.total_requests} requests answered"
        return f"{self._absence.text}. {said}" if self._absence.text else said

    def _hang_up(self) -> None:
        self._notifier.reloading()
        try:
            self._reload()
        finally:
            self._notifier.reloaded()


def serve(
    loaded: Loaded,
    make: Callable[[Loaded], ASGIApp],
    sockets: Sequence[socket.socket],
    *,
    agreement: Agreement,
    fixed: Sequence[str],
) -> None:
    """Serve what ``make`` makes of the settings on ``sockets`` until SIGTERM or SIGINT; SIGHUP makes it anew.

    Redis is asked now and then whether it is there, for the STATUS, and whether the ``agreement`` still holds.
    ``fixed``: settings that need a restart.
    """
    agreement.begin()
    served = _Served(make(loaded))

    def adopt(found: Loaded) -> None:
        served.adopt(make(found))

    absence = Absence()
    where = ", ".join(address(one) for one in sockets)
    config = uvicorn.Config(
        served,
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        proxy_headers=False,
    )
    reloader = Reloader(loaded, adopt, [*OF_REDIS, *fixed])
    server = _Server(config, served, notifier=Notifier(), reload=reloader.reload, absence=absence, where=where)
    watch = Watch(agreement.look, absence)
    watch.start()
    try:
        asyncio.run(server.serve(sockets=list(sockets)))
    finally:
        watch.stop()
    event(log, logging.INFO, "stopped_listening", on=where)
