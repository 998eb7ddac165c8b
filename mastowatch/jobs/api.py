"""The routes under /jobs: one router a subject, so that each says in one place what it takes and what it answers.

Refusals come out as exceptions of ``mastowatch.jobs.refusals``; ``mastowatch.web.problems`` gives them a body. No GET
writes anything. Whatever changes something does it through ``mastowatch.jobs.actions``.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter

from mastowatch.jobs import jobs_api, queues_api, recurring_api, trigger_api, workers_api
from mastowatch.jobs.actions import Actions
from mastowatch.jobs.context import View
from mastowatch.reliable.scheduler import Recurring

# Who did it, in the audit: whoever has the key or may use the socket.
BY = "the API"


def router(view: View, schedule: Sequence[Recurring]) -> APIRouter:
    """Return the routes under /jobs; the caller keeps strangers out and answers Refusals."""
    actions = Actions(view, BY)
    routes = APIRouter(prefix="/jobs")
    routes.include_router(queues_api.router(view, actions))
    routes.include_router(jobs_api.router(view, actions))
    routes.include_router(trigger_api.router(actions))
    routes.include_router(recurring_api.router(view, actions, schedule))
    routes.include_router(workers_api.router(view, actions))
    return routes
