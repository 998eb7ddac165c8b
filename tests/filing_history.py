"""An account and what becomes of it: a server in memory, the real task, a real Redis, and a clock moved by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from redis import Redis

from mastowatch.adapters.memory_mastodon import MemoryMastodon
from mastowatch.config import Loaded, Settings
from mastowatch.errors import MastodonUnreachable
from mastowatch.jobs import context as contexts
from mastowatch.jobs import tasks
from mastowatch.ports.types import Account, Case, FiledReport, Receipt, ReportRequest, Status
from tests.rules import document, ruleset

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
BOT = Account("1", "bot", "bot", None, "", "", "", START)
WORDS = ("airdrop", "casino", "lottery")
RULES = [document(id=word, name=word, status={"words": [word]}) for word in WORDS]
PROFILE = document(id="profile", name="profile", status=None, account={"bio_words": ["pills"]})


class Killed(BaseException):
    """Stands for kill -9: nothing catches it."""


class Mortal:
    """Passes all calls on, and dies before or after the one that the point names."""

    def __init__(self, inner: Any, point: str) -> None:
        self._inner, self._point = inner, point

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if self._point == f"before {name}":
                raise Killed
            found = getattr(self._inner, name)(*args, **options)
            if self._point == f"after {name}":
                raise Killed
            return found

        return call


class Server(MemoryMastodon):
    """The shipped Mastodon in memory, which may be away just when a report comes."""

    away = False

    def file_report(self, request: ReportRequest) -> Receipt:
        if self.away:
            raise MastodonUnreachable("reports: no answer")
        return super().file_report(request)


class World:
    """A server in memory with one account, and the tasks over it; its clock is moved by hand."""

    def __init__(self, redis: Redis, credentials: Path, *, rules=RULES, **settings) -> None:
        (credentials / "access_token").write_text("token")
        self.now, self.redis, self.posts, self.reopened = START, redis, 0, 0
        self.server = Server(BOT, clock=lambda: self.now)
        self.server.add(
            Account("7", "a@x.example", "a", "x.example", "", "", "", START - timedelta(days=1), statuses=1)
        )
        chosen = Settings(instance_base="https://m.example", dry_run=False, **settings)
        built = contexts.build(Loaded(chosen, {}, credentials=credentials), redis, ruleset(*rules))
        self.context = replace(built, mastodon=self.server.for_purpose, clock=lambda: self.now.timestamp())

    def post(self, word: str, made: datetime | None = None) -> str:
        self.posts += 1
        self.server.post(Status(str(100 + self.posts), "7", made or self.now, f"<p>free {word}</p>"))
        return str(100 + self.posts)

    def judge(self, *, dying: str = "") -> Any:
        """Judge it; dies "before send" or after, if told to, and leaves what the dead leave but for the lock."""
        claims = Mortal(self.context.claims, dying) if dying else self.context.claims
        try:
            with contexts.use(replace(self.context, claims=claims)):
                return tasks.analyze_and_maybe_report("7")
        finally:
            self.redis.delete("mastowatch:lock:account:7")

    def reports(self) -> tuple[FiledReport, ...]:
        """Return the reports on it, newest first."""
        return self.server.own_reports("7")

    def reopen_oldest(self) -> None:
        """Let a moderator open the oldest resolved report again."""
        if self.server._resolved:
            self.server._resolved.pop(min(self.server._resolved))
            self.reopened += 1

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)

    @property
    def case(self) -> Case:
        found = self.context.cases.get("7")
        assert found is not None
        return found

    @property
    def claim(self):
        return self.context.claims.get("7")
