"""Sessions: what a signed cookie says about who is signed in, and until when.

The cookie is the session; Redis knows only of those that were ended before their time. Each sign-in makes a new one,
so nobody can be made to use one that another knows.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

from mastowatch.ports.sign_in import EndedSessions
from mastowatch.web.dashboard.access.person import Role
from mastowatch.web.dashboard.access.seals import Seal

Way = Literal["mastodon", "password"]


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in. ``mark`` stands for what it rests on (a password's line, an application): it ends with that."""

    id: str
    name: str
    role: Role
    way: Way
    mark: str
    at: float = 0.0


class Sessions:
    """Makes, reads and ends sessions of ``life_s`` seconds; ``mark_of`` tells what a session would rest on now."""

    def __init__(
        self,
        key: bytes,
        ended: EndedSessions,
        clock: Callable[[], float],
        life_s: int,
        mark_of: Callable[[Way, str], str | None],
    ) -> None:
        self._seal = Seal(key, "session", clock)
        self._ended, self._clock, self._life_s, self._mark_of = ended, clock, life_s, mark_of

    def begin(self, name: str, role: Role, way: Way) -> str:
        """Return the cookie of a new session."""
        mark = self._mark_of(way, name) or ""
        return self._seal.close({"id": secrets.token_urlsafe(24), "n": name, "r": role, "w": way, "m": mark})

    def read(self, cookie: str | None) -> Session | None:
        """Return the session of a cookie, or None; whether it was ended early is for ``over`` to say."""
        opened = self._seal.open(cookie, self._life_s)
        if opened is None:
            return None
        at, values = opened
        # Sealed by ``begin``, so it is what that has put there.
        role, way, name = cast("Role", values["r"]), cast("Way", values["w"]), values["n"]
        mark = self._mark_of(way, name)
        if not mark or mark != values["m"]:
            return None
        return Session(values["id"], name, role, way, mark, at)

    def over(self, session: Session) -> bool:
        """Return whether it was ended early; raises StoreUnavailable."""
        return self._ended.ended(session.id)

    def end(self, session: Session) -> None:
        """End it for good; raises StoreUnavailable."""
        left = session.at + self._life_s - self._clock()
        self._ended.end(session.id, int(left) + 60)
