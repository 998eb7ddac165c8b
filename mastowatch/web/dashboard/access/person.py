"""A person at the dashboard: a name and a role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["read", "act", "switch"]
# Each role may do what those before it may.
ROLES: tuple[Role, ...] = ("read", "act", "switch")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who looks at a page; ``name`` is "" for whoever has not signed in."""

    name: str
    role: Role

    def may(self, needs: Role) -> bool:
        """Return whether the role is enough."""
        return ROLES.index(self.role) >= ROLES.index(needs)

    @property
    def by(self) -> str:
        """How the audit names them."""
        return f"{self.name or 'somebody'} on the dashboard"
