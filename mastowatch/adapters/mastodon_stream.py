"""The public streaming API over server-sent events, read by a thread, so that the process never waits for it.

Source: docs.joinmastodon.org/methods/streaming. The streaming server is another program than the API's: it has no part
in the rate limits. It says ``:thump`` about every 15 s; a connection without a line for ``silence_s`` is dead, whatever
TCP believes.
"""

from __future__ import annotations

import http.client
import json
import queue
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import requests
import urllib3

from mastowatch.adapters import mastodon_parsing as parsing
from mastowatch.adapters.sse import Event, EventReader
from mastowatch.ports.stream import StreamEnd
from mastowatch.ports.types import Sighted

Which = Literal["all", "remote", "local"]
PATHS: Mapping[str, str] = {
    "all": "/api/v1/streaming/public",
    "remote": "/api/v1/streaming/public/remote",
    "local": "/api/v1/streaming/public/local",
}
SILENCE_S = 45.0
# Posts that wait for the process; then the thread waits, and so does the server.
WAITING_MAX = 1000
_CHUNK = 65_536
_TRY_PUT_S = 0.5
_NEW_POSTS = frozenset({"update", "status.update"})
_HINTS: Mapping[int, str] = {
    401: "the access token was refused (401): revoked or mistyped; make a new one",
    403: "not allowed (403): the access token needs the scope read:statuses",
    404: "there is no streaming API at this address (404): STREAM_BASE names another, or the server has none",
}


class MastodonStream:
    """The port ``mastowatch.ports.stream.PublicStream``. Making one connects, in the background.

    The thread ends by itself with the connection, with ``close`` at the next line, and with the process.
    """

    def __init__(
        self,
        base_url: str,
        access_token: str,
        *,
        which: Which,
        user_agent: str,
        timeout_s: float,
        silence_s: float = SILENCE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url, self._token, self._agent = base_url + PATHS[which], access_token, user_agent
        self._timeout_s, self._silence_s, self._clock = timeout_s, silence_s, clock
        self._found: queue.Queue[Sighted] = queue.Queue(WAITING_MAX)
        self._end: StreamEnd | None = None
        self._open = self._closed = False
        self._heard_at = time.monotonic()
        threading.Thread(target=self._live, name="public-stream", daemon=True).start()

    @property
    def is_open(self) -> bool:
        """See the port."""
        return self._open and self.end is None

    @property
    def end(self) -> StreamEnd | None:
        """See the port."""
        return self._end if self._found.empty() else None

    def take(self, wait_s: float) -> list[Sighted]:
        """See the port."""
        taken: list[Sighted] = []
        try:
            taken.append(self._found.get(timeout=wait_s) if wait_s > 0 else self._found.get_nowait())
            while len(taken) < WAITING_MAX:
                taken.append(self._found.get_nowait())
        except queue.Empty:
            pass
        return taken

    def close(self) -> None:
        """See the port."""
        self._closed = True

    # --- the thread ---

    def _live(self) -> None:
        # Whatever it dies of: a connection that nobody reads must not look like a quiet one.
        end = StreamEnd("closed", "its reader failed")
        try:
            end = self._connect_and_read()
        except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            end = self._failed(error)
        finally:
            self._end = end

    def _failed(self, error: Exception) -> StreamEnd:
        if self._open and isinstance(error, (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError)):
            return self._silent()
        # Its text may quote the request; the kind tells enough.
        return StreamEnd("closed" if self._open else "unreachable", f"the connection failed ({type(error).__name__})")

    def _silent(self) -> StreamEnd:
        return StreamEnd("silent", f"no heartbeat for {self._silence_s:.0f} s")

    def _connect_and_read(self) -> StreamEnd:
        headers = {
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",
            "User-Agent": self._agent,
        }
        with requests.Session() as session:
            timeouts = (self._timeout_s, self._silence_s)
            # Following a redirect would show the token to another server.
            with session.get(
                self._url, headers=headers, auth=self._sign, stream=True, timeout=timeouts, allow_redirects=False
            ) as response:
                refusal = _refusal(response)
                if refusal is not None:
                    return refusal
                self._heard_at = time.monotonic()
                self._open = True
                return self._read(response.raw)

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the token; as a header alone it would give way to whatever a .netrc says."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def _read(self, raw: Any) -> StreamEnd:  # noqa: ANN401 -- urllib3's response
        reader = EventReader()
        while not self._closed:
            # What has come in, and no more: to wait for a full chunk would hold back a quiet server's posts.
            chunk = raw.read1(_CHUNK, decode_content=True)
            if not chunk:
                return StreamEnd("closed", "the server ended the connection")
            for event in reader.feed(chunk):
                self._heard_at = time.monotonic()
                self._put(event)
            # Bytes that never make a line are no sign of life.
            if time.monotonic() - self._heard_at > self._silence_s:
                return self._silent()
        return StreamEnd("closed", "it was closed here")

    def _put(self, event: Event) -> None:
        sighted = self._sighted(event)
        while sighted is not None and not self._closed:
            try:
                self._found.put(sighted, timeout=_TRY_PUT_S)
            except queue.Full:
                continue
            return

    def _sighted(self, event: Event) -> Sighted | None:
        """Return the post of an event; None for other events, private posts, and what can't be read."""
        if event.name not in _NEW_POSTS:
            return None
        try:
            found = json.loads(event.data)
        except (ValueError, RecursionError):
            return None
        if not isinstance(found, Mapping):
            return None
        return parsing.sight(found, datetime.fromtimestamp(self._clock(), UTC))


def _refusal(response: requests.Response) -> StreamEnd | None:
    """Return what an answer means that is no stream; None for one that is."""
    code = response.status_code
    if code in _HINTS:
        return StreamEnd("refused", _HINTS[code])
    if response.is_redirect:
        return StreamEnd(
            "refused", f"it is redirected ({code}): STREAM_BASE must be the streaming server's own address"
        )
    if code != 200:
        return StreamEnd("unreachable", f"the server answered {code}")
    kind = response.headers.get("Content-Type", "")
    if not kind.startswith("text/event-stream"):
        return StreamEnd(
            "refused", "the answer is no event stream: STREAM_BASE names another address, or a proxy answers"
        )
    return None
