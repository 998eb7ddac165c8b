"""``mastowatch api``: the /jobs API on TCP (with a key) and on a unix socket (for its group, without one)."""

from __future__ import annotations

import contextlib

from mastowatch.config import Loaded
from mastowatch.jobs import context as contexts
from mastowatch.processes.serving import serve, tcp_socket, unix_socket
from mastowatch.web.app import create_api


def run(loaded: Loaded) -> None:
    """Serve until SIGTERM."""
    settings = loaded.settings
    app = create_api(contexts.view(loaded, contexts.connect(loaded)), loaded.secret("api_key"))
    with contextlib.ExitStack() as stack:
        sockets = [tcp_socket(settings.api_bind, "API_BIND")]
        if settings.api_socket is not None:
            sockets.append(stack.enter_context(unix_socket(settings.api_socket)))
        serve(app, sockets)
