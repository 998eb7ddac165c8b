"""``mastowatch api``: the /jobs API on TCP (with a key) and on a unix socket (for its group, without one)."""

from __future__ import annotations

import contextlib
import logging

from mastowatch.config import Loaded
from mastowatch.jobs import context as contexts
from mastowatch.logs import event
from mastowatch.processes.serving import serve, tcp_socket, unix_socket
from mastowatch.web.app import create_api

log = logging.getLogger(__name__)


def run(loaded: Loaded) -> None:
    """Serve until SIGTERM."""
    settings = loaded.settings
    key = loaded.secret("api_key")
    if key is None:
        event(log, logging.WARNING, "api_key_missing", hint="TCP is refused; name a file in API_KEY_FILE")
    app = create_api(contexts.view(loaded, contexts.connect(loaded)), key)
    with contextlib.ExitStack() as stack:
        sockets = [tcp_socket(settings.api_bind, "API_BIND")]
        if settings.api_socket is not None:
            sockets.append(stack.enter_context(unix_socket(settings.api_socket)))
        serve(app, sockets)
