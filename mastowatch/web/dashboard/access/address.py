"""Where people reach the dashboard: what its links, cookies and forms go by."""

from __future__ import annotations

import ipaddress
from urllib.parse import quote, urlsplit

from mastowatch.config import Settings
from mastowatch.web.hosts import host_name, is_address

# It stands in a cookie on the way through Mastodon, and a browser keeps none past 4 kB.
TARGET_MAX = 2000
# What a path of ours is made of; all else is escaped before it goes into a header.
_PATH_SAFE = "/~!$&'()*+,;=:@-._?%"


class Address:
    """DASHBOARD_URL, or where the dashboard listens. ``base`` is its path without a slash at the end, mostly ""."""

    def __init__(self, settings: Settings) -> None:
        self.url = (settings.dashboard_url or f"http://{settings.dashboard_bind}").rstrip("/")
        parts = urlsplit(self.url)
        self.base = parts.path
        self.secure = parts.scheme == "https"
        self.host = parts.hostname or ""
        self.origin = f"{parts.scheme}://{parts.netloc}".lower()

    @property
    def cookie_path(self) -> str:
        """What the cookies are sent to, and nothing beside it."""
        return self.base or "/"

    def is_ours(self, origin: str, host: str) -> bool:
        """Return whether a page of ``origin`` is one of ours, told by a request that went to ``host``.

        A page got from an address or localhost (a tunnel) is ours too where it went to that very address. A name
        is not: only DASHBOARD_URL's counts, in its own scheme.
        """
        name = host_name(host)
        near = name == "localhost" or is_address(name)
        return origin.lower() == self.origin or (near and origin.lower() == f"http://{host}".lower())

    def path(self, target: str | None, otherwise: str = "/") -> str:
        r"""Return a path of this dashboard, with its base, for a ``target`` without it that a stranger may have made.

        What would lead elsewhere (``//evil``, ``/\evil``, ``javascript:``) or into a header becomes ``otherwise``, and
        so does what is longer than TARGET_MAX.
        """
        fine = (
            target is not None
            and len(target) <= TARGET_MAX
            and target.startswith("/")
            and not target.startswith(("//", "/\\"))
        )
        if target is None or not fine or "\\" in target or any(ord(one) < 0x21 or ord(one) == 0x7F for one in target):
            target = otherwise
        return self.base + quote(target, safe=_PATH_SAFE)


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, as seen from itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
