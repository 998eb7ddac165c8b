"""HTTP for what is done with secrets before there is a token: registering an application, trading a code for a token.

It asks one server and follows nobody elsewhere; an answer is bounded in size and time; and what is told of a failure
names the endpoint, the status and what to do, never what was sent or answered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import requests

from mastowatch.adapters.bounded_http import BoundedSession
from mastowatch.errors import MastodonAuthError, MastodonRefused, MastodonUnreachable

ANSWER_MAX = 256 * 1024
# RFC 6750: what may stand in a header.
TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,4096}=*", re.ASCII)


class Http:
    """Asks one server and nobody else: a redirect, which could lead a secret elsewhere, counts as a refusal.

    ``timeout_s`` bounds each answer as a whole; ``hint`` says what to do where the server does not know us.
    """

    def __init__(self, base_url: str, user_agent: str, timeout_s: float, *, hint: str) -> None:
        self._base, self._timeout_s, self._headers = base_url, timeout_s, {"User-Agent": user_agent}
        self._hint = hint

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
            raise MastodonAuthError(f"{what} was refused (401): {self._hint}")
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
        problem, session = "", BoundedSession(self._timeout_s)
        try:
            with (
                session,
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
                    if len(body) > ANSWER_MAX:
                        problem = "was too long, or too slow"
                        break
                else:
                    if not session.late:
                        return answer.status_code, body
        except requests.RequestException as error:
            problem = f"got no answer ({type(error).__name__})"
        if session.late:
            problem = "was too long, or too slow"
        # Out here it has no context: what requests raises may quote what was sent.
        raise MastodonUnreachable(f"{what} {problem}")
