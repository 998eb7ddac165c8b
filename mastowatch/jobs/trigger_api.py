"""Triggers tasks: a route for each of the explicit list, so that its description says which arguments it takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from mastowatch.jobs.actions import Actions
from mastowatch.jobs.described import LOCATION, body, told
from mastowatch.jobs.jobs_api import Done, accepted
from mastowatch.jobs.queues import IDS_MAX, TASKS, TaskSpec
from mastowatch.jobs.refusals import BadParameter

_ID: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "pattern": "^(0|[1-9][0-9]{0,19})$"},
        {"type": "integer", "minimum": 0, "maximum": 10**20 - 1},
    ],
    "description": "A Mastodon id.",
}


async def _arguments(request: Request) -> dict[str, Any]:
    raw = await request.body()
    if not raw:
        return {}
    try:
        found = json.loads(raw, parse_float=_number, parse_constant=_no_number)
    except ValueError as error:
        raise BadParameter("body: is no JSON; give the arguments as an object") from error
    except RecursionError as error:
        raise BadParameter("body: is nested too deeply") from error
    if not isinstance(found, dict):
        raise BadParameter("body: must be an object with the arguments by name")
    return found


def _number(digits: str) -> float | int:
    # In JSON, 5.0 is the same number as 5.
    value = float(digits)
    return int(value) if value.is_integer() else value


def _no_number(word: str) -> None:
    raise ValueError(word)


Arguments = Annotated[dict[str, Any], Depends(_arguments)]


def router(actions: Actions) -> APIRouter:
    """Return the routes under /trigger."""
    routes = APIRouter(prefix="/trigger", tags=["trigger"])
    for spec in TASKS.values():
        _add(routes, spec, _handler(actions, spec.name))

    @routes.post("/{task_name}", include_in_schema=False)
    def unknown(task_name: str) -> None:
        """Name the tasks there are."""
        actions.trigger(task_name)

    return routes


def _handler(actions: Actions, task: str) -> Callable[[Response, dict[str, Any]], Done]:
    def trigger(response: Response, arguments: Arguments) -> Done:
        return accepted(response, actions.trigger(task, arguments))

    return trigger


def _add(routes: APIRouter, spec: TaskSpec, handler: Callable[..., Done]) -> None:
    example = {name: ["109302"] if name.endswith("_ids") else "109302" for name in spec.arguments}
    about = f"{spec.about} 409: the same work waits, is delayed, or runs already. Takes `Idempotency-Key`."
    job_id = spec.job_id(spec.check(example)) if spec.arguments else f"{spec.name}-now"
    routes.add_api_route(
        f"/{spec.name}",
        handler,
        methods=["POST"],
        description=about,
        openapi_extra=body(_schema(spec), example, required=bool(spec.arguments)),
        **told(
            f"Trigger {spec.name}",
            f"trigger_{spec.name}",
            {"id": job_id, "status": "queued"},
            status=202,
            headers=LOCATION,
            problems={
                404: "there is no task 'polls'; there are: analyze_and_maybe_report, ...",
                409: f"{spec.name} with these arguments waits, is delayed, or runs already",
            },
        ),
    )


def _schema(spec: TaskSpec) -> Mapping[str, Any]:
    many = {"type": "array", "items": _ID, "minItems": 1, "maxItems": IDS_MAX}
    return {
        "type": "object",
        "properties": {name: many if name.endswith("_ids") else _ID for name in spec.arguments},
        "required": list(spec.arguments),
        "additionalProperties": False,
    }
