"""What a role on the Mastodon server means here. The bits are those of Mastodon's UserRole."""

from __future__ import annotations

from mastowatch.web.dashboard.access.person import Role

ADMINISTRATOR = 1 << 0
VIEW_DEVOPS = 1 << 1
VIEW_AUDIT_LOG = 1 << 2
VIEW_DASHBOARD = 1 << 3
MANAGE_REPORTS = 1 << 4
MANAGE_SETTINGS = 1 << 6
MANAGE_USERS = 1 << 10

_NEEDS: tuple[tuple[Role, int], ...] = (
    ("switch", ADMINISTRATOR | MANAGE_SETTINGS | VIEW_DEVOPS),
    ("act", MANAGE_REPORTS | MANAGE_USERS),
    ("read", VIEW_DASHBOARD | VIEW_AUDIT_LOG),
)


def role_of(permissions: int) -> Role | None:
    """Return the highest role that any of these rights gives, or None: no business here."""
    return next((role for role, needs in _NEEDS if permissions & needs), None)
