"""What signing in needs of the world: the Mastodon server, and which sessions of the dashboard have ended."""

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


class Application(Protocol):
    """MastoWatch as registered with a Mastodon server, for somebody to authorise it as the bot."""

    @property
    def ask_at(self) -> str:
        """Return the address to open in a browser where the bot is signed in; it shows a code."""
        ...

    def token(self, shown: str) -> str:
        """Trade the code, or the address of the page that shows it, for an access token.

        Raises MastodonUnreachable, or MastodonRefused: the code is not good.
        """
        ...

    def give_back(self, token: str) -> None:
        """Revoke a token that nobody will use; whatever the server says to that."""
        ...


class EndedSessions(Protocol):
    """Sessions that were signed out before their time. Raises StoreUnavailable."""

    def end(self, name: str, seconds: int) -> None:
        """Remember for ``seconds`` that the session called ``name`` is over."""
        ...

    def ended(self, name: str) -> bool:
        """Return whether it is over. Writes nothing."""
        ...
