"""The pages to sign in and out. They are the only ones that somebody sees who is not signed in."""

from __future__ import annotations

import asyncio
import logging
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from mastowatch.errors import MastodonAuthError, MastodonError, MastodonUnreachable
from mastowatch.jobs.refusals import Refusal
from mastowatch.logs import event
from mastowatch.web.dashboard.access import csrf
from mastowatch.web.dashboard.access.address import TARGET_MAX
from mastowatch.web.dashboard.access.forms import Form, read_form
from mastowatch.web.dashboard.access.limiter import Bucket, Limiter
from mastowatch.web.dashboard.access.oauth import CALLBACK, LIFE_S, NotAsked
from mastowatch.web.dashboard.access.passwords import MOST, NAME, Passwords
from mastowatch.web.dashboard.access.person import Role
from mastowatch.web.dashboard.access.refusals import Forbidden, TooManyAttempts
from mastowatch.web.dashboard.access.seals import Seal
from mastowatch.web.dashboard.access.sessions import Way
from mastowatch.web.dashboard.rendering import Pages

if TYPE_CHECKING:
    from mastowatch.web.dashboard.access.access import Access

log = logging.getLogger(__name__)
# Checking a password takes 32 MiB.
HASHES_AT_ONCE = 2
ASKS_AT_ONCE = 4
FORM_S = 3600
TOLD_EACH_S = 60

_WRONG = "The name or the password is not right."
_TOO_OLD = "This page was open for too long. Try again."
_NOT_ASKED = "This answer does not belong to a sign-in from here, or has been used already. Begin anew."
_NOT_FROM_HERE = (_NOT_ASKED, 400, "the answer belongs to no question from here")
_SAID_NO = "You have not let MastoWatch see who you are, so you are not signed in."
_WENT_WRONG = "Mastodon has answered with an error. Begin anew; the journal says which one it was."
_AWAY = "Mastodon does not answer. Try again in a while."
_UNKNOWN_TO_IT = (
    "Mastodon does not know this dashboard any more. An administrator can run `mastowatch sign-in mastodon`."
)
_NO_RIGHTS = (
    "{name} has no role on Mastodon that gives access here: it needs one that may at least see the dashboard or the"
    " audit log there."
)


class SignInPages:
    """Adds them to an app."""

    def __init__(self, access: Access, pages: Pages) -> None:
        self._access, self._pages = access, pages
        self._forms = Seal(access.key, "form", access.clock)
        self._limiter, self._asks = Limiter(access.clock), Bucket(access.clock)
        self._told_of_many = 0.0
        self._hashing = ThreadPoolExecutor(HASHES_AT_ONCE, "password")
        self._asking = ThreadPoolExecutor(ASKS_AT_ONCE, "mastodon")

    def add(self, app: FastAPI) -> None:
        """Add the pages."""
        app.add_api_route("/sign-in", self.page, methods=["GET"], response_class=HTMLResponse)
        app.add_api_route("/sign-in", self.by_password, methods=["POST"], response_class=HTMLResponse)
        app.add_api_route("/sign-in/mastodon", self.to_mastodon, methods=["GET"], response_class=HTMLResponse)
        app.add_api_route(CALLBACK, self.from_mastodon, methods=["GET"], response_class=HTMLResponse)
        app.add_api_route("/sign-out", self.out, methods=["POST"], response_class=HTMLResponse)

    def page(self, request: Request, next: str = "/") -> Response:  # noqa: A002
        """Show the ways to sign in."""
        if self._access.session(request) is not None:
            return RedirectResponse(self._access.address.path(next), 303)
        response = self._shown(request, next)
        if self._access.said(request):
            self._access.forget_said(request, response)
        return response

    # By password ---------------------------------------------------------------------------------------------------

    async def by_password(self, request: Request) -> Response:
        """Sign somebody in by the file of passwords."""
        passwords = self._access.passwords
        if passwords is None:
            raise Forbidden("Nobody can sign in by a password here.")
        csrf.check_origin(request, self._access.address)
        form = await read_form(request)
        wanted = form.get("next", "/")
        try:
            self._check_form(request, form)
            name, role = await self._checked(passwords, form)
        except TooManyAttempts as error:
            refused = self._shown(request, wanted, str(error), error.status)
            refused.headers["Retry-After"] = str(error.wait_s)
            return refused
        except Refusal as error:
            return self._shown(request, wanted, str(error), error.status)
        if role is None:
            self._refused(passwords, name, "wrong name or password")
            return self._shown(request, wanted, _WRONG, 401)
        _in("password", name, role)
        response = RedirectResponse(self._access.address.path(wanted), 303)
        self._access.begin(response, name, role, "password")
        self._access.cookies.drop(response, "form")
        return response

    async def _checked(self, passwords: Passwords, form: Form) -> tuple[str, Role | None]:
        typed, password = form.get("name", "").strip(), form.get("password", "")[: MOST + 1]
        # What is no name at all counts as one name, so that it takes no memory.
        name = typed if NAME.fullmatch(typed) else ""
        wait = self._limiter.admit(name)
        if wait > 0:
            # A stranger could fill the journal with these.
            if self._access.clock() - self._told_of_many > TOLD_EACH_S:
                self._told_of_many = self._access.clock()
                self._refused(passwords, name, "too many attempts")
            raise TooManyAttempts(wait)
        loop = asyncio.get_running_loop()
        role = await loop.run_in_executor(self._hashing, passwords.check, name, password)
        if role is not None:
            self._limiter.succeeded(name)
        return name, role

    def _refused(self, passwords: Passwords, name: str, why: str) -> None:
        """Write it into the journal; a name that is not known here may be a mistyped password."""
        _refused("password", why, name if name in passwords else "")

    def _check_form(self, request: Request, form: Form) -> None:
        opened = self._forms.open(self._access.cookies.get(request, "form"), FORM_S)
        if opened is None:
            raise Forbidden(_TOO_OLD)
        csrf.check_token(self._access.key, f"form {opened[1]['id']}", form.get(csrf.FIELD, ""))

    # Through Mastodon ----------------------------------------------------------------------------------------------

    def to_mastodon(self, next: str = "/") -> Response:  # noqa: A002
        """Send the browser to the server. A link and no form: a form may not lead to another site (form-action)."""
        if self._access.mastodon is None:
            raise Forbidden("Nobody can sign in through Mastodon here.")
        trip = self._access.mastodon.begin(next if len(next) <= TARGET_MAX else "/")
        response = RedirectResponse(trip.to, 303)
        self._access.cookies.put(response, "state", trip.cookie, LIFE_S)
        return response

    async def from_mastodon(self, request: Request, code: str = "", state: str = "", error: str = "") -> Response:
        """Sign in whoever comes back, and lead on by a page: a strict cookie is not sent on another site's redirect."""
        way = self._access.mastodon
        if way is None:
            raise Forbidden("Nobody can sign in through Mastodon here.")
        try:
            carried = way.opened(self._access.cookies.get(request, "state"), state)
        except NotAsked:
            return self._failed(request, "/", *_NOT_FROM_HERE)
        if error:
            return self._failed(request, carried["next"], *_of_server(error))
        if (wait := self._asks.wait_s()) > 0:
            refusal = TooManyAttempts(wait)
            return self._failed(request, carried["next"], str(refusal), refusal.status, "too many attempts")
        self._asks.take()
        loop = asyncio.get_running_loop()
        try:
            name, role = await loop.run_in_executor(self._asking, way.identify, code, carried["verifier"])
        except NotAsked:
            return self._failed(request, carried["next"], *_NOT_FROM_HERE)
        except MastodonError as found:
            return self._failed(request, carried["next"], *_of_error(found))
        if role is None:
            return self._failed(request, carried["next"], _NO_RIGHTS.format(name=name), 403, "no role there", name)
        _in("mastodon", name, role)
        response = HTMLResponse(self._pages.render("lead_on.html", to=self._access.address.path(carried["next"])))
        self._access.begin(response, name, role, "mastodon")
        self._access.cookies.drop(response, "state")
        return response

    def _failed(self, request: Request, wanted: str, told: str, status: int, why: str, name: str = "") -> Response:
        _refused("mastodon", why, name)
        response = self._shown(request, wanted, told, status)
        self._access.cookies.drop(response, "state")
        return response

    # Out -----------------------------------------------------------------------------------------------------------

    async def out(self, request: Request) -> Response:
        """End the session for good."""
        session, _ = await self._access.own_form(request)
        response = RedirectResponse(f"{self._access.base}/sign-in", 303)
        await self._access.end(session)
        self._access.cookies.drop(response, "session")
        self._access.say(request, response, "You are signed out.")
        event(log, logging.INFO, "signed_out", way=session.way, person=session.name)
        return response

    def _shown(self, request: Request, wanted: str, problem: str = "", status: int = 200) -> HTMLResponse:
        """Return the page with all ways to sign in, and what went wrong."""
        cookies = self._access.cookies
        opened = self._forms.open(cookies.get(request, "form"), FORM_S / 2)
        form_id = opened[1]["id"] if opened else secrets.token_urlsafe(24)
        shown = self._pages.render(
            "sign_in.html",
            problem=problem,
            said=self._access.said(request),
            csrf=csrf.token(self._access.key, f"form {form_id}"),
            passwords=self._access.passwords is not None,
            through_mastodon=self._access.mastodon is not None,
            wanted=wanted[:2000],
            wanted_quoted=quote(wanted[:2000], safe="/"),
        )
        response = HTMLResponse(shown, status_code=status)
        if opened is None and self._access.passwords is not None:
            cookies.put(response, "form", self._forms.close({"id": form_id}), FORM_S)
        return response


def _of_server(error: str) -> tuple[str, int, str]:
    """Return what to show, the status, and the reason, for an error that the server sends the browser back with."""
    if error == "access_denied":
        return _SAID_NO, 403, error
    # Anybody can write such an address, so its text is not repeated, and only a code of the standard is logged.
    known = {"invalid_request", "unauthorized_client", "invalid_scope", "server_error", "temporarily_unavailable"}
    return _WENT_WRONG, 502, error if error in known else "an error of the server"


def _of_error(error: MastodonError) -> tuple[str, int, str]:
    if isinstance(error, MastodonAuthError):
        return _UNKNOWN_TO_IT, 502, str(error)
    if isinstance(error, MastodonUnreachable):
        return _AWAY, 502, str(error)
    return _WENT_WRONG, 502, str(error)


def _in(way: Way, name: str, role: Role) -> None:
    event(log, logging.INFO, "signed_in", way=way, person=name, role=role)


def _refused(way: Way, why: str, name: str) -> None:
    """Write into the journal that somebody was not let in. ``name``: only one that is known, else ""."""
    who: dict[str, Any] = {"person": name} if name else {}
    event(log, logging.WARNING, "sign_in_refused", way=way, why=why, **who)
