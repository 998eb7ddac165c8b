"""What Mastodon's webhooks send, signed as it signs, and an API to send it to over real HTTP."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import requests
import uvicorn
from redis import Redis

from mastowatch.config.loading import Loaded, load
from mastowatch.jobs import context as contexts
from mastowatch.jobs.intake import Intake
from mastowatch.web.app import create_api, with_webhooks
from mastowatch.web.webhooks import PATH

SECRET = "s3cret-of-the-webhook"


def signature(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"X-Hub-Signature": f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"}


def delivery(event: str, entity: object, created_at: str = "2026-01-01T12:00:00.000Z") -> bytes:
    return json.dumps({"event": event, "created_at": created_at, "object": entity}).encode()


def account_entity(account_id: str, **more: Any) -> dict[str, Any]:
    """Return a public account with the fields that it has in a webhook."""
    return {
        "id": account_id,
        "username": f"user{account_id}",
        "acct": f"user{account_id}",
        "display_name": "Canary Display",
        "locked": False,
        "bot": False,
        "created_at": "2026-01-01T00:00:00.000Z",
        "note": "<p>canary note</p>",
        "url": f"https://m.example/@user{account_id}",
        "followers_count": 3,
        "following_count": 5,
        "statuses_count": 8,
        "emojis": [],
        "fields": [],
        **more,
    }


def admin_account_entity(account_id: str) -> dict[str, Any]:
    """Return an Admin::Account: it carries what must never be kept."""
    return {
        "id": account_id,
        "username": f"user{account_id}",
        "domain": None,
        "created_at": "2026-01-01T00:00:00.000Z",
        "email": "canary-mail@private.example",
        "ip": "203.0.113.77",
        "ips": [{"ip": "203.0.113.77", "used_at": "2026-01-01T00:00:00.000Z"}],
        "locale": "en",
        "invite_request": "canary invite request",
        "role": {"id": "-99", "name": "", "permissions": "65536"},
        "account": account_entity(account_id),
    }


def status_entity(status_id: str, visibility: object = "public", text: str = "canary text") -> dict[str, Any]:
    return {
        "id": status_id,
        "created_at": "2026-01-01T12:00:00.000Z",
        "in_reply_to_id": None,
        "sensitive": False,
        "spoiler_text": "",
        "visibility": visibility,
        "language": "en",
        "uri": f"https://m.example/users/a/statuses/{status_id}",
        "url": f"https://m.example/@a/{status_id}",
        "content": f"<p>{text}</p>",
        "reblog": None,
        "account": account_entity("77"),
        "media_attachments": [],
        "mentions": [],
        "tags": [],
    }


def report_entity(report_id: str) -> dict[str, Any]:
    return {
        "id": report_id,
        "action_taken": False,
        "category": "spam",
        "comment": "canary comment",
        "forwarded": False,
        "created_at": "2026-01-01T12:00:00.000Z",
        "account": admin_account_entity("31"),
        "target_account": admin_account_entity("32"),
        "statuses": [status_entity("901", "private", "canary private post")],
        "rules": [],
    }


@dataclass
class Api:
    """A running API. ``post`` sends a body as Mastodon would, unless told otherwise."""

    url: str
    loaded: Loaded

    def post(self, body: bytes, headers: dict[str, str] | None = None, **options: Any) -> requests.Response:
        given = {"Content-Type": "application/json", **(signature(body) if headers is None else headers)}
        return requests.post(self.url + PATH, data=body, headers=given, timeout=20, **options)

    def outcome(self, body: bytes) -> str:
        answer = self.post(body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["outcome"])


@contextmanager
def running_api(redis_url: str, secret: str | None = SECRET, redis: Redis | None = None) -> Iterator[Api]:
    """Run the API as the process does, with its own settings for the client of Redis."""
    loaded = load({"INSTANCE_BASE": "https://m.example", "REDIS_URL": redis_url})
    with ExitStack() as stack:
        client = redis if redis is not None else stack.enter_context(contexts.connect(loaded, waits=False))
        view = contexts.view(loaded, client)
        intake = stack.enter_context(Intake(client, view.tally, view.webhook_notes))
        app = with_webhooks(create_api(view, "key"), view, intake, secret)
        config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False, ws="none")
        yield Api(stack.enter_context(_served(uvicorn.Server(config))), loaded)


@contextmanager
def _served(server: uvicorn.Server) -> Iterator[str]:
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
