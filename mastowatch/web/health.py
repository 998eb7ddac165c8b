"""How MastoWatch is, in one look: for load balancers, uptime checks and `mastowatch doctor`."""

from __future__ import annotations

import logging
from typing import Literal

from fastapi import Response
from pydantic import BaseModel, Field
from redis import Redis
from redis.exceptions import RedisError

from mastowatch.errors import StoreUnavailable
from mastowatch.jobs.context import View
from mastowatch.jobs.recurrence import scheduler_alive
from mastowatch.jobs.workforce import read_workers
from mastowatch.logs import event
from mastowatch.web.problems import RETRY_AFTER_S

log = logging.getLogger(__name__)


class Health(BaseModel):
    """``ok``: work is done. ``degraded``: it is not, or only in part. ``down``: Redis is away."""

    status: Literal["ok", "degraded", "down"]
    redis: Literal["ok", "down"]
    workers: int = Field(description="Workers that were heard of in the last 9 s.")
    scheduler: bool = Field(description="Whether a scheduler leads.")
    panic_stop: bool = Field(description="Whether all work is stopped; also true while that can't be read.")


def health(view: View) -> Health:
    """Return the health; never raises for a Redis that is away."""
    try:
        return _health(view.redis, panic=view.settings.panic_stop or view.switches.panic_stop())
    except (RedisError, StoreUnavailable) as error:
        event(log, logging.WARNING, "redis_unavailable", path="/healthz", error=type(error).__name__)
        return Health(status="down", redis="down", workers=0, scheduler=False, panic_stop=True)


def answer(view: View, response: Response) -> Health:
    """Return the health, as 503 while Redis is away."""
    found = health(view)
    if found.status == "down":
        response.status_code = 503
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return found


def _health(redis: Redis, *, panic: bool) -> Health:
    workers, scheduler = len(read_workers(redis)), scheduler_alive(redis)
    well = workers > 0 and scheduler and not panic
    return Health(
        status="ok" if well else "degraded", redis="ok", workers=workers, scheduler=scheduler, panic_stop=panic
    )
