"""Who may see the dashboard and change what it shows: sign-in, sessions, roles, and the checks before every change."""

from mastowatch.web.dashboard.access.access import Access
from mastowatch.web.dashboard.access.forms import Form
from mastowatch.web.dashboard.access.person import ROLES, Person, Role
from mastowatch.web.dashboard.access.refusals import Forbidden, NotSignedIn

__all__ = ["ROLES", "Access", "Forbidden", "Form", "NotSignedIn", "Person", "Role"]
