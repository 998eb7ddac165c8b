"""Who asks, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["read", "act", "switch"]
# In order: each may do what those before it may.
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at a browser. ``role`` is None for whoever has not signed in where people must."""

    name: str
    role: Role | None

    def may(self, needs: Role) -> bool:
        """Return whether this person may do what ``needs`` that role."""
        return self.role is not None and ROLES.index(self.role) >= ROLES.index(needs)

    @property
    def by(self) -> str:
        """How the audit names them."""
        return f"{self.name} on the dashboard" if self.name else "the dashboard"


STRANGER = Person("", None)
# Without a sign-in, whoever reaches the address may look.
ANYBODY = Person("", "read")


def at_most(role: Role | None, *, read_only: bool) -> Role | None:
    """Return what is left of ``role`` where nobody may change anything."""
    return "read" if read_only and role is not None else role
