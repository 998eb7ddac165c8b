"""Stands before the pages: finds out who asks, and lets nobody past who must sign in first."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import Request, Response
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mastowatch.errors import MastoWatchError
from mastowatch.web.dashboard.access.refusals import NotSignedIn
from mastowatch.web.dashboard.rendering import Pages

if TYPE_CHECKING:
    from mastowatch.web.dashboard.access.access import Access

# What a stranger needs to sign in, and what tells nothing but whether MastoWatch is well.
_OPEN = frozenset({"/sign-in", "/healthz"})
_OPEN_BELOW = ("/sign-in/", "/static/")


class Guard:
    """Lets a request pass to ``app`` if somebody is signed in, nobody needs to be, or the path is open to all."""

    def __init__(self, app: ASGIApp, access: Access, pages: Pages) -> None:
        self._app, self._access, self._pages = app, access, pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        answer = await self._turned_away(request) if self._access.set_up else None
        await (answer or self._app)(scope, receive, send)

    async def _turned_away(self, request: Request) -> Response | None:
        path = request.scope["path"]
        try:
            if await self._access.recognise(request) is not None:
                return None
        except MastoWatchError as error:
            return None if path.startswith("/static/") else await _told(request, error)
        if path in _OPEN or path.startswith(_OPEN_BELOW):
            return None
        return await self._to_sign_in(request)

    async def _to_sign_in(self, request: Request) -> Response:
        path, query = request.scope["path"], request.scope["query_string"].decode("latin-1")
        wanted = f"{path}?{query}" if query else path
        if "hx-request" in request.headers:
            # htmx would put the page of the sign-in into the middle of this one; so told, it goes there.
            return Response(status_code=401, headers={"HX-Redirect": f"{self._access.base}/sign-in"})
        if request.method not in ("GET", "HEAD") or "text/html" not in request.headers.get("accept", "text/html"):
            return await _told(request, NotSignedIn("You are not signed in any more. Sign in, and try again."))
        if _from_elsewhere(request):
            # Our cookies are strict, so a link on another site does not bring them along; one of our own does.
            return HTMLResponse(self._pages.render("lead_on.html", to=self._access.address.path(wanted)))
        return RedirectResponse(f"{self._access.base}/sign-in?next={quote(wanted, safe='/')}", 303)


def _from_elsewhere(request: Request) -> bool:
    """Return whether a person has followed a link of another site to here."""
    return request.headers.get("sec-fetch-site") in ("cross-site", "same-site")


async def _told(request: Request, error: MastoWatchError) -> Response:
    """Return the page that the app has for ``error``."""
    handlers = request.scope["app"].exception_handlers
    for kind in type(error).__mro__:
        if kind in handlers:
            answer: Response = await handlers[kind](request, error)
            return answer
    raise error
