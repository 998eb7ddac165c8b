"""Our cookies: no script reads them, no other site's request carries them, and no other path or host gets them."""

from __future__ import annotations

from typing import Literal

from fastapi import Request, Response

from mastowatch.web.dashboard.access.address import Address

# ``state`` must come back with the browser from Mastodon's site, so it is Lax; it opens nothing by itself.
Kind = Literal["session", "said", "form", "state"]
_NAMES: dict[Kind, str] = {"session": "", "said": "_said", "form": "_form", "state": "_state"}


class Cookies:
    """Sets, reads and removes them for one address."""

    def __init__(self, address: Address) -> None:
        self._path, self._secure = address.cookie_path, address.secure
        # A browser takes a cookie of such a name only as we set it: over TLS, and for this host alone.
        self._prefix = "" if not self._secure else "__Host-" if self._path == "/" else "__Secure-"

    def name(self, kind: Kind) -> str:
        """Return the name of a cookie."""
        return f"{self._prefix}mastowatch{_NAMES[kind]}"

    def get(self, request: Request, kind: Kind) -> str | None:
        """Return what the browser holds."""
        return request.cookies.get(self.name(kind))

    def put(self, response: Response, kind: Kind, value: str, life_s: int | None) -> None:
        """Have the browser hold ``value`` for ``life_s`` seconds; None: until it is closed."""
        response.set_cookie(
            self.name(kind),
            value,
            max_age=life_s,
            path=self._path,
            secure=self._secure,
            httponly=True,
            samesite="lax" if kind == "state" else "strict",
        )

    def drop(self, response: Response, kind: Kind) -> None:
        """Have the browser forget it."""
        self.put(response, kind, "", 0)
