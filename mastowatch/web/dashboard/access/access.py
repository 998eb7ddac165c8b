"""What the pages ask about people: who is there, what they may do, and whether a form may be acted on."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Final
from weakref import WeakValueDictionary

from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from mastowatch.config import Settings
from mastowatch.jobs.context import View
from mastowatch.ports.sign_in import EndedSessions, SignInServer
from mastowatch.web.dashboard.access import csrf
from mastowatch.web.dashboard.access.address import Address, is_loopback
from mastowatch.web.dashboard.access.cookies import Cookies
from mastowatch.web.dashboard.access.forms import Form, read_form
from mastowatch.web.dashboard.access.guard import Guard
from mastowatch.web.dashboard.access.oauth import MastodonWay
from mastowatch.web.dashboard.access.passwords import Passwords
from mastowatch.web.dashboard.access.person import ANYBODY, STRANGER, Person, Role, at_most
from mastowatch.web.dashboard.access.prefix import Prefix
from mastowatch.web.dashboard.access.refusals import Forbidden, NotSignedIn
from mastowatch.web.dashboard.access.routes import SignInPages
from mastowatch.web.dashboard.access.seals import Seal
from mastowatch.web.dashboard.access.sessions import Session, Sessions, Way
from mastowatch.web.dashboard.rendering import Pages

_SESSION: Final = "mastowatch.session"
SAID_S = 120
SAID_MAX = 300
NO_SIGN_IN = "Nobody can sign in here, so nothing can be changed. `mastowatch sign-in --help` says how to set it up."
READ_ONLY = "The dashboard is read-only (DASHBOARD_READ_ONLY)."


class Access:
    """Who may do what on one dashboard.

    ``key`` signs cookies and forms. Without ``passwords`` and without a ``server`` nobody can sign in: then everybody
    may look, and nobody may change anything.
    """

    def __init__(
        self,
        settings: Settings,
        ended: EndedSessions,
        *,
        clock: Callable[[], float],
        key: bytes,
        passwords: Passwords | None = None,
        server: SignInServer | None = None,
    ) -> None:
        self.address = Address(settings)
        self.cookies = Cookies(self.address)
        self.read_only, self.clock, self.key = settings.dashboard_read_only, clock, key
        self.passwords = passwords if passwords is not None and len(passwords) else None
        self.mastodon = MastodonWay(server, self.address, key, clock) if server is not None else None
        self._said = Seal(key, "said", clock)
        # By the session's id, as long as somebody waits for it.
        self._signed_out: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()
        self.sessions = Sessions(key, ended, clock, settings.dashboard_session_hours * 3600, self._mark_of)

    @classmethod
    def without_sign_in(cls, view: View) -> Access:
        """Return the access of a dashboard where nobody can sign in."""
        return cls(view.settings, view.ended_sessions, clock=view.clock, key=secrets.token_bytes(32))

    @property
    def set_up(self) -> bool:
        """Whether people can sign in, and must."""
        return self.passwords is not None or self.mastodon is not None

    @property
    def open_at(self) -> str:
        """The address that leads others than this machine here, where nobody has to sign in; "" where all is well."""
        return "" if self.set_up or is_loopback(self.address.host) else self.address.url

    @property
    def base(self) -> str:
        """The path that every link begins with: "" or something like "/mastowatch"."""
        return self.address.base

    def add(self, app: FastAPI, pages: Pages) -> None:
        """Have ``app`` let in only who may be there. Call it before the middleware of headers and hosts is added."""
        SignInPages(self, pages).add(app)
        app.add_middleware(Guard, access=self, pages=pages)
        app.add_middleware(Prefix, address=self.address)

    # What pages ask ------------------------------------------------------------------------------------------------

    def person(self, request: Request) -> Person:
        """Return who asks. Their role says what they may do; it is None on the pages that lead to the sign-in."""
        session = self.session(request)
        if session is not None:
            return Person(session.name, at_most(session.role, read_only=self.read_only))
        return STRANGER if self.set_up else ANYBODY

    def may(self, request: Request, needs: Role) -> bool:
        """Return whether whoever asks may do what needs this role."""
        return self.person(request).may(needs)

    def csrf(self, request: Request) -> str:
        """Return what the hidden field ``csrf`` of every form must hold; "" where nobody may send one."""
        session = self.session(request)
        return csrf.token(self.key, session.id) if session is not None else ""

    async def change(self, request: Request, *, needs: Role) -> Form:
        """Return the fields of a form that may be acted on, after all checks.

        Raises a Refusal: NotSignedIn, Forbidden (role, another page's form), FormTooLarge, or NotAForm.
        """
        if not self.set_up:
            raise Forbidden(NO_SIGN_IN)
        session, form = await self.own_form(request)
        if self.read_only:
            raise Forbidden(READ_ONLY)
        if not self.may(request, needs):
            raise Forbidden(f"This needs the role “{needs}”; yours is “{session.role}”.")
        return form

    async def own_form(self, request: Request) -> tuple[Session, Form]:
        """Return who sent a form from a page of ours, and the form, whatever their role; raises as ``change`` does."""
        session = self.session(request)
        if session is None:
            raise NotSignedIn("You are not signed in any more. Sign in, and try again.")
        csrf.check_origin(request, self.address)
        form = await read_form(request)
        csrf.check_token(self.key, session.id, form.get(csrf.FIELD, ""))
        return session, form

    # A line for the next page --------------------------------------------------------------------------------------

    def say(self, request: Request, response: Response, text: str) -> None:
        """Have the next page show ``text``, whatever stands in it, once; cut at SAID_MAX characters."""
        del request
        shown = text if len(text) <= SAID_MAX else f"{text[: SAID_MAX - 1]}…"
        self.cookies.put(response, "said", self._said.close({"text": shown}), SAID_S)

    def said(self, request: Request) -> str:
        """Return the line for this page, or "".

        Only whole pages show it: with what htmx fetches in the background it would get lost.
        """
        headers = request.headers
        if "hx-request" in headers and "hx-boosted" not in headers:
            return ""
        opened = self._said.open(self.cookies.get(request, "said"), SAID_S)
        return opened[1]["text"] if opened else ""

    def forget_said(self, request: Request, response: Response) -> None:
        """Take it off the browser: it has been shown."""
        del request
        self.cookies.drop(response, "said")

    # What the guard and the pages of the sign-in do -----------------------------------------------------------------

    def session(self, request: Request) -> Session | None:
        """Return the session that ``recognise`` has found."""
        found: Session | None = request.scope.get(_SESSION)
        return found

    async def recognise(self, request: Request) -> Session | None:
        """Find the session of ``request`` and keep it there; raises StoreUnavailable."""
        session = self.sessions.read(self.cookies.get(request, "session"))
        if session is not None and await run_in_threadpool(self.sessions.over, session):
            session = None
        request.scope[_SESSION] = session
        return session

    def begin(self, response: Response, name: str, role: Role, way: Way) -> None:
        """Sign somebody in: a new session, whatever the browser had before."""
        self.cookies.put(response, "session", self.sessions.begin(name, role, way), None)

    async def end(self, session: Session) -> None:
        """End a session for good, and what still goes on for it; raises StoreUnavailable."""
        await asyncio.to_thread(self.sessions.end, session)
        if (waited_for := self._signed_out.get(session.id)) is not None:
            waited_for.set()

    def signed_out(self, request: Request) -> asyncio.Event:
        """Return what is set as soon as whoever asks has signed out here; never without a session."""
        session = self.session(request)
        return self._signed_out.setdefault(session.id, asyncio.Event()) if session is not None else asyncio.Event()

    def _mark_of(self, way: Way, name: str) -> str | None:
        """Return what a session of this name rests on now, or None: such a session is over."""
        found = self.passwords if way == "password" else self.mastodon
        return found.mark_of(name) if found is not None else None
