"""The dashboard's pages and what surrounds them: headers, hosts, errors."""

from __future__ import annotations

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException

from mastowatch.errors import StoreUnavailable
from mastowatch.jobs.context import View
from mastowatch.jobs.refusals import Refusal
from mastowatch.jobs.scheduler import recurring_jobs
from mastowatch.logs import event
from mastowatch.web import health
from mastowatch.web.dashboard.rendering import STATIC, Pages
from mastowatch.web.dashboard.routes import add_pages
from mastowatch.web.headers import COMMON, Headers
from mastowatch.web.hosts import HostGuard

log = logging.getLogger(__name__)

_CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


def create_dashboard(view: View) -> FastAPI:
    """Return the app. It has no sign-in: bind it to loopback, or put a proxy with one in front."""
    app = FastAPI(title="MastoWatch dashboard", docs_url=None, redoc_url=None, openapi_url=None)
    pages = Pages(view)
    add_pages(app, view, recurring_jobs(view.settings), pages)
    _add_errors(app, pages)

    @app.get("/healthz")
    def healthz(response: Response) -> health.Health:
        """Tell how MastoWatch is."""
        return health.answer(view, response)

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(HostGuard, names=(view.settings.dashboard_bind.host,))
    app.add_middleware(Headers, headers={**COMMON, "Content-Security-Policy": _CSP})
    return app


def _add_errors(app: FastAPI, pages: Pages) -> None:
    async def redis_away(request: Request, error: Exception) -> Response:
        event(log, logging.WARNING, "redis_unavailable", path=request.url.path, error=type(error).__name__)
        return pages.problem(503, "Redis is away", "Nothing can be shown until it answers. See why:",
                             "systemctl status redis-server")  # fmt: skip

    async def refusal(request: Request, error: Exception) -> Response:
        del request
        assert isinstance(error, Refusal)  # noqa: S101 -- Starlette's handlers are typed for any exception
        return pages.problem(error.status, error.title, str(error))

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 -- as above
        return pages.problem(error.status_code, HTTPStatus(error.status_code).phrase, f"{request.url.path}")

    async def invalid(request: Request, error: Exception) -> Response:
        del request
        assert isinstance(error, RequestValidationError)  # noqa: S101 -- as above
        first = error.errors()[0]
        return pages.problem(422, "Bad parameter", f"{first['loc'][-1]}: {first['msg']}")

    async def unforeseen(request: Request, error: Exception) -> Response:
        del request, error  # Starlette raises it once more for the journal
        return pages.problem(500, "Internal error", "Its traceback is in the journal:",
                             "journalctl -u mastowatch-dashboard")  # fmt: skip

    app.add_exception_handler(RedisError, redis_away)
    app.add_exception_handler(StoreUnavailable, redis_away)
    app.add_exception_handler(Refusal, refusal)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, unforeseen)
