"""A Context for tests of jobs: real Redis, the Mastodon in memory that is shipped, and a clock that a test sets."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from redis import Redis

from mastowatch.adapters.memory_mastodon import MemoryMastodon
from mastowatch.config import Loaded, Settings
from mastowatch.domain.ruleset import RuleSet
from mastowatch.jobs import context as contexts
from mastowatch.ports.types import Account, Status
from tests.rules import ruleset

START = 1_767_268_800.0  # 2026-01-01 12:00 UTC
BOT = "999999"


class World:
    """Judges by ``documents``, rules as TOML has them; ``settings`` as in Settings."""

    def __init__(self, redis: Redis, documents: Sequence[dict[str, Any]] | RuleSet, **settings: Any) -> None:
        self.now = START
        self.redis = redis
        self.server = MemoryMastodon(account(BOT), clock=lambda: datetime.fromtimestamp(self.now, UTC))
        rules = documents if isinstance(documents, RuleSet) else ruleset(*documents)
        with tempfile.TemporaryDirectory() as directory:
            token = Path(directory, "token")
            token.write_text("secret")
            given = {"instance_base": "https://m.example", "access_token_file": token, "dry_run": False, **settings}
            built = contexts.build(Loaded(Settings(**given), {}), redis, rules)
        self.context = replace(built, mastodon=self.server.for_purpose, clock=lambda: self.now)

    def run(self, task: Any, *args: str) -> Any:
        with contexts.use(self.context):
            return task(*args)


def account(account_id: str, **changes: Any) -> Account:
    born = datetime.fromtimestamp(START, UTC) - timedelta(days=1)
    name = f"a{account_id}"
    base = Account(account_id, f"{name}@x.example", name, "x.example", "", "", "https://x.example/", born, statuses=1)
    return replace(base, **changes)


def post(account_id: str, text: str, **changes: Any) -> Status:
    at = datetime.fromtimestamp(START, UTC) - timedelta(hours=1)
    return replace(Status(f"{account_id}1", account_id, at, f"<p>{text}</p>"), **changes)
