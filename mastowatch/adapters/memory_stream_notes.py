"""How the public stream is read, in memory: for tests and rehearsals."""

from __future__ import annotations

from mastowatch.ports.types import StreamNote


class MemoryStreamNotes:
    """Keeps the last note, for as long as the process lives."""

    def __init__(self) -> None:
        self._last: StreamNote | None = None

    def note(self, note: StreamNote) -> None:
        """See the port."""
        self._last = note

    def read(self) -> StreamNote | None:
        """See the port."""
        return self._last
