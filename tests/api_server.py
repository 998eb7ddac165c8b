"""The API, served over TCP by uvicorn in a thread of the test."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import uvicorn

from mastowatch.jobs.context import View
from mastowatch.jobs.intake import Intake
from mastowatch.web.app import create_api, with_webhooks
from tests.redis_server import free_port

KEY = "a-long-key-for-the-tests"
SECRET = "a-secret-for-the-tests"


@contextlib.contextmanager
def served(view: View) -> Iterator[str]:
    """Yield the address of the API; it takes KEY, and webhooks with SECRET."""
    with Intake(view.redis, view.tally, view.webhook_notes) as intake:
        app = with_webhooks(create_api(view, KEY), view, intake, SECRET)
        config = uvicorn.Config(app, port=free_port(), log_config=None, http="httptools", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive(), "the server did not start"
                time.sleep(0.01)
            yield f"http://127.0.0.1:{config.port}"
        finally:
            server.should_exit = True
            thread.join(30)
