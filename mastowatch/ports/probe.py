"""What it takes to ask a Mastodon server whether all is well with it, with our token, and with the clocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

# scope: the token lacks it. role: its account may not. "" for any answer that is not 403.
Forbidden = Literal["", "scope", "role"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one request. ``status`` 0: no usable answer, and ``problem`` says why, in words of ours.

    ``json`` is the answer as it was sent: foreign, and never to be shown as it is. ``ahead_s`` says how many seconds
    the server's clock is ahead of ours, None where it did not tell. ``limits`` are the headers about the rate limit.
    """

    status: int
    problem: str = ""
    json: Any = None
    forbidden: Forbidden = ""
    ahead_s: float | None = None
    limits: Mapping[str, str] = field(default_factory=dict)


class Probe(Protocol):
    """Asks one server harmless things; never raises for what the server or the network do."""

    def ask(self, method: str, path: str, *, token: str | None = None) -> Reply:
        """Make one request without following a redirect."""
        ...


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a server shows of itself by TLS. ``problem`` says why it is not to be trusted, or why it can't be seen.

    ``ends_at`` is in epoch seconds, 0 where it is unknown. ``reached`` is False where nobody answered at all.
    """

    ends_at: float = 0.0
    problem: str = ""
    reached: bool = True
