"""The API: all behind a key, but for how MastoWatch is, and Mastodon's webhooks, which have a secret of their own."""

from __future__ import annotations

from fastapi import Depends, FastAPI
from starlette.types import ASGIApp

from mastowatch import __version__
from mastowatch.jobs import api, audit_api, cases_api, dropped_api, rules_api, switches_api
from mastowatch.jobs.actions import Actions
from mastowatch.jobs.context import View
from mastowatch.jobs.intake import Intake
from mastowatch.jobs.parameters import known_only
from mastowatch.jobs.scheduler import recurring_jobs
from mastowatch.web import events, health, openapi, problems
from mastowatch.web.auth import KeyGuard
from mastowatch.web.bodies import BodyLimit
from mastowatch.web.etag import ETags
from mastowatch.web.headers import COMMON, NOTHING_LOADS, Headers
from mastowatch.web.idempotency import Idempotency
from mastowatch.web.metrics_route import add_metrics
from mastowatch.web.webhooks import Webhooks

_ABOUT = """See MastoWatch's jobs, cases, rules and switches, and act on them.

Over TCP give the key as `Authorization: Bearer KEY` or `X-API-Key: KEY`; the unix socket asks for none.
Errors are RFC 9457 problems (`application/problem+json`). No GET writes anything. Times are UTC, spans are seconds."""


def create_api(view: View, api_key: str | None) -> FastAPI:
    """Return the app. Without ``api_key`` only the unix socket is served; TCP is told what to do."""
    app = FastAPI(
        title="MastoWatch",
        version=__version__,
        description=_ABOUT,
        # FastAPI's own /docs loads scripts from elsewhere, so there is none.
        docs_url=None,
        redoc_url=None,
        # It would name the Host that the client has sent.
        redirect_slashes=False,
        dependencies=[Depends(known_only)],
    )
    problems.install(app)
    openapi.install(app, health.PATHS)
    actions = Actions(view, api.BY)
    for router in (
        events.router(view),
        api.router(view, recurring_jobs(view.settings)),
        cases_api.router(view),
        dropped_api.router(view, actions),
        rules_api.router(view),
        switches_api.router(view, actions),
        audit_api.router(view),
    ):
        app.include_router(router)
    health.add(app, view)
    add_metrics(app, view)
    # The last one added is the outermost: headers stand on the guard's refusals too.
    app.add_middleware(Idempotency, redis=view.redis)
    app.add_middleware(BodyLimit)
    app.add_middleware(ETags, streams=(events.PATH,))
    app.add_middleware(KeyGuard, api_key=api_key, open_paths=health.PATHS)
    app.add_middleware(Headers, headers={**COMMON, "Content-Security-Policy": NOTHING_LOADS})
    return app


def with_webhooks(app: ASGIApp, view: View, intake: Intake, secret: str | None) -> ASGIApp:
    """Return ``app`` with what Mastodon's webhooks are sent to before it; without a ``secret`` that is closed."""
    return Webhooks(app, secret, view.jobs, intake)
