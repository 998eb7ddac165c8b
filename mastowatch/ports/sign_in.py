"""What signing in to the dashboard needs of the world: the Mastodon server, and which sessions have ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the server vouches for. ``permissions`` are the bits of the account's role, see Mastodon's UserRole."""

    name: str
    permissions: int


class SignInServer(Protocol):
    """A Mastodon server that signs people in (OAuth 2, authorization code with PKCE)."""

    @property
    def mark(self) -> str:
        """Names the application that is registered with the server, without telling its secret."""
        ...

    def ask_at(self, *, state: str, challenge: str, answer_to: str) -> str:
        """Return the address to send a person to; ``challenge`` is PKCE's S256, ``answer_to`` the callback."""
        ...

    def identify(self, *, code: str, verifier: str, answer_to: str) -> Identity:
        """Trade a code for whom it is about. No token outlives the call.

        Raises MastodonUnreachable, MastodonRefused (the code is not good), or MastodonAuthError (the application
        is not known to the server any more).
        """
        ...


class EndedSessions(Protocol):
    """Sessions that were signed out before their time. Raises StoreUnavailable."""

    def end(self, name: str, seconds: int) -> None:
        """Remember for ``seconds`` that the session called ``name`` is over."""
        ...

    def ended(self, name: str) -> bool:
        """Return whether it is over. Writes nothing."""
        ...
