"""The description of the API: what FastAPI finds out by itself, and what holds for every operation.

That is: who may, what is answered without a key or without Redis, ETags for all that is read, `Idempotency-Key` for all
that changes something, and the webhook, which stands before FastAPI.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict, Field

from mastowatch.jobs.described import JSON, RETRY_HEADER, refused
from mastowatch.web import idempotency, webhooks

_TAGS = {
    "queues": "How the queues stand; pause, resume, empty what failed.",
    "jobs": "Lists and searches, failures by error, one job, and what can be done to one or to many.",
    "trigger": "Tasks that may be queued by name, each with its arguments.",
    "recurring": "Jobs that come again by themselves.",
    "workers": "Who works.",
    "cases": "Verdicts with their reasons, and what became of them.",
    "rules": "Rules, what each has done, and those that were dropped.",
    "switches": "All that holds work back.",
    "audit": "What was decided, and what people did.",
    "health": "For load balancers and uptime checks; needs no key.",
    "webhooks": "What Mastodon tells of by itself.",
    "metrics": "Figures for Prometheus.",
}
_CHANGES = ("post", "put", "delete")
_IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": idempotency.HEADER,
    "in": "header",
    "required": False,
    "description": "Any text of your own, like a UUID. For a day a second request with it, its query and body the "
    "same, does nothing and gets the first one's answer; with another query or body it gets 422.",
    "schema": {"type": "string", "pattern": idempotency.FORM},
    "example": "4b0a3d1e-5a0f-4a55-9d6e-0f6c4fd1f1a2",
}
_IF_NONE_MATCH: dict[str, Any] = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of the answer before; 304 while it still holds.",
    "schema": {"type": "string"},
    "example": 'W/"0f6c4fd1f1a24b0a3d1e5a0f"',
}
_ETAG = {"ETag": {"description": "Changes with the answer; weak.", "schema": {"type": "string"}}}
_COMMON: Mapping[str, tuple[int, str]] = {
    "NoKey": (401, "give the API key as `Authorization: Bearer KEY` or `X-API-Key: KEY`"),
    "Closed": (403, "no API key is set up, so TCP is closed"),
    "TooLarge": (413, "the body is larger than 65536 bytes"),
    "NotJson": (415, "the body is not said to be JSON; send `Content-Type: application/json`"),
    "BadParameter": (422, "limit: Input should be less than or equal to 200"),
    "KeyInUse": (409, "Idempotency-Key: a request with this key is under way; ask again in a second"),
    "RedisAway": (503, "Redis does not answer; nothing can be read or queued until it does"),
}
_FOR_ALL = ("NoKey", "Closed", "RedisAway")
_FOR_CHANGES = (*_FOR_ALL, "KeyInUse", "BadParameter", "TooLarge", "NotJson")


class Problem(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str = Field(description="What is wrong, and what to do.")
    instance: str = Field(description="The path that was asked for.")


def install(app: FastAPI, open_paths: Collection[str]) -> None:
    """Have ``app`` describe itself so; ``open_paths`` need no key."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, open_paths)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def _document(app: FastAPI, open_paths: Collection[str]) -> dict[str, Any]:
    found = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        tags=[{"name": name, "description": about} for name, about in _TAGS.items()],
    )
    components = found.setdefault("components", {})
    for name in ("HTTPValidationError", "ValidationError"):
        components.get("schemas", {}).pop(name, None)
    components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
    components["responses"] = {name: _response(status, detail) for name, (status, detail) in _COMMON.items()}
    components["securitySchemes"] = _SCHEMES
    found["security"] = [{"bearer": []}, {"key": []}]
    for path, item in found["paths"].items():
        for method, operation in item.items():
            _complete(operation, method, needs_key=path not in open_paths)
    found["paths"][webhooks.PATH] = {"post": _webhook()}
    return found


_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The API key. The unix socket asks for none."},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key."},
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Hub-Signature",
        "description": "`sha256=` and the HMAC-SHA256 of the body in hex, made with the secret of Mastodon's webhook.",
    },
}


def _response(status: int, detail: str) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if status == 401:
        headers = {"WWW-Authenticate": {"description": "`Bearer`.", "schema": {"type": "string"}}}
    if status == 503:
        headers = RETRY_HEADER
    return {**refused(status, detail, instance="/jobs/jobs"), "headers": headers}


def _complete(operation: dict[str, Any], method: str, *, needs_key: bool) -> None:
    answers = operation["responses"]
    for answer in answers.values():
        content = answer.get("content", {}).get(JSON, {})
        if isinstance(content.get("example"), str):
            content["example"] = json.loads(content["example"])
    if "422" in answers:
        answers["422"] = _shared("BadParameter")
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _without_null(parameter["schema"])
    if not needs_key:
        operation["security"] = []
    else:
        for name in _FOR_CHANGES if method in _CHANGES else _FOR_ALL:
            answers.setdefault(str(_COMMON[name][0]), _shared(name))
    if method in _CHANGES:
        operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
    elif JSON in answers["200"].get("content", {}):
        operation.setdefault("parameters", []).append(_IF_NONE_MATCH)
        answers["200"]["headers"] = {**answers["200"].get("headers", {}), **_ETAG}
        answers["304"] = {"description": "As it was.", "headers": _ETAG}
    operation["responses"] = dict(sorted(answers.items()))


def _shared(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/responses/{name}"}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter that may be left out: null can't be said in a query."""
    kinds = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(kinds) != 1:
        return {**schema, "anyOf": kinds} if kinds else schema
    return {**kinds[0], **{name: value for name, value in schema.items() if name != "anyOf"}}


def _webhook() -> dict[str, Any]:
    refusals = {
        "401": refused(401, "the signature does not fit the body", instance=webhooks.PATH),
        "403": refused(403, "no webhook secret is set up", instance=webhooks.PATH),
        "413": refused(413, f"the body is larger than {webhooks.LIMIT} bytes", instance=webhooks.PATH),
        "422": refused(422, "the body is no JSON in UTF-8", title="Not understood", instance=webhooks.PATH),
        "503": {**refused(503, "the same work runs already, twice", instance=webhooks.PATH), "headers": RETRY_HEADER},
    }
    taken = {
        "type": "object",
        "properties": {"outcome": {"type": "string", "enum": list(webhooks.OUTCOMES)}},
        "required": ["outcome"],
    }
    told = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in ("event", "created_at")} | {"object": {"type": "object"}},
    }
    example = {"event": "account.created", "created_at": "2026-03-01T12:00:00Z", "object": {"id": "109302"}}
    return {
        "tags": ["webhooks"],
        "summary": "Take what Mastodon's webhooks send",
        "description": "Queues the work once while it waits. Mastodon sends again what is not answered with 2xx.",
        "operationId": "webhook",
        "security": [{"signature": []}],
        "requestBody": {"required": True, "content": {JSON: {"schema": told, "example": example}}},
        "responses": {
            "202": {
                "description": "Taken in.",
                "content": {JSON: {"schema": taken, "example": {"outcome": "queued"}}},
            },
            **refusals,
        },
    }
