"""Asks a Mastodon server harmless things, to tell whether it, our token and the clocks are as they must be.

As careful as signing in (``mastodon_sign_in``): a redirect, which could lead the token elsewhere, is not followed, an
answer is bounded in size and time, and what is told of a failure is in our own words, never the server's.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from mastowatch.adapters.bounded_http import BoundedSession
from mastowatch.ports.probe import Certificate, Forbidden, Reply

# A page of one account or report; the description of an instance with long rules takes some 30 kB.
ANSWER_MAX = 512 * 1024
_LIMITS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_HEADER_MAX = 64
# What Mastodon answers with 403 when it is the token's scopes that do not reach.
_NO_SCOPE = "outside the authorized scopes"


class MastodonProbe:
    """The port ``mastowatch.ports.probe.Probe``. ``timeout_s`` bounds each answer as a whole."""

    def __init__(self, base_url: str, *, user_agent: str, timeout_s: float) -> None:
        self._base, self._timeout_s, self._headers = base_url, timeout_s, {"User-Agent": user_agent}

    def ask(self, method: str, path: str, *, token: str | None = None) -> Reply:
        """See the port."""
        headers = {**self._headers, **({"Authorization": f"Bearer {token}"} if token else {})}
        began, session = time.time(), BoundedSession(self._timeout_s)
        ahead_s: float | None = None
        try:
            with (
                session,
                session.request(
                    method,
                    f"{self._base}{path}",
                    headers=headers,
                    timeout=self._timeout_s,
                    allow_redirects=False,
                    stream=True,
                ) as answer,
            ):
                ahead_s = _ahead(answer.headers, (began + time.time()) / 2)
                body = b""
                for part in answer.iter_content(8192):
                    body += part
                    if len(body) > ANSWER_MAX:
                        break
                if len(body) <= ANSWER_MAX and not session.late:
                    return _reply(answer, body, ahead_s)
        except (requests.RequestException, ValueError) as error:  # ValueError: a token that can't stand in a header
            if not session.late:
                return Reply(0, _why(error))
        return Reply(0, "its answer was too long, or too slow", ahead_s=ahead_s)


def _reply(answer: requests.Response, body: bytes, ahead_s: float | None) -> Reply:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):  # no JSON, or nested without end
        found = None
    limits = {name: answer.headers[name][:_HEADER_MAX] for name in _LIMITS if name in answer.headers}
    forbidden = _forbidden(answer, found) if answer.status_code == 403 else ""
    return Reply(answer.status_code, "", found, forbidden, ahead_s, limits)


def _forbidden(answer: requests.Response, found: Any) -> Forbidden:  # noqa: ANN401 -- JSON
    said = str(found.get("error", "")) if isinstance(found, dict) else ""
    challenge = answer.headers.get("WWW-Authenticate", "")
    return "scope" if _NO_SCOPE in said or "insufficient_scope" in challenge else "role"


def _ahead(headers: Mapping[str, str], ours: float) -> float | None:
    """Return how far the server's clock is ahead; its header counts whole seconds, and half of one is added.

    What a cache hands out is older by its ``Age``: RFC 9111, 5.1.
    """
    age = headers.get("Age", "")
    stored_s = int(age) if age.isascii() and age.isdecimal() and len(age) < 10 else 0
    try:
        return parsedate_to_datetime(headers.get("Date", "")).timestamp() + stored_s + 0.5 - ours
    except (ValueError, TypeError, OverflowError):
        return None


def _why(error: Exception) -> str:
    """Return in our words why there was no answer."""
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted, or TLS failed"
    if isinstance(error, requests.exceptions.Timeout):
        return "it did not answer in time"
    text = str(error)  # only looked at
    if "NameResolutionError" in text or "Name or service not known" in text:
        return "its name is not known"
    if "Connection refused" in text:
        return "it refused the connection"
    return f"no answer ({type(error).__name__})"


def certificate(url: str, *, timeout_s: float) -> Certificate:
    """Return what the server at an https:// address shows, judged by the authorities that our requests trust."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        with (
            socket.create_connection((host, parts.port or 443), timeout=timeout_s) as plain,
            _trust().wrap_socket(plain, server_hostname=host) as secured,
        ):
            shown = secured.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        return Certificate(problem=error.verify_message or "it is not trusted")  # OpenSSL's words, not the server's
    except ssl.SSLError as error:
        return Certificate(problem=f"TLS failed ({type(error).__name__})")
    except (OSError, UnicodeError) as error:
        return Certificate(problem=f"no connection ({type(error).__name__})", reached=False)
    ends = shown.get("notAfter")
    return Certificate(ends_at=float(ssl.cert_time_to_seconds(ends)) if isinstance(ends, str) else 0.0)


def _trust() -> ssl.SSLContext:
    place = Path(os.environ.get("REQUESTS_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH)
    if place.is_dir():
        return ssl.create_default_context(capath=str(place))
    return ssl.create_default_context(cafile=str(place))
