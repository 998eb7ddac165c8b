"""Signs people in through the Mastodon server itself: OAuth 2, authorization code with PKCE.

A token is asked for one thing, whom it is about, and given back at once. Neither it, the code, nor a text of the server
goes any further: our errors name the endpoint, the status, and what to do.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import requests

from mastowatch.errors import MastodonAuthError, MastodonError, MastodonRefused, MastodonUnreachable
from mastowatch.ports.sign_in import Identity

LEAST_SCOPE, OLDER_SCOPE = "profile", "read:accounts"
ANSWER_MAX = 256 * 1024
_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,62}[A-Za-z0-9_])?", re.ASCII)
# RFC 6750: what may stand in a header.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,4096}=*", re.ASCII)
_HINT = "register the dashboard anew with `mastowatch sign-in mastodon`"


class MastodonSignIn:
    """The port ``mastowatch.ports.sign_in.SignInServer``. ``timeout_s`` bounds each answer as a whole."""

    def __init__(
        self, base_url: str, client_id: str, client_secret: str, scope: str, *, user_agent: str, timeout_s: float
    ) -> None:
        self._base, self._id, self._secret, self._scope = base_url, client_id, client_secret, scope
        self._http = _Http(base_url, user_agent, timeout_s)

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
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
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
    http = _Http(base_url, user_agent, timeout_s)
    scope = _least_scope(http)
    asked = {"client_name": "MastoWatch dashboard", "redirect_uris": answer_to, "scopes": scope}
    given = http.ask("POST", "/api/v1/apps", data=asked)
    client_id, client_secret = given.get("client_id"), given.get("client_secret")
    if not isinstance(client_id, str) or not isinstance(client_secret, str):
        raise MastodonRefused("POST /api/v1/apps gave no client_id and client_secret")
    return client_id, client_secret, scope


def _least_scope(http: _Http) -> str:
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


class _Http:
    """Asks one server and nobody else: a redirect, which could lead a secret elsewhere, counts as a refusal."""

    def __init__(self, base_url: str, user_agent: str, timeout_s: float) -> None:
        self._base, self._timeout_s, self._headers = base_url, timeout_s, {"User-Agent": user_agent}

    def ask(
        self, method: str, path: str, *, data: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        """Return the JSON object of an answer; raises MastodonError."""
        what = f"{method} {path}"
        status, body = self._answer(what, method, path, data, headers)
        if status >= 500 or status == 429:
            raise MastodonUnreachable(f"{what} was answered {status}")
        if 300 <= status < 400:
            raise MastodonRefused(f"{what} was redirected; INSTANCE_BASE must be the server's own address")
        if status == 401:
            raise MastodonAuthError(f"{what} was refused (401): {_HINT}")
        if status != 200:
            raise MastodonRefused(f"{what} was refused ({status})")
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):  # no JSON, or nested without end
            found = None
        if not isinstance(found, dict):
            raise MastodonUnreachable(f"{what} gave no JSON object")
        return found

    def _answer(
        self,
        what: str,
        method: str,
        path: str,
        data: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
    ) -> tuple[int, bytes]:
        until = time.monotonic() + self._timeout_s
        problem = ""
        try:
            with (
                _session() as session,
                session.request(
                    method,
                    f"{self._base}{path}",
                    data=data,
                    headers={**self._headers, **(headers or {})},
                    timeout=self._timeout_s,
                    allow_redirects=False,
                    stream=True,
                ) as answer,
            ):
                body = b""
                for part in answer.iter_content(8192):
                    body += part
                    if len(body) > ANSWER_MAX or time.monotonic() > until:
                        problem = "was too long, or too slow"
                        break
                else:
                    return answer.status_code, body
        except requests.RequestException as error:
            problem = f"got no answer ({type(error).__name__})"
        # Out here it has no context: what requests raises may quote what was sent.
        raise MastodonUnreachable(f"{what} {problem}")


def _session() -> requests.Session:
    session = requests.Session()
    # A password for this host in somebody's .netrc is none of ours.
    session.auth = _no_auth
    return session


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
