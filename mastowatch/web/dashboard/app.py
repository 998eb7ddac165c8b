"""The dashboard's pages and what surrounds them: headers, hosts, errors."""

from __future__ import annotations

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
from mastowatch.web import health
from mastowatch.web.dashboard import live_routes
from mastowatch.web.dashboard.access import Access
from mastowatch.web.dashboard.pages import (
    audit,
    cases,
    failures,
    job,
    jobs,
    overview,
    queues,
    recurring,
    rules,
    switches,
    workers,
)
from mastowatch.web.dashboard.rendering import STATIC, Pages
from mastowatch.web.dashboard.site import Site
from mastowatch.web.headers import COMMON, Headers
from mastowatch.web.hosts import HostGuard
from mastowatch.web.problems import note_trouble

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    # "no-referrer" would have browsers say "null" for where our own forms come from.
    "Referrer-Policy": "same-origin",
    # For browsers that don't know frame-ancestors.
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_PAGES = (overview, jobs, failures, job, recurring, workers, queues, cases, rules, audit, switches)


def create_dashboard(view: View, access: Access | None = None) -> FastAPI:
    """Return the app. Without a sign-in in ``access`` everybody who reaches it reads, and nobody changes anything."""
    app = FastAPI(title="MastoWatch dashboard", docs_url=None, redoc_url=None, openapi_url=None,
                  redirect_slashes=False)  # fmt: skip
    access = access or Access.without_sign_in(view)
    site = Site(view, recurring_jobs(view.settings), Pages(view, access.base), access, access.base)
    for one in _PAGES:
        one.add(app, site)
    live_routes.add(app, site)
    site.access.add(app, site.pages)
    _add_errors(app, site)

    @app.get("/healthz")
    def healthz(response: Response) -> health.Health:
        """Tell how MastoWatch is."""
        return health.answer(view, response)

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(HostGuard, names=(view.settings.dashboard_bind.host, access.address.host))
    app.add_middleware(Headers, headers={**COMMON, **HEADERS})
    return app


def _add_errors(app: FastAPI, site: Site) -> None:
    async def redis_away(request: Request, error: Exception) -> Response:
        found = note_trouble(request.url.path, error)
        return site.problem(request, 503, found.title, f"{found.says}. See more:", found.mend)

    async def refusal(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)  # noqa: S101 -- Starlette's handlers are typed for any exception
        return site.problem(request, error.status, error.title, str(error))

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 -- as above
        return site.problem(request, error.status_code, HTTPStatus(error.status_code).phrase, f"{request.url.path}")

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 -- as above
        first = error.errors()[0]
        return site.problem(request, 422, "Bad parameter", f"{first['loc'][-1]}: {first['msg']}")

    async def unforeseen(request: Request, error: Exception) -> Response:
        del error  # Starlette raises it once more for the journal
        return site.problem(request, 500, "Internal error", "Its traceback is in the journal:",
                            "journalctl -u mastowatch-dashboard")  # fmt: skip

    app.add_exception_handler(RedisError, redis_away)
    app.add_exception_handler(StoreUnavailable, redis_away)
    app.add_exception_handler(Refusal, refusal)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, unforeseen)
