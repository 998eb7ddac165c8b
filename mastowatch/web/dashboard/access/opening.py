"""Puts together, from settings and secrets, who may use the dashboard."""

from __future__ import annotations

import logging
import secrets

from mastowatch.config import Loaded, Settings
from mastowatch.config.loading import CREDENTIALS
from mastowatch.errors import ConfigError
from mastowatch.jobs.context import View, sign_in_server
from mastowatch.logs import event
from mastowatch.web.dashboard.access.access import Access
from mastowatch.web.dashboard.access.address import is_loopback
from mastowatch.web.dashboard.access.passwords import Passwords

log = logging.getLogger(__name__)
KEY_LEAST = 32


def session_key(loaded: Loaded) -> bytes:
    """Return the key that signs sessions; without one in the settings a random one, made anew at each start.

    Raises ConfigError for one that is too short.
    """
    key = loaded.secret("session_key")
    if key is None:
        hint = f"write 32 or more random characters into {CREDENTIALS / 'session_key'}"
        event(log, logging.INFO, "session_key_missing", hint=f"a restart signs everybody out; {hint}")
        return secrets.token_bytes(KEY_LEAST)
    if len(key) < KEY_LEAST:
        where = loaded.settings.session_key_file or "the credential session_key"
        raise ConfigError(f"{where}: the session key has {len(key)} characters; it must have {KEY_LEAST} or more")
    return key.encode()


def open_access(loaded: Loaded, view: View, key: bytes) -> Access:
    """Return who may use the dashboard.

    Raises ConfigError for secrets that can't be used, and where the dashboard would listen to others than this machine
    without asking who they are.
    """
    settings = loaded.settings
    text = loaded.secret("dashboard_passwords")
    where = str(settings.dashboard_passwords_file or CREDENTIALS / "dashboard_passwords")
    passwords = Passwords.parse(text, where) if text is not None else None
    server = sign_in_server(loaded)
    access = Access(settings, view.ended_sessions, clock=view.clock, key=key, passwords=passwords, server=server)
    _check_reach(settings, access)
    return access


def _check_reach(settings: Settings, access: Access) -> None:
    near = is_loopback(settings.dashboard_bind.host)
    if not access.set_up and not near:
        raise ConfigError(
            f"DASHBOARD_BIND={settings.dashboard_bind} is open to other machines, and nobody has to sign in; set a"
            " sign-in up (mastowatch sign-in --help), or listen on 127.0.0.1"
        )
    address = access.address
    if access.open_at:
        hint = "everybody who reaches that address reads all pages; set a sign-in up: mastowatch sign-in --help"
        event(log, logging.WARNING, "dashboard_open", url=access.open_at, hint=hint)
    if access.set_up and not address.secure and not is_loopback(address.host):
        hint = "passwords and sessions can be read on the way; put it behind a proxy with TLS, and set DASHBOARD_URL"
        event(log, logging.WARNING, "dashboard_in_clear", url=address.url, hint=hint)
