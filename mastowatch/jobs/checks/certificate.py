"""The certificates that our requests and the dashboard's visitors rely on: trusted, and for how long."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from mastowatch.jobs import context as contexts
from mastowatch.jobs.checks.finding import Finding
from mastowatch.ports.probe import Certificate

# Let's Encrypt's are renewed 30 days before their end: with half of that left, renewing has failed for a while.
SOON_DAYS = 14
PATIENCE_S = 5.0


def check_certificate(url: str) -> list[Finding]:
    """Judge the certificate at ``url``; nothing for an address without TLS."""
    if urlsplit(url).scheme != "https":
        return []
    return [judge_certificate(url, contexts.certificate(url, PATIENCE_S), time.time())]


def judge_certificate(url: str, shown: Certificate, now: float) -> Finding:
    """Judge what the server has shown."""
    name, host = "certificate", urlsplit(url).netloc
    look = f"openssl s_client -connect {_with_port(url)} </dev/null 2>/dev/null | openssl x509 -noout -dates -issuer"
    if not shown.reached:
        return Finding(name, "unknown", f"{host}: {shown.problem}", "Its certificate could not be looked at.")
    if shown.problem:
        return Finding(
            name,
            "failure",
            f"{host}: {shown.problem}",
            "Nobody connects to a server whose certificate can't be trusted; renew it, with its whole chain.",
            look,
        )
    days = int((shown.ends_at - now) // 86400)
    if days < SOON_DAYS:
        return Finding(
            name,
            "warning",
            f"{host}: {days} days left",
            "It should have been renewed by now; when it ends, nobody connects any more.",
            "certbot renew --dry-run",
        )
    return Finding(name, "ok", f"{host}: {days} days left")


def _with_port(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 443}"
