"""``mastowatch dashboard``: the pages people keep open."""

from __future__ import annotations

from mastowatch.config import Loaded
from mastowatch.jobs import context as contexts
from mastowatch.processes.serving import serve, tcp_socket
from mastowatch.web.dashboard import create_dashboard


def run(loaded: Loaded) -> None:
    """Serve until SIGTERM."""
    app = create_dashboard(contexts.view(loaded, contexts.connect(loaded)))
    serve(app, [tcp_socket(loaded.settings.dashboard_bind, "DASHBOARD_BIND")])
