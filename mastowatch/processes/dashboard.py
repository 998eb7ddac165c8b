"""``mastowatch dashboard``: the pages people keep open."""

from __future__ import annotations

from mastowatch.config import Loaded
from mastowatch.jobs import context as contexts
from mastowatch.processes.layout import Agreement
from mastowatch.processes.serving import serve
from mastowatch.processes.sockets import tcp_socket
from mastowatch.web.dashboard import create_dashboard


def run(loaded: Loaded) -> None:
    """Serve until SIGTERM."""
    redis = contexts.connect(loaded, waits=False)
    sockets = [tcp_socket(loaded.settings.dashboard_bind, "DASHBOARD_BIND")]
    with Agreement(redis, "dashboard") as agreement:
        serve(
            loaded,
            lambda found: create_dashboard(contexts.view(found, redis)),
            sockets,
            agreement=agreement,
            fixed=["DASHBOARD_BIND"],
        )
