"""How the routes of the API are described: each with a name for programs, an example, and what else it may answer.

What all of them may answer (no key, Redis away) is added where the whole document is made: ``mastowatch.web.openapi``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

JSON, PROBLEM = "application/json", "application/problem+json"
# The schema of a problem stands in the document's components.
PROBLEM_REF = {"$ref": "#/components/schemas/Problem"}
_TITLES = {
    401: "Unauthorized",
    403: "Closed",
    404: "Not found",
    409: "Wrong state",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Bad parameter",
    503: "Redis is away",
}
LOCATION = {"Location": {"description": "Where the job is shown.", "schema": {"type": "string"}}}
RETRY_HEADER = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
LINK = {"Link": {"description": 'The next page, as `<...>; rel="next"`.', "schema": {"type": "string"}}}


def told(
    summary: str,
    operation_id: str,
    example: object = None,
    *,
    status: int = 200,
    headers: Mapping[str, Any] | None = None,
    problems: Mapping[int, str] | None = None,
    more: Mapping[int, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Return what a route is made with. ``example`` is what it answers, ``problems`` are details by status.

    ``more`` are other good answers. A route without an example answers with nothing.
    """
    good: dict[str, Any] = {"description": "Done." if example is None else "As asked."}
    if example is not None:
        good["content"] = _as_json(example)
    if headers:
        good["headers"] = dict(headers)
    return {
        "summary": summary,
        "operation_id": operation_id,
        "status_code": status,
        "responses": {
            status: good,
            **(more or {}),
            **{code: refused(code, why) for code, why in (problems or {}).items()},
        },
    }


def also(
    description: str, example: object, model: type[BaseModel], *, headers: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return another answer that is no problem, of the form of ``model``."""
    return {"model": model, "description": description, "headers": dict(headers or {}), "content": _as_json(example)}


def refused(status: int, detail: str, *, title: str = "", instance: str = "/jobs/jobs/no-such-job") -> dict[str, Any]:
    """Return how a problem of this status is described, with an example."""
    name = title or _TITLES[status]
    example = {"type": "about:blank", "title": name, "status": status, "detail": detail, "instance": instance}
    return {"description": name, "content": {PROBLEM: {"schema": PROBLEM_REF, "example": example}}}


def _as_json(example: object) -> dict[str, Any]:
    # As text, until the document is made: FastAPI leaves out whatever is null in an example.
    return {JSON: {"example": json.dumps(example, ensure_ascii=False)}}


def body(schema: Mapping[str, Any], example: object, *, required: bool) -> dict[str, Any]:
    """Return ``openapi_extra`` for a route that reads its JSON by itself."""
    return {"requestBody": {"required": required, "content": {JSON: {"schema": dict(schema), "example": example}}}}
