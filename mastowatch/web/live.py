"""Tells whoever listens what has changed, by server-sent events: one look at Redis a second, however many listen.

Nobody looks while nobody listens. A stream ends when its client leaves, can't keep up, or has had it for LIVES_S (so
that who may listen is asked anew), and at once when the server stops or takes new settings. Clients come again by
themselves.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mastowatch.logs import event
from mastowatch.web.problems import RETRY_AFTER_S, problem

log = logging.getLogger(__name__)

EVERY_S = 1.0
AT_MOST = 50
LIVES_S = 900.0
# Proxies cut a connection that is silent for long, as a rule after 60 s.
HEARTBEAT_S = 15.0
COME_AGAIN_MS = 2000
# Looks that a client may be behind before its stream ends; its next one begins with how things stand then.
BEHIND_MAX = 30
# How long a stream that ends may take for what is still to be sent: a client may have stopped to take anything.
LAST_S = 0.5
# Where the server puts, in a request's scope, what it sets when streams have to end.
ENDING = "mastowatch.ending"

_HEARTBEAT = b":\n\n"
P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Event:
    """A server-sent event; ``name`` is one line, ``data`` may be many."""

    name: str
    data: str

    def encoded(self) -> bytes:
        """Return it as it goes over the wire."""
        lines = "".join(f"data: {line}\n" for line in self.data.splitlines() or [""])
        return f"event: {self.name}\n{lines}\n".encode("utf-8", "replace")


class Live(Generic[P]):
    """One an app. ``sample`` looks, in a thread, and returns how things stand; a Redis that is away is no error there.

    ``tell(before, now)`` returns the events for those who know ``before``; None there: for one who has just come.
    """

    def __init__(
        self,
        sample: Callable[[], P],
        tell: Callable[[P | None, P], Iterable[Event]],
        *,
        every_s: float = EVERY_S,
        at_most: int = AT_MOST,
        lives_s: float | None = None,
    ) -> None:
        self._sample, self._tell = sample, tell
        self._every_s, self._at_most = every_s, at_most
        self.lives_s = LIVES_S if lives_s is None else lives_s
        self._listeners: set[_Listener] = set()
        self._looking: asyncio.Task[None] | None = None
        self._last: P | None = None

    def response(self, limit: int | None = None, until: asyncio.Event | None = None) -> Response:
        """Return the answer to one who wants to listen: a stream, or 503 where AT_MOST listen already.

        The stream ends after ``limit`` looks that brought something new, and once ``until`` is set.
        """
        return _Stream(self, limit, until)

    @property
    def full(self) -> bool:
        """Whether nobody else may listen."""
        return len(self._listeners) >= self._at_most

    @property
    def looking(self) -> bool:
        """Whether Redis is being looked at."""
        return self._looking is not None

    @contextmanager
    def listening(self) -> Iterator[_Listener]:
        """Let one more listen, for the length of a block."""
        listener = _Listener()
        if self._last is not None:
            listener.put(_encoded(self._tell(None, self._last)))
        self._listeners.add(listener)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_on())
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            if not self._listeners and self._looking is not None:
                self._looking.cancel()
                self._looking = self._last = None

    async def _look_on(self) -> None:
        clock = asyncio.get_running_loop().time
        try:
            while True:
                began = clock()
                now, frames = await asyncio.to_thread(self._look, self._last)
                for listener in self._listeners:
                    listener.put(frames)
                self._last = now
                await asyncio.sleep(max(0.0, self._every_s - (clock() - began)))
        except Exception as error:
            # A fault of ours: those who come again begin anew.
            event(log, logging.ERROR, "live_failed", error=type(error).__name__)
            for listener in self._listeners:
                listener.close()
            self._looking = self._last = None
            raise

    def _look(self, before: P | None) -> tuple[P, bytes]:
        now = self._sample()
        return now, _encoded(self._tell(before, now))


class _Listener:
    """What one client has yet to be told."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._woken = asyncio.Event()
        self.closed = asyncio.Event()

    def put(self, frames: bytes) -> None:
        if len(self._waiting) >= BEHIND_MAX:
            self.close()
        elif frames:
            self._waiting.append(frames)
            self._woken.set()

    def close(self) -> None:
        self.closed.set()
        self._woken.set()

    async def next(self) -> list[bytes] | None:
        """Return what is to be sent next, look by look; nothing after HEARTBEAT_S without news, None at the end."""
        try:
            await asyncio.wait_for(self._woken.wait(), HEARTBEAT_S)
        except TimeoutError:
            return []
        if self.closed.is_set():
            return None
        waiting = list(self._waiting)
        self._waiting.clear()
        self._woken.clear()
        return waiting


class _Stream(Response):
    media_type = "text/event-stream"

    # Without the base's __init__: there is neither a body nor its length.
    def __init__(self, live: Live[P], limit: int | None, until: asyncio.Event | None) -> None:
        self._live, self._limit, self._until = live, limit, until or asyncio.Event()
        self.status_code = 200
        self.background = None
        self.body = b""
        # nginx would keep the events back to send many at once.
        self.init_headers({"X-Accel-Buffering": "no"})
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._live.full:
            told = "as many listen as may; close a page that is open elsewhere, or try again later"
            full = problem(scope["path"], 503, "Too many listeners", told, {"Retry-After": str(RETRY_AFTER_S)})
            await full(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        ending: asyncio.Event = scope.get(ENDING) or asyncio.Event()
        with self._live.listening() as listener:
            passing = asyncio.ensure_future(_pass_on(listener, send, self._limit))
            over = (ending.wait(), self._until.wait(), listener.closed.wait(), asyncio.sleep(self._live.lives_s))
            watchers = [asyncio.ensure_future(one) for one in (_hung_up(receive), *over)]
            for one in watchers:
                one.add_done_callback(lambda _: listener.close())
            try:
                await asyncio.wait([passing, *watchers], return_when=asyncio.FIRST_COMPLETED)
                # While a client takes nothing, sending waits; without an end to that it would keep its place for ever.
                await asyncio.wait([passing], timeout=LAST_S)
                if passing.done():
                    passing.result()
            finally:
                for one in (passing, *watchers):
                    one.cancel()


async def _pass_on(listener: _Listener, send: Send, limit: int | None) -> None:
    await _say(send, f"retry: {COME_AGAIN_MS}\n\n".encode())
    left = limit
    while left != 0 and (looks := await listener.next()) is not None:
        await _say(send, b"".join(looks[:left]) or _HEARTBEAT)
        left = None if left is None else left - len(looks[:left])
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _say(send: Send, frames: bytes) -> None:
    await send({"type": "http.response.body", "body": frames, "more_body": True})


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _encoded(events: Iterable[Event]) -> bytes:
    return b"".join(one.encoded() for one in events)
