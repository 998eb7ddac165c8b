"""One job: what it is, how it stands, every attempt, and what may be done about it."""

from __future__ import annotations

from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse

from mastowatch.jobs.control import checked_id
from mastowatch.jobs.detail import JobDetail, read_job
from mastowatch.jobs.queues import is_id
from mastowatch.web.dashboard.access import Form
from mastowatch.web.dashboard.pages.jobs import doing
from mastowatch.web.dashboard.pages.verbs import fitting, must, verb_of
from mastowatch.web.dashboard.site import Site

# In these states something will happen by itself, so the page is worth fetching again.
_CHANGING = frozenset({"created", "queued", "started", "scheduled", "deferred", "rate_limited", "ready_to_enqueue"})


def add(app: FastAPI, site: Site) -> None:
    """Add the page of a job, its actions, and the page that asks before a record goes."""
    view = site.view
    act = Depends(site.changing("act"))

    @app.get("/jobs/{job_id}", response_class=HTMLResponse)
    def job(request: Request, job_id: str) -> HTMLResponse:
        """Show one job."""
        found = read_job(view.redis, job_id, view.clock())
        recurring = any(one.id == job_id for one in site.schedule)
        return site.page(
            request,
            "job.html",
            at="/jobs",
            live=found.status in _CHANGING,
            job=found,
            bar=timeline(found),
            recurring=recurring,
            account=_account(site, found.kwargs),
            verbs=[] if recurring else fitting([found.status]),
        )

    @app.get("/jobs/{job_id}/{action}", response_class=HTMLResponse)
    def ask(request: Request, job_id: str, action: str) -> HTMLResponse:
        """Ask before it is done."""
        verb, found = verb_of(action), read_job(view.redis, job_id, view.clock())
        must(site, request, "act")
        return site.page(
            request,
            "confirm.html",
            at="/jobs",
            title=f"{verb.label} this job?",
            what=found.description or found.id,
            warning="Its record goes for good: arguments, result and tracebacks. This can't be undone."
            if verb.action == "delete"
            else "",
            danger=verb.danger,
            button=verb.label,
            action=f"/jobs/{found.id}/{verb.action}",
            fields={"sure": "yes"},
            back=f"/jobs/{found.id}",
        )

    @app.post("/jobs/{job_id}/{action}", response_class=HTMLResponse)
    def do(request: Request, job_id: str, action: str, form: Form = act) -> Response:
        """Do it; deleting asks first."""
        verb = verb_of(action)
        if verb.action == "delete" and form.get("sure") != "yes":
            return ask(request, job_id, action)
        outcome = doing(site.actions(request), verb)(checked_id(job_id))
        if verb.action == "delete":
            return site.done(request, "/jobs", f"{job_id} is deleted.")
        said = {"stopping": "It is told to stop; its state shows here in a moment."}.get(str(outcome), _SAID[action])
        return site.done(request, f"/jobs/{job_id}", said)


_SAID = {
    "cancel": "It is canceled.",
    "requeue": "It is queued again.",
    "run": "It is first on its queue.",
}


def timeline(job: JobDetail) -> tuple[float, float] | None:
    """Return how a job's time was spent, waiting and running, in percent of both; None before it was queued."""
    waited, ran = job.queued_for_s, job.duration_s
    if waited is None and ran is None:
        return None
    whole = (waited or 0) + (ran or 0)
    if not whole:
        return None
    # What is there is seen, however short it was.
    share = min(98.0, max(2.0, (waited or 0) / whole * 100)) if waited and ran else 100.0 if waited else 0.0
    return round(share, 1), round(100 - share, 1) if ran else 0.0


def _account(site: Site, kwargs: dict[str, Any]) -> str:
    """Return the account that the job is about, if there is a case of it to lead to."""
    account = kwargs.get("account_id")
    if not isinstance(account, str) or not is_id(account):
        return ""
    return account if site.view.cases.get(account) else ""
