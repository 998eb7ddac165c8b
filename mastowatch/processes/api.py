"""``mastowatch api``: the /jobs API on TCP (with a key) and on a unix socket (for its group, without one)."""

from __future__ import annotations

import contextlib
import logging
import socket

from starlette.types import ASGIApp

from mastowatch.config import Loaded
from mastowatch.jobs import context as contexts
from mastowatch.jobs.intake import Intake
from mastowatch.logs import event
from mastowatch.processes.layout import Agreement
from mastowatch.processes.serving import serve
from mastowatch.processes.sockets import address, handed_sockets, tcp_socket, unix_socket
from mastowatch.web.app import create_api, with_webhooks

log = logging.getLogger(__name__)


def run(loaded: Loaded) -> None:
    """Serve until SIGTERM."""
    redis = contexts.connect(loaded, waits=False)

    with contextlib.ExitStack() as stack:
        sockets = _sockets(loaded, stack)
        agreement = stack.enter_context(Agreement(redis, "api"))
        seen = contexts.view(loaded, redis)
        confirm = contexts.confirm_replicated(redis, loaded.settings)
        intake = stack.enter_context(Intake(redis, seen.tally, seen.webhook_notes, confirm=confirm))

        def make(found: Loaded) -> ASGIApp:
            key, secret = found.secret("api_key"), found.secret("webhook_secret")
            if key is None:
                event(log, logging.WARNING, "api_key_missing", hint="TCP is refused; name a file in API_KEY_FILE")
            view = contexts.view(found, redis)
            return with_webhooks(create_api(view, key), view, intake, secret)

        serve(loaded, make, sockets, agreement=agreement, fixed=["API_BIND", "API_SOCKET"])


def _sockets(loaded: Loaded, stack: contextlib.ExitStack) -> list[socket.socket]:
    """Return systemd's sockets, which win over the settings, or else those that the settings name."""
    settings = loaded.settings
    handed = handed_sockets()
    if handed:
        _tell_unused(loaded, [address(one) for one in handed])
        return handed
    sockets = [tcp_socket(settings.api_bind, "API_BIND")]
    if settings.api_socket is not None:
        sockets.append(stack.enter_context(unix_socket(settings.api_socket)))
    return sockets


def _tell_unused(loaded: Loaded, used: list[str]) -> None:
    values = loaded.settings.as_text()
    named = [name for name in ("API_BIND", "API_SOCKET") if loaded.origins[name] != "default" and values[name]]
    unused = {name: values[name] for name in named if values[name] not in used}
    if unused:
        hint = "systemd listens for us; the addresses are those of mastowatch-api.socket"
        event(log, logging.WARNING, "address_not_used", settings=unused, used=used, hint=hint)
