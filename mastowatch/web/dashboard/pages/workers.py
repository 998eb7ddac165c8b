"""The workers: what each does right now, against which limit, and whether all work by the same rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse

from mastowatch.jobs.refusals import Unknown
from mastowatch.jobs.runs import read_runs
from mastowatch.jobs.workforce import WorkerRow, read_workers, unit_of
from mastowatch.web.dashboard.access import Form
from mastowatch.web.dashboard.pages.verbs import must
from mastowatch.web.dashboard.site import Site

_COLUMNS = (
    ("Worker", ""),
    ("State", ""),
    ("Current job", ""),
    ("Heartbeat", "mid"),
    ("Queues", "roomy"),
    ("Finished", "num mid"),
    ("Failed", "num mid"),
    ("Rules", "roomy"),
    ("Up since", "roomy"),
)


def add(app: FastAPI, site: Site) -> None:
    """Add the page, and the way to stop one."""
    view = site.view
    act = Depends(site.changing("act"))

    @app.get("/workers", response_class=HTMLResponse)
    def workers(request: Request) -> HTMLResponse:
        """Show the workers."""
        found = read_workers(view.redis)
        busy = [worker.current_job_id for worker in found if worker.current_job_id]
        told: dict[str, Any] = {
            "workers": found,
            "at_odds": at_odds(found),
            "runs": read_runs(view.redis, busy, view.clock()),
            "columns": [*_COLUMNS, *([("Actions", "actions")] if site.access.may(request, "act") else [])],
        }
        return site.page(request, "workers.html", at="/workers", live=True, **told)

    # The name may hold anything but a slash; it stands in the query, so that a strange one leads nowhere else.
    @app.get("/workers/stop", response_class=HTMLResponse)
    def ask(request: Request, name: str) -> HTMLResponse:
        """Ask before a worker is stopped: it stays so."""
        must(site, request, "act")
        worker = _worker(site, name)
        return site.page(
            request,
            "confirm.html",
            at="/workers",
            title="Stop this worker?",
            what=worker.name,
            warning="It finishes the job at hand and takes no other. Its unit stays stopped until somebody starts it:",
            command=f"systemctl start {unit_of(worker.name)}",
            danger=True,
            button="Stop",
            action="/workers/stop",
            fields={"name": worker.name},
            back="/workers",
        )

    @app.post("/workers/stop", response_class=HTMLResponse)
    def stop(request: Request, form: Form = act) -> Response:
        """Stop a worker."""
        name = form.get("name", "")
        site.actions(request).stop_worker(name)
        return site.done(request, "/workers", f"{name} stops as soon as its job at hand has ended.")


def at_odds(workers: Sequence[WorkerRow]) -> frozenset[str]:
    """Return the digests of rules that most workers have not; all of them where none is in force with most."""
    counted = Counter(worker.rules for worker in workers if worker.rules).most_common()
    if len(counted) < 2:
        return frozenset()
    clear = counted[0][1] > counted[1][1]
    return frozenset(digest for digest, _ in counted[1 if clear else 0 :])


def _worker(site: Site, name: str) -> WorkerRow:
    for worker in read_workers(site.view.redis):
        if worker.name == name:
            return worker
    raise Unknown("there is no such worker; one that died drops out of the list within 9 seconds")
