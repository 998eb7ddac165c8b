"""``mastowatch dashboard``: the pages people keep open."""

from __future__ import annotations

from fastapi import FastAPI

from mastowatch.config import Loaded
from mastowatch.jobs import context as contexts
from mastowatch.processes.layout import Agreement
from mastowatch.processes.serving import serve
from mastowatch.processes.sockets import tcp_socket
from mastowatch.web.dashboard import create_dashboard
from mastowatch.web.dashboard.access.opening import open_access, session_key


def run(loaded: Loaded) -> None:
    """Serve until SIGTERM."""
    redis = contexts.connect(loaded, waits=False)
    # Once a process: a reload must not sign everybody out.
    key = session_key(loaded)

    def make(found: Loaded) -> FastAPI:
        view = contexts.view(found, redis)
        return create_dashboard(view, open_access(found, view, key))

    app = make(loaded)  # what is wrong with it shows before anything listens
    sockets = [tcp_socket(loaded.settings.dashboard_bind, "DASHBOARD_BIND")]
    with Agreement(redis, "dashboard") as agreement:
        serve(
            loaded,
            lambda found: app if found is loaded else make(found),
            sockets,
            agreement=agreement,
            fixed=["DASHBOARD_BIND", "SESSION_KEY_FILE"],
        )
