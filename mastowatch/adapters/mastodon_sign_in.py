"""Signs people in through the Mastodon server itself: OAuth 2, authorization code with PKCE.

A token is asked for one thing, whom it is about, and given back at once. Neither it, the code, nor a text of the server
goes any further: our errors name the endpoint, the status, and what to do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from mastowatch.adapters.mastodon_oauth import TOKEN, Http
from mastowatch.errors import MastodonError, MastodonRefused
from mastowatch.ports.sign_in import Identity

LEAST_SCOPE, OLDER_SCOPE = "profile", "read:accounts"
_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,62}[A-Za-z0-9_])?", re.ASCII)
_HINT = "register the dashboard anew with `mastowatch sign-in mastodon`"


class MastodonSignIn:
    """The port ``mastowatch.ports.sign_in.SignInServer``. ``timeout_s`` bounds each answer as a whole."""

    def __init__(
        self, base_url: str, client_id: str, client_secret: str, scope: str, *, user_agent: str, timeout_s: float
    ) -> None:
        self._base, self._id, self._secret, self._scope = base_url, client_id, client_secret, scope
        self._http = Http(base_url, user_agent, timeout_s, hint=_HINT)

    @property
    def mark(self) -> str:
        """See the port."""
        return self._id

    def ask_at(self, *, state: str, challenge: str, answer_to: str) -> str:
        """See the port."""
        asked = {
            "response_type": "code",
            "client_id": self._id,
            "redirect_uri": answer_to,
            "scope": self._scope,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._base}/oauth/authorize?{urlencode(asked)}"

    def identify(self, *, code: str, verifier: str, answer_to: str) -> Identity:
        """See the port."""
        us = {"client_id": self._id, "client_secret": self._secret}
        asked = {"grant_type": "authorization_code", "code": code, "redirect_uri": answer_to, "code_verifier": verifier}
        given = self._http.ask("POST", "/oauth/token", data={**us, **asked})
        token = given.get("access_token")
        if not isinstance(token, str) or not TOKEN.fullmatch(token):
            raise MastodonRefused("POST /oauth/token gave no token")
        try:
            authorization = {"Authorization": f"Bearer {token}"}
            found = self._http.ask("GET", "/api/v1/accounts/verify_credentials", headers=authorization)
        finally:
            self._give_back({**us, "token": token})
        return _identity(found)

    def _give_back(self, fields: Mapping[str, str]) -> None:
        try:
            self._http.ask("POST", "/oauth/revoke", data=fields)
        except MastodonError:
            # It can do nothing but tell who signed in, nobody has it, and the sign-in need not fail for it.
            return


def register(base_url: str, answer_to: str, *, user_agent: str, timeout_s: float) -> tuple[str, str, str]:
    """Register the dashboard with the server; returns client id, client secret, and scope. Raises MastodonError."""
    http = Http(base_url, user_agent, timeout_s, hint=_HINT)
    scope = _least_scope(http)
    asked = {"client_name": "MastoWatch dashboard", "redirect_uris": answer_to, "scopes": scope}
    given = http.ask("POST", "/api/v1/apps", data=asked)
    client_id, client_secret = given.get("client_id"), given.get("client_secret")
    if not isinstance(client_id, str) or not isinstance(client_secret, str):
        raise MastodonRefused("POST /api/v1/apps gave no client_id and client_secret")
    return client_id, client_secret, scope


def _least_scope(http: Http) -> str:
    """Return the scope that lets a token tell whom it is about and nothing else; servers before 4.3 lack it."""
    try:
        scopes = http.ask("GET", "/.well-known/oauth-authorization-server").get("scopes_supported")
    except MastodonRefused:
        return OLDER_SCOPE
    return LEAST_SCOPE if isinstance(scopes, list) and LEAST_SCOPE in scopes else OLDER_SCOPE


def _identity(found: Mapping[str, Any]) -> Identity:
    name, role = found.get("username"), found.get("role")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise MastodonRefused("GET /api/v1/accounts/verify_credentials gave no username")
    rights = str(role.get("permissions", "")) if isinstance(role, Mapping) else ""
    return Identity(name, int(rights) if rights.isdecimal() and len(rights) < 20 else 0)
