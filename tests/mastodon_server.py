"""A Mastodon to talk to over HTTP: mastodon-mock on a free port, filled through its own models, counting requests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import requests
import uvicorn
from mastodon_mock.app import create_app
from mastodon_mock.config import MastodonMockConfig, SeedConfig
from mastodon_mock.db.models import Account, OAuthToken
from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

ALL_SCOPES = ("admin:read", "read", "write")


class Asked(NamedTuple):
    """A request as the server saw it."""

    method: str
    path: str
    query: dict[str, list[str]]


@dataclass
class MockMastodon:
    """A running server. ``tokens`` are access tokens by username; ``asked`` are all requests, the oldest first."""

    url: str
    tokens: dict[str, str]
    sessions: Callable[[], Session]
    stop: Callable[[], None]
    asked: list[Asked] = field(default_factory=list)

    def fault(self, effect: str, *, path: str | None = None, count: int | None = None, **more: object) -> None:
        """Answer the next ``count`` requests to ``path`` (a glob) badly; see mastodon_mock/faults.py."""
        rule = {"match": {"path": path}, "effect": {"type": effect, **more}, "count": count}
        requests.post(f"{self.url}/api/v1/_mock/faults", json=rule, timeout=60).raise_for_status()

    def clear_faults(self) -> None:
        requests.delete(f"{self.url}/api/v1/_mock/faults", timeout=60).raise_for_status()


def start_mock(
    config: MastodonMockConfig | None = None,
    populate: Callable[[Session], object] | None = None,
    *,
    port: int = 0,
    around: Callable[[Any], Any] = lambda app: app,
) -> MockMastodon:
    """Start a server in a thread; ``populate`` adds rows to a session that is then committed.

    ``around`` wraps the ASGI application: what a test puts between the network and the server.
    """
    app = create_app(config or MastodonMockConfig(seed=SeedConfig()))
    sessions: Callable[[], Session] = app.state.session_factory
    with sessions() as session:
        _let_connections_be_left(session)
        if populate is not None:
            populate(session)
        session.commit()
        tokens = _tokens(session)
    asked: list[Asked] = []
    options = {"host": "127.0.0.1", "port": port, "log_level": "error", "ws": "none", "timeout_graceful_shutdown": 1}
    server = uvicorn.Server(uvicorn.Config(around(_counting(app, asked)), **options))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{_port(server, thread)}"
    return MockMastodon(address, tokens, sessions, lambda: _stop(server, thread), asked)


@contextmanager
def running_mock(
    config: MastodonMockConfig | None = None,
    populate: Callable[[Session], object] | None = None,
    *,
    around: Callable[[Any], Any] = lambda app: app,
) -> Iterator[MockMastodon]:
    """The same, stopped at the end of the block."""
    mock = start_mock(config, populate, around=around)
    try:
        yield mock
    finally:
        mock.stop()


def add_account(session: Session, username: str, *, token: str = "", **columns: object) -> Account:
    """Add an account, and a token with all scopes for it; returns it with its id."""
    account = Account(username=username, **columns)
    session.add(account)
    session.flush()
    if token:
        add_token(session, account, token)
    return account


def add_token(session: Session, account: Account, token: str, scopes: tuple[str, ...] = ALL_SCOPES) -> None:
    session.add(OAuthToken(access_token=token, account_id=account.id, scopes=list(scopes)))


def _tokens(session: Session) -> dict[str, str]:
    rows = select(Account.username, OAuthToken.access_token).join(OAuthToken, OAuthToken.account_id == Account.id)
    # The first token of an account is the one that counts.
    return dict(session.execute(rows.order_by(OAuthToken.id.desc())).all())


def _let_connections_be_left(session: Session) -> None:
    """Bound no connections to the mock's database: a request whose client was killed leaves one open for long."""
    pool = session.get_bind().engine.pool
    assert isinstance(pool, QueuePool)
    pool._max_overflow = -1  # its bound was given when the mock made it, and it has no other way in


def _counting(app: Any, asked: list[Asked]) -> Callable[..., Any]:
    async def counted(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http" and not scope["path"].startswith("/api/v1/_mock"):
            asked.append(Asked(scope["method"], scope["path"], parse_qs(scope["query_string"].decode())))
        await app(scope, receive, send)

    return counted


def _port(server: uvicorn.Server, thread: threading.Thread) -> int:
    for _ in range(3000):
        if server.started:
            return int(server.servers[0].sockets[0].getsockname()[1])
        if not thread.is_alive():
            break
        time.sleep(0.02)
    raise RuntimeError("mastodon-mock did not start")


def _stop(server: uvicorn.Server, thread: threading.Thread) -> None:
    server.should_exit = True
    thread.join(10)
