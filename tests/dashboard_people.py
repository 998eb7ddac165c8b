"""Somebody at the dashboard, signed in: for tests of pages and of what people do there."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from starlette.types import ASGIApp

from mastowatch.jobs.context import View
from mastowatch.ports.sign_in import SignInServer
from mastowatch.web.dashboard.access import Access, Role
from mastowatch.web.dashboard.access.passwords import Line, Passwords, hash_password

KEY = b"a key for tests, thirty-two bytes long"
NAMES: dict[Role, str] = {"read": "rita", "act": "alice", "switch": "sam"}


PASSWORD = "correct horse battery"
_HASHED = hash_password(PASSWORD)


def passwords_for_tests() -> Passwords:
    """Return people of NAMES, all with PASSWORD."""
    return Passwords(Line(name, role, _HASHED) for role, name in NAMES.items())


def access_for_tests(view: View, server: SignInServer | None = None) -> Access:
    """Return an access where people of NAMES have passwords; give it to ``create_dashboard(view, access)``."""
    people = passwords_for_tests()
    return Access(view.settings, view.ended_sessions, clock=view.clock, key=KEY, passwords=people, server=server)


def cookie_for(view: View, role: Role) -> dict[str, str]:
    """Return the cookies of a browser in which somebody of this role is signed in."""
    access = access_for_tests(view)
    return {access.cookies.name("session"): access.sessions.begin(NAMES[role], role, "password")}


@contextmanager
def served(app: ASGIApp) -> Iterator[tuple[str, int]]:
    """Serve ``app`` as the process does; yields address and port."""
    options = {"host": "127.0.0.1", "port": 0, "http": "httptools", "log_config": None, "timeout_graceful_shutdown": 1}
    server = uvicorn.Server(uvicorn.Config(app, **options))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        thread.join(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()
    finally:
        server.should_exit = True
        thread.join(10)


def sign_in(client: httpx.Client, view: View, role: Role) -> None:
    """Have ``client`` be somebody of this role."""
    client.cookies.update(cookie_for(view, role))


def post(client: httpx.Client, path: str, page: str = "/", **fields: object) -> httpx.Response:
    """Send a form as the browser does from ``page``, where its token stands; returns the answer, not followed."""
    token = re.search(r'name="csrf" value="([^"]*)"', client.get(page).text)
    shown = {"csrf": token.group(1) if token else ""}
    base = client.base_url
    origin = f"{base.scheme}://{base.netloc.decode()}"
    headers = {"Origin": origin, "Sec-Fetch-Site": "same-origin"}
    return client.post(path, data={**shown, **fields}, headers=headers, follow_redirects=False)
