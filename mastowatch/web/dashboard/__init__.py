"""The dashboard: pages that answer "is it all right?", read-only, without a script."""

from mastowatch.web.dashboard.app import create_dashboard

__all__ = ["create_dashboard"]
