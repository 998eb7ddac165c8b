"""``/metrics`` for Prometheus, behind the key like all else (there: ``authorization`` with ``credentials_file``)."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response

from mastowatch.jobs.context import View
from mastowatch.jobs.scheduler import recurring_jobs

_ABOUT = "All figures in Prometheus' text format, or as OpenMetrics where `Accept` asks for that."
_EXAMPLE = """\
# HELP rq_queue_latency_seconds How long the first job of a queue has waited; 0 when none waits.
# TYPE rq_queue_latency_seconds gauge
rq_queue_latency_seconds{queue="default"} 0.25
"""


def add_metrics(app: FastAPI, view: View) -> None:
    """Add the route to ``app``; 503 while Redis is away, as for every other."""
    schedule = recurring_jobs(view.settings)

    @app.get(
        "/metrics",
        tags=["health"],
        response_class=Response,
        responses={200: {"description": _ABOUT, "content": {"text/plain": {"example": _EXAMPLE}}}},
    )
    def metrics(request: Request) -> Response:
        """Give all figures of all processes; docs/reference/metrics.md tells what each means."""
        # Here, as the library takes a twentieth of a second to import, and many a server is never asked.
        from mastowatch.jobs.exposition import render

        body, media_type = render(view, schedule, request.headers.get("Accept", ""))
        return Response(body, media_type=media_type, headers={"Cache-Control": "no-store"})
