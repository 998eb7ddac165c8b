"""Sends alerts to a web address, as JSON that chat services show as it is."""

from __future__ import annotations

from dataclasses import asdict
from urllib.parse import urlsplit

import requests

from mastowatch.errors import AlertNotSent
from mastowatch.ports.alerts import Alert

_LOCAL = ("localhost", "127.0.0.1", "::1")


def is_usable(url: str) -> bool:
    """Tell whether ``url`` may be posted to: https, or http on this host."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in _LOCAL))


class AlertWebhook:
    """The port ``mastowatch.ports.alerts.Alerts``. The address may hold a secret: it is never told, in no error."""

    def __init__(self, url: str, *, user_agent: str, timeout_s: float) -> None:
        self._url, self._timeout_s = url, timeout_s
        self._headers = {"User-Agent": user_agent}

    def send(self, alert: Alert) -> None:
        """See the port. ``text`` is what Slack, Mattermost and Rocket.Chat show, ``content`` what Discord does."""
        body = {**asdict(alert), "content": alert.text}
        problem = self._post(body)
        if problem:
            # Out here it has no context: what requests raises quotes the address.
            raise AlertNotSent(f"the alert about {alert.rule_id} was not sent: {problem}")

    def _post(self, body: dict[str, str]) -> str:
        """Return what went wrong, or ""."""
        try:
            answer = requests.post(
                self._url, json=body, headers=self._headers, timeout=self._timeout_s, allow_redirects=False
            )
        except requests.RequestException as error:
            return f"no answer ({type(error).__name__})"
        if 200 <= answer.status_code < 300:
            return ""
        return f"the address in ALERT_WEBHOOK_FILE answered {answer.status_code}"
