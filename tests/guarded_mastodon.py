"""A tiny Mastodon whose doors are real: applications, authorisation with PKCE, tokens with scopes, roles with rights.

mastodon-mock lets every token do everything. What it refuses, and how, is as Mastodon 4.4 does it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.local_http import serving

NEEDED = ("admin:read:accounts", "admin:read:reports", "read:accounts", "read:statuses", "write:reports")
MANAGE_REPORTS, MANAGE_USERS = 1 << 4, 1 << 10
MODERATOR = MANAGE_REPORTS | MANAGE_USERS
SHOWN = "urn:ietf:wg:oauth:2.0:oob"
OUTSIDE = (403, {"error": "This action is outside the authorized scopes"})
NOT_ALLOWED = (403, {"error": "This action is not allowed"})
Answer = tuple[int, Any]
# Which scope a request needs, and which right.
DOORS = (
    (r"GET /api/v2/admin/accounts", "admin:read:accounts", MANAGE_USERS),
    (r"GET /api/v1/admin/reports", "admin:read:reports", MANAGE_REPORTS),
    (r"GET /api/v1/accounts/\d+/statuses", "read:statuses", 0),
    (r"GET /api/v1/accounts/verify_credentials", "read:accounts", 0),
    (r"POST /api/v1/reports", "write:reports", 0),
    (r"POST /api/v1/admin/accounts/0/action", "admin:write:accounts", MANAGE_USERS),
    (r"POST /api/v1/admin/reports/0/reopen", "admin:write:reports", MANAGE_REPORTS),
)


@dataclass
class Token:
    """What a token may do, and for whom."""

    person: str
    scopes: frozenset[str]


@dataclass
class GuardedMastodon:
    """``people`` have the bits of their roles. ``apps``, ``codes`` and ``tokens`` are what was given out so far."""

    url: str = ""
    version: str = "4.4.1"
    pkce: bool = True
    people: dict[str, int] = field(default_factory=lambda: {"bot": MODERATOR, "alice": 1})
    apps: dict[str, dict[str, str]] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def token(self, *scopes: str, person: str = "bot") -> str:
        """Make a token by hand, as in Preferences, Development."""
        made = secrets.token_urlsafe(32)
        self.tokens[made] = Token(person, frozenset(scopes or NEEDED))
        return made

    def authorise(self, address: str, person: str = "bot") -> str:
        """Open the address in a browser where this person is signed in, and authorise; return the code shown."""
        assert address.startswith(f"{self.url}/oauth/authorize?"), address
        asked = dict(parse_qsl(urlsplit(address).query))
        app = self.apps[asked["client_id"]]
        assert asked["response_type"] == "code"
        assert asked["redirect_uri"] == app["redirect_uris"] == SHOWN
        assert set(asked["scope"].split()) <= set(app["scopes"].split())
        assert len(asked["state"]) >= 16
        code = secrets.token_urlsafe(16)
        self.codes[code] = {**asked, "person": person}
        return code

    def answer(self, method: str, path: str, form: Mapping[str, str], token: str) -> Answer:
        what = f"{method} {path}"
        self.asked.append(what)
        if what == "GET /api/v2/instance":
            return 200, {"domain": "m.example", "version": self.version}
        if what == "GET /.well-known/oauth-authorization-server":
            return (200, {"code_challenge_methods_supported": ["S256"]}) if self.pkce else (404, {})
        doors = {"POST /api/v1/apps": self._app, "POST /oauth/token": self._trade, "POST /oauth/revoke": self._revoke}
        if what in doors:
            return doors[what](form)
        return self._guarded(what, token)

    def _app(self, form: Mapping[str, str]) -> Answer:
        client = secrets.token_urlsafe(16)
        self.apps[client] = {**form, "secret": secrets.token_urlsafe(16)}
        return 200, {"client_id": client, "client_secret": self.apps[client]["secret"]}

    def _knows(self, form: Mapping[str, str]) -> bool:
        return self.apps.get(form.get("client_id", ""), {}).get("secret") == form.get("client_secret")

    def _trade(self, form: Mapping[str, str]) -> Answer:
        if not self._knows(form):
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or asked["client_id"] != form["client_id"] or not self._proven(asked, form):
            return 400, {"error": "invalid_grant"}
        token = self.token(*asked["scope"].split(), person=asked["person"])
        return 200, {"access_token": token, "token_type": "Bearer", "scope": asked["scope"]}

    def _proven(self, asked: Mapping[str, str], form: Mapping[str, str]) -> bool:
        if not self.pkce:
            return "code_challenge" not in asked
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        return asked.get("code_challenge") == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def _revoke(self, form: Mapping[str, str]) -> Answer:
        if self._knows(form):
            self.tokens.pop(form["token"], None)
        return 200, {}

    def _guarded(self, what: str, token: str) -> Answer:
        holder = self.tokens.get(token)
        if holder is None:
            return 401, {"error": "The access token is invalid"}
        for pattern, scope, right in DOORS:
            if re.fullmatch(pattern, what):
                if scope not in holder.scopes:
                    return OUTSIDE
                if right and not self.people[holder.person] & (right | 1):
                    return NOT_ALLOWED
                return self._behind(what, holder)
        return 404, {"error": "Record not found"}

    def _behind(self, what: str, holder: Token) -> Answer:
        if what.endswith("verify_credentials"):
            number = str(100 + list(self.people).index(holder.person))
            role = {"permissions": str(self.people[holder.person])}
            return 200, {"id": number, "username": holder.person, "acct": holder.person, "role": role}
        return (404, {"error": "Record not found"}) if what.startswith("POST") else (200, [])


@contextmanager
def guarded_mastodon() -> Iterator[GuardedMastodon]:
    """Run one on a free port."""
    guarded = GuardedMastodon()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            self._answer(dict(parse_qsl(body)))

        def _answer(self, form: Mapping[str, str]) -> None:
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            code, found = guarded.answer(self.command, urlsplit(self.path).path, form, token)
            body = json.dumps(found).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with serving(Handler) as guarded.url:
        yield guarded
