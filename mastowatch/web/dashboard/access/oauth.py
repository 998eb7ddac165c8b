"""The way through the Mastodon server: what is asked for, what the browser carries meanwhile, and what comes back."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from mastowatch.ports.sign_in import SignInServer
from mastowatch.web.dashboard.access.address import Address
from mastowatch.web.dashboard.access.person import Role
from mastowatch.web.dashboard.access.roles import role_of
from mastowatch.web.dashboard.access.seals import Seal

# So long somebody may take on Mastodon's own pages.
LIFE_S = 600
USED_MAX = 10_000
CALLBACK = "/sign-in/mastodon/answer"
_CODE = re.compile(r"[\x21-\x7e]{1,512}", re.ASCII)


class NotAsked(Exception):
    """The answer does not belong to what this browser has asked for."""


@dataclass(frozen=True, slots=True)
class Trip:
    """One way to the server and back: where the browser goes, and the cookie that it carries there."""

    to: str
    cookie: str


class MastodonWay:
    """Sends a browser to the server, and makes out who has come back."""

    def __init__(self, server: SignInServer, address: Address, key: bytes, clock: Callable[[], float]) -> None:
        self._server = server
        self._seal = Seal(key, "way through Mastodon", clock)
        self._answer_to = f"{address.url}{CALLBACK}"
        self._used: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def mark_of(self, name: str) -> str | None:
        """Return what sessions rest on: the application, until it is registered anew."""
        return hashlib.sha256(self._server.mark.encode()).hexdigest()[:24] if name.startswith("@") else None

    def begin(self, wanted: str) -> Trip:
        """Return where to send the browser; ``wanted`` is the page that it is to see in the end."""
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        to = self._server.ask_at(state=state, challenge=challenge, answer_to=self._answer_to)
        return Trip(to, self._seal.close({"state": state, "verifier": verifier, "next": wanted}))

    def opened(self, cookie: str | None, state: str) -> dict[str, str]:
        """Return what the cookie holds, once; raises NotAsked where it does not belong to ``state``."""
        opened = self._seal.open(cookie, LIFE_S)
        if opened is None or not hmac.compare_digest(opened[1]["state"].encode(), state.encode("utf-8", "replace")):
            raise NotAsked
        with self._lock:
            if state in self._used:
                raise NotAsked
            self._used[state] = None
            while len(self._used) > USED_MAX:
                self._used.popitem(last=False)
        return opened[1]

    def identify(self, code: str, verifier: str) -> tuple[str, Role | None]:
        """Return the name and the role of whoever signed in; raises NotAsked or MastodonError. Waits for the server."""
        if not _CODE.fullmatch(code):
            raise NotAsked
        found = self._server.identify(code=code, verifier=verifier, answer_to=self._answer_to)
        return f"@{found.name}", role_of(found.permissions)
