"""The API: /jobs behind a key, /healthz for everyone, openapi.json for those who have the key."""

from __future__ import annotations

from fastapi import FastAPI, Response
from starlette.types import ASGIApp

from mastowatch import __version__
from mastowatch.jobs import dropped_api
from mastowatch.jobs.api import router
from mastowatch.jobs.context import View
from mastowatch.jobs.intake import Intake
from mastowatch.jobs.rules_api import router as rules_router
from mastowatch.jobs.scheduler import recurring_jobs
from mastowatch.web import health, problems
from mastowatch.web.auth import KeyGuard
from mastowatch.web.bodies import BodyLimit
from mastowatch.web.headers import COMMON, NOTHING_LOADS, Headers
from mastowatch.web.metrics_route import add_metrics
from mastowatch.web.webhooks import Webhooks

_ABOUT = """See, cancel, requeue and trigger MastoWatch's jobs.

Over TCP give the key as `Authorization: Bearer KEY` or `X-API-Key: KEY`; the unix socket asks for none.
Errors are RFC 9457 problems (`application/problem+json`)."""


def create_api(view: View, api_key: str | None) -> FastAPI:
    """Return the app. Without ``api_key`` only the unix socket is served; TCP is told what to do."""
    # FastAPI's own /docs loads scripts from elsewhere, so there is none.
    app = FastAPI(title="MastoWatch", version=__version__, description=_ABOUT, docs_url=None, redoc_url=None)
    problems.install(app)
    app.include_router(router(view, recurring_jobs(view.settings)))
    app.include_router(rules_router(view))
    app.include_router(dropped_api.router(view))
    add_metrics(app, view)

    @app.get("/healthz", tags=["health"], responses={503: {"model": health.Health}})
    def healthz(response: Response) -> health.Health:
        """How MastoWatch is; needs no key."""
        return health.answer(view, response)

    app.add_middleware(BodyLimit)
    # The last one added is the outermost: headers stand on the guard's refusals too.
    app.add_middleware(KeyGuard, api_key=api_key, open_paths=("/healthz",))
    app.add_middleware(Headers, headers={**COMMON, "Content-Security-Policy": NOTHING_LOADS})
    return app


def with_webhooks(app: ASGIApp, view: View, intake: Intake, secret: str | None) -> ASGIApp:
    """Return ``app`` with what Mastodon's webhooks are sent to before it; without a ``secret`` that is closed."""
    return Webhooks(app, secret, view.jobs, intake)
