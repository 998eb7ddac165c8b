"""Errors as RFC 9457 problems: type, title, status, detail, instance. No traceback ever leaves the process."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException

from mastowatch.errors import StoreUnavailable
from mastowatch.jobs.refusals import Refusal
from mastowatch.logs import event
from mastowatch.redis_trouble import Trouble, trouble

log = logging.getLogger(__name__)
RETRY_AFTER_S = 5
_NO_MEMBERS: Mapping[str, object] = {}


class Problem(JSONResponse):
    """A problem's response."""

    media_type = "application/problem+json"


def problem(
    path: str,
    status: int,
    title: str,
    detail: str,
    headers: dict[str, str] | None = None,
    members: Mapping[str, object] = _NO_MEMBERS,
) -> Problem:
    """Return the response; ``path`` is the one asked for, ``members`` are what its body says beside."""
    # What was asked for may hold what no answer can: a lone surrogate.
    detail = detail.encode("utf-8", "replace").decode()
    body = {**members, "type": "about:blank", "title": title, "status": status, "detail": detail, "instance": path}
    return Problem(body, status_code=status, headers=headers)


def install(app: FastAPI) -> None:
    """Answer every error of ``app`` with a problem."""
    app.add_exception_handler(Refusal, _refusal)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RedisError, _redis_away)
    app.add_exception_handler(StoreUnavailable, _redis_away)
    app.add_exception_handler(Exception, _unforeseen)


async def _refusal(request: Request, error: Exception) -> Problem:
    assert isinstance(error, Refusal)  # noqa: S101 -- Starlette's handlers are typed for any exception
    return problem(request.url.path, error.status, error.title, str(error), members=error.members)


async def _invalid(request: Request, error: Exception) -> Problem:
    assert isinstance(error, RequestValidationError)  # noqa: S101 -- as above
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("query", "path", "body"))
    return problem(request.url.path, 422, "Bad parameter", f"{where or 'body'}: {first['msg']}")


async def _http(request: Request, error: Exception) -> Problem:
    assert isinstance(error, HTTPException)  # noqa: S101 -- as above
    if error.status_code == 400:  # FastAPI's word for a body whose bytes are no text
        return problem(request.url.path, 422, "Bad parameter", "body: is no JSON")
    headers = dict(error.headers) if error.headers else None
    detail = str(error.detail)
    if error.status_code == 405:
        allowed = ", ".join(_methods(request))
        headers, detail = {"Allow": allowed}, f"{request.method} is not answered here; allowed: {allowed}"
    return problem(request.url.path, error.status_code, HTTPStatus(error.status_code).phrase, detail, headers)


def _methods(request: Request) -> list[str]:
    """Return the methods of the path over all its routes: each of them knows its own only."""
    paths = request.app.openapi()["paths"]
    found = {name.upper() for path, item in paths.items() if _fits(path, request.url.path) for name in item}
    return sorted(found | ({"HEAD"} if "GET" in found else set())) or ["GET"]


def _fits(template: str, path: str) -> bool:
    parts, given = template.split("/"), path.split("/")
    return len(parts) == len(given) and all(
        one.startswith("{") or one == other for one, other in zip(parts, given, strict=True)
    )


async def _redis_away(request: Request, error: Exception) -> Problem:
    return redis_away(request.url.path, error)


def redis_away(path: str, error: Exception) -> Problem:
    """Return the answer while Redis does not give one, or not the one that is needed."""
    found = note_trouble(path, error)
    return problem(path, 503, found.title, f"{found.says} (see: {found.mend})", {"Retry-After": str(RETRY_AFTER_S)})


def note_trouble(path: str, error: Exception) -> Trouble:
    """Return what is wrong with Redis, and have the journal tell which path was not answered for it."""
    found = trouble(error)
    event(log, logging.WARNING, "redis_unavailable", path=path, error=type(error).__name__, state=found.word)
    return found


async def _unforeseen(request: Request, error: Exception) -> Problem:
    del error  # Starlette raises it once more for the journal
    return problem(request.url.path, 500, "Internal error", "see MastoWatch's journal for the traceback")
