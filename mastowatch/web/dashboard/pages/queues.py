"""The queues: how each stands, pausing one, and clearing away what has failed on it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse

from mastowatch.jobs.listing import all_queues
from mastowatch.jobs.queue_control import paused_queues
from mastowatch.jobs.refusals import BadParameter
from mastowatch.reliable.facts import queue_facts
from mastowatch.web.dashboard.access import Form
from mastowatch.web.dashboard.pages.verbs import many, must
from mastowatch.web.dashboard.site import Site

_COLUMNS = (
    ("Queue", ""),
    ("Waiting", "num"),
    ("Oldest", "num"),
    ("Running", "num mid"),
    ("Delayed", "num wide"),
    ("Failed", "num"),
    ("Finished", "num wide"),
    ("Workers", "num wide"),
)


def add(app: FastAPI, site: Site) -> None:
    """Add the page and its actions."""
    view = site.view
    switch = Depends(site.changing("switch"))

    @app.get("/queues", response_class=HTMLResponse)
    def queues(request: Request) -> HTMLResponse:
        """Show the queues."""
        facts = queue_facts(view.redis, all_queues(view.redis), view.clock())
        columns = [*_COLUMNS, *([("Actions", "actions")] if site.access.may(request, "switch") else [])]
        told: dict[str, Any] = {"queues": facts, "paused": paused_queues(view.redis), "columns": columns}
        return site.page(request, "queues.html", at="/queues", live=True, **told)

    @app.post("/queues/pause", response_class=HTMLResponse)
    def pause(request: Request, form: Form = switch) -> Response:
        """Let its jobs wait."""
        queue = form.get("queue", "")
        site.actions(request).pause_queue(queue)
        return site.done(request, "/queues", f"The queue {queue} is paused: its jobs wait until it is resumed.")

    @app.post("/queues/resume", response_class=HTMLResponse)
    def resume(request: Request, form: Form = switch) -> Response:
        """Let its jobs run again."""
        queue = form.get("queue", "")
        site.actions(request).resume_queue(queue)
        return site.done(request, "/queues", f"The queue {queue} is resumed.")

    @app.get("/queues/empty-failed", response_class=HTMLResponse)
    def ask(request: Request, queue: str = "") -> HTMLResponse:
        """Ask before the failed jobs of a queue, or of all, are deleted; tell how many there are."""
        must(site, request, "switch")
        _check(site, queue)
        found = site.actions(request).empty_failed(queue or None, dry_run=True)
        counted = many(found.matched, "failed job")
        return site.page(
            request,
            "confirm.html",
            at="/queues",
            title=f"Delete {counted}?",
            what=f"On the queue {queue}." if queue else "On all queues.",
            warning="Their records go for good: arguments and tracebacks. This can't be undone.",
            danger=True,
            button=f"Delete {counted}" if found.matched else "",
            action="/queues/empty-failed",
            fields={"queue": queue},
            back="/queues",
        )

    @app.post("/queues/empty-failed", response_class=HTMLResponse)
    def empty(request: Request, form: Form = switch) -> Response:
        """Delete the failed jobs of a queue, or of all."""
        queue = form.get("queue", "")
        _check(site, queue)
        done = site.actions(request).empty_failed(queue or None)
        said = f"{many(done.done, 'failed job').capitalize()} deleted."
        if done.left:
            path = f"/queues/empty-failed?{urlencode({'queue': queue})}"
            return site.done(request, path, f"{said} There are more: go on here.")
        return site.done(request, "/queues", said)


def _check(site: Site, queue: str) -> None:
    known = all_queues(site.view.redis)
    if queue and queue not in known:
        raise BadParameter(f"queue: {queue!r} is not a queue; allowed: {', '.join(known)}")
