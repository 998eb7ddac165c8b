"""Registers MastoWatch with a Mastodon server, and has a person authorise it: OAuth 2, the code shown in the browser.

The server has no way back to this machine, which may have no browser: it shows a code, and the person pastes that.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from mastowatch.adapters.mastodon_oauth import TOKEN, Http
from mastowatch.errors import MastodonAuthError, MastodonError, MastodonRefused

# "Out of band": the server shows the code instead of sending the browser somewhere.
SHOWN = "urn:ietf:wg:oauth:2.0:oob"
NAME = "MastoWatch"


class Application:
    """The port ``mastowatch.ports.sign_in.Application``: one registration, one person who is sent to authorise it."""

    def __init__(
        self, http: Http, base_url: str, client: tuple[str, str], scopes: Sequence[str], *, pkce: bool
    ) -> None:
        self._http, self._base, self._scopes = http, base_url, " ".join(scopes)
        self._us = {"client_id": client[0], "client_secret": client[1]}
        self._state = secrets.token_urlsafe(24)
        self._verifier = secrets.token_urlsafe(48) if pkce else ""

    @property
    def ask_at(self) -> str:
        """See the port."""
        asked = {
            "response_type": "code",
            "client_id": self._us["client_id"],
            "redirect_uri": SHOWN,
            "scope": self._scopes,
            "state": self._state,
        }
        if self._verifier:
            digest = hashlib.sha256(self._verifier.encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            asked |= {"code_challenge": challenge, "code_challenge_method": "S256"}
        return f"{self._base}/oauth/authorize?{urlencode(asked)}"

    def token(self, shown: str) -> str:
        """See the port."""
        asked = {"grant_type": "authorization_code", "code": self._code(shown), "redirect_uri": SHOWN}
        if self._verifier:
            asked["code_verifier"] = self._verifier
        try:
            given = self._http.ask("POST", "/oauth/token", data={**self._us, **asked, "scope": self._scopes})
        except MastodonAuthError as error:
            raise MastodonRefused(str(error)) from error
        except MastodonRefused as error:
            raise MastodonRefused(f"{error}: the code is not right, was used before, or is too old") from error
        token = given.get("access_token")
        if not isinstance(token, str) or not TOKEN.fullmatch(token):
            raise MastodonRefused("POST /oauth/token gave no token")
        return token

    def give_back(self, token: str) -> None:
        """See the port."""
        with suppress(MastodonError):
            self._http.ask("POST", "/oauth/revoke", data={**self._us, "token": token})

    def _code(self, shown: str) -> str:
        """Return the code, also out of the address of the page that shows it."""
        if "://" not in shown:
            return shown.strip()
        parts = urlsplit(shown.strip())
        query = parse_qs(parts.query)
        states = query.get("state", [self._state])
        if not shown.startswith(f"{self._base}/") or not hmac.compare_digest(states[0].encode(), self._state.encode()):
            raise MastodonRefused("that address is not of the page that shows the code; paste the code itself")
        return query.get("code", [parts.path.rpartition("/")[2]])[0]


def register(base_url: str, scopes: Sequence[str], *, user_agent: str, timeout_s: float) -> Application:
    """Register with the server for exactly these scopes; raises MastodonError."""
    http = Http(base_url, user_agent, timeout_s, hint="begin anew, which registers MastoWatch once more")
    pkce = _has_pkce(http)
    asked = {"client_name": NAME, "redirect_uris": SHOWN, "scopes": " ".join(scopes)}
    given = http.ask("POST", "/api/v1/apps", data=asked)
    return Application(http, base_url, _client(given), scopes, pkce=pkce)


def _client(given: Mapping[str, Any]) -> tuple[str, str]:
    client_id, secret = given.get("client_id"), given.get("client_secret")
    if not isinstance(client_id, str) or not isinstance(secret, str):
        raise MastodonRefused("POST /api/v1/apps gave no client_id and client_secret")
    return client_id, secret


def _has_pkce(http: Http) -> bool:
    """Tell whether the server knows PKCE, as those since 4.3 do."""
    try:
        methods = http.ask("GET", "/.well-known/oauth-authorization-server").get("code_challenge_methods_supported")
    except MastodonRefused:
        return False
    return isinstance(methods, list) and "S256" in methods
