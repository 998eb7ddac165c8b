"""Whether a page of ours has sent a form: a token that only our pages hold, and what the browser says of it."""

from __future__ import annotations

import hashlib
import hmac

from fastapi import Request

from mastowatch.web.dashboard.access.address import Address
from mastowatch.web.dashboard.access.refusals import Forbidden

FIELD = "csrf"
_ELSEWHERE = (
    "This form was not sent from the dashboard's own page at {url}. Open the page there and try again; where that"
    " is its address, DASHBOARD_URL must say so."
)


def token(key: bytes, session_id: str) -> str:
    """Return the token of a session: of no use with another one."""
    return hmac.new(key, f"mastowatch csrf {session_id}".encode(), hashlib.sha256).hexdigest()


def check_token(key: bytes, session_id: str, shown: str) -> None:
    """Raise Forbidden unless ``shown`` is that session's token."""
    if not hmac.compare_digest(token(key, session_id).encode(), shown.encode("utf-8", "replace")):
        raise Forbidden("This page is from before the last sign-in. Load it anew, and try again.")


def check_origin(request: Request, address: Address) -> None:
    """Raise Forbidden unless the browser says that a page of ours has sent this.

    Every browser of today says so, by Origin and mostly by Sec-Fetch-Site as well; neither can be set by a page.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    told = site is not None or origin is not None
    fits = site in (None, "same-origin") and (
        origin is None or address.is_ours(origin, request.headers.get("host", ""))
    )
    if not told or not fits:
        raise Forbidden(_ELSEWHERE.format(url=address.url))
