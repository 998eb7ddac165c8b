"""How MastoWatch is, in one look: for load balancers, uptime checks and `mastowatch doctor`."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import FastAPI, Response
from pydantic import BaseModel, Field
from redis import Redis
from redis.exceptions import RedisError

from mastowatch.errors import StoreUnavailable
from mastowatch.jobs import context as contexts
from mastowatch.jobs.context import View
from mastowatch.jobs.described import RETRY_HEADER, also, told
from mastowatch.jobs.recurrence import scheduler_alive
from mastowatch.jobs.workforce import read_workers
from mastowatch.web.problems import RETRY_AFTER_S, note_trouble

PATHS = ("/healthz", "/livez", "/readyz")
_WELL = {"status": "ok", "redis": "ok", "workers": 2, "scheduler": True, "panic_stop": False}
_DOWN = {"status": "down", "redis": "down", "workers": 0, "scheduler": False, "panic_stop": True}
_READY = {"status": "ready", "redis": "ok"}
_NOT_READY = {"status": "not ready", "redis": "down"}


class Health(BaseModel):
    """``ok``: work is done. ``degraded``: it is not, or only in part. ``down``: Redis is away."""

    status: Literal["ok", "degraded", "down"]
    redis: Literal["ok", "down"]
    workers: int = Field(description="Workers that were heard of in the last 9 s.")
    scheduler: bool = Field(description="Whether a scheduler leads.")
    panic_stop: bool = Field(description="Whether all work is stopped; also true while that can't be read.")


class Alive(BaseModel):
    """The process answers; that says nothing of Redis."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Whether requests can be met."""

    status: Literal["ready", "not ready"]
    redis: Literal["ok", "down", "other layout"] = Field(
        description="`other layout`: its keys are of another version of MastoWatch, or being brought to this one's."
    )


def add(app: FastAPI, view: View) -> None:
    """Add the three paths that need no key."""

    @app.get("/healthz", **_told("How MastoWatch is", "healthz", _WELL, _DOWN, Health))
    def healthz(response: Response) -> Health:
        """Tell whether work is done; 503 only while Redis is away. Needs no key."""
        return answer(view, response)

    @app.get("/livez", **_told("Whether the process answers", "livez", {"status": "ok"}))
    def livez() -> Alive:
        """Tell that the process answers, whatever else is away: what it can't mend, a restart mends. Needs no key."""
        return Alive()

    @app.get("/readyz", **_told("Whether requests can be met", "readyz", _READY, _NOT_READY, Ready))
    def readyz(response: Response) -> Ready:
        """Tell whether Redis answers and its keys have this version's layout; 503 while not. Needs no key."""
        return _ready(view, response)


def _told(
    summary: str, operation_id: str, example: object, down: object = None, model: type[BaseModel] = Alive
) -> dict[str, Any]:
    more = {503: also("Not now.", down, model, headers=RETRY_HEADER)} if down else {}
    return {"tags": ["health"], **told(summary, operation_id, example, more=more)}


def _ready(view: View, response: Response) -> Ready:
    try:
        contexts.check_layout(view.redis)
    except RedisError as error:
        note_trouble("/readyz", error)
        _not_now(response)
        return Ready(status="not ready", redis="other layout" if contexts.is_other_layout(error) else "down")
    return Ready(status="ready", redis="ok")


def _not_now(response: Response) -> None:
    response.status_code = 503
    response.headers["Retry-After"] = str(RETRY_AFTER_S)


def health(view: View) -> Health:
    """Return the health; never raises for a Redis that is away."""
    try:
        return _health(view.redis, panic=view.settings.panic_stop or view.switches.panic_stop())
    except (RedisError, StoreUnavailable) as error:
        note_trouble("/healthz", error)
        return Health(status="down", redis="down", workers=0, scheduler=False, panic_stop=True)


def answer(view: View, response: Response) -> Health:
    """Return the health, as 503 while Redis is away."""
    found = health(view)
    if found.status == "down":
        _not_now(response)
    return found


def _health(redis: Redis, *, panic: bool) -> Health:
    workers, scheduler = len(read_workers(redis)), scheduler_alive(redis)
    well = workers > 0 and scheduler and not panic
    return Health(
        status="ok" if well else "degraded", redis="ok", workers=workers, scheduler=scheduler, panic_stop=panic
    )
