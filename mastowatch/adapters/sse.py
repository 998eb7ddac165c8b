"""Server-sent events out of the bytes of a connection, however they are cut.

Source: html.spec.whatwg.org/multipage/server-sent-events.html; Mastodon's heartbeat is the comment ``:thump``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# A post of 500 characters with all that belongs to it takes 10 kB; one of a server with other limits, more.
EVENT_MAX = 1_000_000
_LINE = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Event:
    """One event; ``name`` is "message" where none is given. A heartbeat has the name "" and no data."""

    name: str
    data: str = ""


HEARTBEAT = Event("")


class EventReader:
    """Takes bytes, gives whole events. One that is longer than ``at_most`` bytes is left out."""

    def __init__(self, *, at_most: int = EVENT_MAX) -> None:
        self._at_most = at_most
        self._rest = b""
        self._name, self._size = "", 0
        self._data: list[str] = []
        self._skips_line = False
        self.left_out = 0

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yield the events and heartbeats that ``chunk`` completes."""
        *lines, rest = self._split(chunk)
        for line in lines:
            yield from self._line(line)
        self._rest = rest
        if len(rest) > self._at_most:
            # Nobody writes such a line: neither this part of it nor what follows is kept.
            self._rest, self._skips_line, self._size = b"", True, self._at_most + 1

    def _split(self, chunk: bytes) -> list[bytes]:
        text = self._rest + chunk
        # A \r at the very end may be half of \r\n.
        held = b"\r" if text.endswith(b"\r") else b""
        lines = _LINE.split(text[: len(text) - len(held)])
        lines[-1] += held
        return lines

    def _line(self, raw: bytes) -> Iterator[Event]:
        if self._skips_line:
            self._skips_line = False
        elif not raw:
            yield from self._end()
        elif raw.startswith(b":"):
            yield HEARTBEAT
        else:
            self._field(raw)

    def _field(self, raw: bytes) -> None:
        self._size += len(raw)
        if self._size > self._at_most:
            self._data.clear()
            return
        name, _, value = raw.partition(b":")
        text = value.removeprefix(b" ").decode(errors="replace")
        if name == b"event":
            self._name = text
        elif name == b"data":
            self._data.append(text)

    def _end(self) -> Iterator[Event]:
        name, data, size = self._name, "\n".join(self._data), self._size
        self._name, self._size = "", 0
        self._data.clear()
        if size > self._at_most:
            self.left_out += 1
        elif data:
            yield Event(name or "message", data)
