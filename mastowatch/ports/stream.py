"""The port to the public streaming API: posts as they come in, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from mastowatch.ports.types import Sighted

# "refused": it was understood and will not be granted by asking again soon.
EndKind = Literal["closed", "silent", "unreachable", "refused"]


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """Why a stream ended, in words for an admin."""

    kind: EndKind
    why: str


class PublicStream(Protocol):
    """One connection, from its beginning to its end; a new one is made after that."""

    @property
    def is_open(self) -> bool:
        """Tell whether the server has agreed to stream."""
        ...

    @property
    def end(self) -> StreamEnd | None:
        """Return how it ended, once all that came before was taken; None while it lasts."""
        ...

    def take(self, wait_s: float) -> list[Sighted]:
        """Return the public posts that have come in, new and edited; waits so long for the first one."""
        ...

    def close(self) -> None:
        """Listen no more."""
        ...
