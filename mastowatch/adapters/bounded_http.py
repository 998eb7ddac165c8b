"""HTTP that is bounded as a whole: a server that sends a byte now and then holds nobody who asks it.

The time-out of ``requests`` begins anew with each byte. Here a timer hangs up, whatever the connection is at.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection


class BoundedSession(requests.Session):
    """A session that ends ``timeout_s`` after it was entered; ``late`` tells whether it was cut off.

    What was read of an answer until then may look whole: ask ``late`` once it is read. Passwords in somebody's .netrc
    are none of ours, and not sent.
    """

    def __init__(self, timeout_s: float) -> None:
        super().__init__()
        self.late = False
        self.auth = _no_auth
        self._lock, self._made = threading.Lock(), list[socket.socket]()
        self._timer = threading.Timer(timeout_s, self._hang_up)
        self._timer.daemon = True
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Telling(self._connected))

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._timer.cancel()
        self.close()

    def _connected(self, made: socket.socket) -> None:
        with self._lock:
            self._made.append(made)
            if self.late:
                _shut(made)

    def _hang_up(self) -> None:
        with self._lock:
            self.late = True
            for one in self._made:
                _shut(one)


class _Telling(HTTPAdapter):
    """Tells of each connection as soon as it stands."""

    def __init__(self, tell: Any) -> None:  # noqa: ANN401 -- called with a socket
        super().__init__()
        self._tell = tell

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- handed through
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = _telling(pool.ConnectionCls, self._tell)
        return pool


def _telling(kind: Any, tell: Any) -> Any:  # noqa: ANN401 -- urllib3's HTTPConnection or HTTPSConnection
    class Telling(kind):  # type: ignore[misc]  # known at run time only
        def connect(self: HTTPConnection) -> None:
            super().connect()  # type: ignore[misc]
            if self.sock is not None:
                tell(self.sock)

    return Telling


def _shut(one: socket.socket) -> None:
    with suppress(OSError):
        # Not an SSLSocket's own, which takes its TLS away from whoever reads.
        socket.socket.shutdown(one, socket.SHUT_RDWR)


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
