"""The adapter under test, made for a server of a test."""

from __future__ import annotations

import time
from collections.abc import Callable

from redis import Redis

from mastowatch.adapters.budget import Budget
from mastowatch.adapters.mastodon_api import MastodonApi


def client(
    url: str,
    token: str,
    redis: Redis,
    *,
    timeout_s: float = 5,
    per_5_min: int = 300,
    paged_per_15_min: int = 300,
    clock: Callable[[], float] = time.time,
) -> MastodonApi:
    budget = Budget(redis, per_5_min=per_5_min, paged_per_15_min=paged_per_15_min, clock=clock)
    return MastodonApi(url, token, budget, user_agent="MastoWatch tests", timeout_s=timeout_s, clock=clock)
