"""Who looks at the dashboard, and what they may do: until a sign-in is set up, everybody reads and nobody changes."""

from mastowatch.web.dashboard.access.gate import Access, Form
from mastowatch.web.dashboard.access.person import ROLES, Person, Role

__all__ = ["ROLES", "Access", "Form", "Person", "Role"]
