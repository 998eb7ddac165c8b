"""Workers that file reports as processes of their own, and die where a test says; for the tests of filing.

Everything is real: the task, Redis, HTTP, mastodon-mock behind it. Only the time that a lost answer takes to settle is
short, and a dead worker's lock on the account is taken away by the test, as its short life would.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from redis import Redis
from rq.job import Retry

from mastowatch.config import Loaded, Settings
from mastowatch.domain.ruleset import RuleSet
from mastowatch.errors import MastodonUnreachable, StoreUnavailable
from mastowatch.jobs import context as contexts
from mastowatch.jobs import filing, tasks
from mastowatch.jobs.context import Context
from tests.rules import document, ruleset

TIMEOUT_S, SETTLE_S = 0.5, 0.6
# Not forked from the process of the test, which has a server in a thread.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__, "mastowatch.adapters.mastodon_api"])


@dataclass(frozen=True)
class Place:
    """Where a worker works; all of it can be told to another process. ``alone=False``: no lock on the account."""

    redis_url: str
    mastodon_url: str
    credentials: Path
    alone: bool = True
    settle_s: float = SETTLE_S
    timeout_s: float = TIMEOUT_S

    def context(self) -> Context:
        settings = Settings(
            instance_base=self.mastodon_url,
            redis_url=self.redis_url,
            dry_run=False,
            request_timeout=self.timeout_s,
            api_requests_per_5_minutes=300,
        )
        redis = Redis.from_url(self.redis_url)
        built = contexts.build(Loaded(settings, {}, credentials=self.credentials), redis, rules())
        return built if self.alone else replace(built, locks=_Open())

    def start(self, account_id: str, point: str = "") -> Any:
        """Start a worker that judges the account, until it is done, or dead at ``point``."""
        process = PROCESSES.Process(target=work, args=(self, account_id, point))
        process.start()
        return process

    def run(self, account_id: str, point: str = "") -> int | None:
        """Let a worker judge the account to the end; returns how it ended."""
        process = self.start(account_id, point)
        process.join(60)
        code = process.exitcode
        process.close()
        return code


def rules() -> RuleSet:
    """Two rules that suffice for a report, each by a word of its own."""
    return ruleset(*(document(id=word, name=word, status={"words": [word]}) for word in ("airdrop", "casino")))


def work(place: Place, account_id: str, point: str) -> None:
    """Judge the account until that is done, as a worker does that gets the job again and again."""
    logging.disable(logging.CRITICAL)
    filing.SETTLE_S = place.settle_s
    context = place.context()
    if point:
        context = mortal(context, point)
    with contexts.use(context):
        while True:
            try:
                result = tasks.analyze_and_maybe_report(account_id)
            except (MastodonUnreachable, StoreUnavailable):
                result = Retry(max=1)
            if not isinstance(result, Retry):
                return
            time.sleep(0.05)


def mortal(context: Context, point: str) -> Context:
    """Return the context of a worker that dies at ``point``: "before claims.send", "after mastodon.file_report"."""
    mastodon = context.mastodon
    return replace(
        context,
        mastodon=lambda purpose: Mortal(mastodon(purpose), "mastodon", point),
        **{name: Mortal(getattr(context, name), name, point) for name in ("claims", "cases", "judged", "tally")},
    )


class Mortal:
    """Passes all calls on, and dies before or after the one that the point names, at its first."""

    def __init__(self, inner: Any, name: str, point: str) -> None:
        self._inner, self._name, self._point = inner, name, point

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            self._die(f"before {self._name}.{method}")
            found = getattr(self._inner, method)(*args, **options)
            self._die(f"after {self._name}.{method}")
            return found

        return call

    def _die(self, point: str) -> None:
        if point == self._point:
            os.kill(os.getpid(), signal.SIGKILL)


class _Open:
    """A lock that keeps nobody out: as if each worker had got it by mistake."""

    def acquire(self, name: str, owner: str, ttl_s: float) -> bool:
        return True

    def release(self, name: str, owner: str) -> None:
        pass
