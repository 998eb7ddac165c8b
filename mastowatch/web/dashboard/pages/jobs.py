"""The list of jobs, and what is done to several at once: the ticked ones, or all that match."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from mastowatch.jobs.actions import Actions
from mastowatch.jobs.control import is_job_id
from mastowatch.jobs.listing import LIMIT_MAX, STATUSES, all_queues, list_jobs
from mastowatch.jobs.queues import TASKS
from mastowatch.jobs.records import JobRow, read_row, read_rows
from mastowatch.jobs.refusals import BadParameter, Forbidden, Refusal
from mastowatch.web.dashboard.access import Form
from mastowatch.web.dashboard.pages.filters import FIELDS, SPANS, Asked
from mastowatch.web.dashboard.pages.verbs import Verb, fitting, many, verb_of
from mastowatch.web.dashboard.site import Site

Cursor = Annotated[str, Query(max_length=64)]


def add(app: FastAPI, site: Site) -> None:
    """Add the list, and the pages of its actions."""
    _add_list(app, site)
    _add_ticked(app, site)
    _add_matching(app, site)


def _add_list(app: FastAPI, site: Site) -> None:
    view = site.view

    @app.get("/jobs", response_class=HTMLResponse)
    def jobs(request: Request, asked: Annotated[Asked, Depends()], cursor: Cursor = "") -> Response:
        """List jobs; what is exactly a job's id leads to that job."""
        now = view.clock()
        if list(asked.given()) == ["text"] and is_job_id(asked.text) and read_row(view.redis, asked.text, now):
            return RedirectResponse(f"{site.base}/jobs/{asked.text}", status_code=303)
        if any(not value for value in request.query_params.values()):
            # A form sends its empty fields as well; an address that is passed on should be short.
            return RedirectResponse(f"{site.base}/jobs{asked.query(cursor=cursor)}", status_code=303)
        found = list_jobs(view.redis, now, asked.where(now), cursor=cursor or None)
        return site.page(
            request,
            "jobs.html",
            at="/jobs",
            found=found,
            asked=asked,
            cursor=cursor,
            queues=all_queues(view.redis),
            statuses=STATUSES,
            functions=sorted(TASKS),
            spans=SPANS,
            verbs=fitting(asked.status),
        )


def _add_ticked(app: FastAPI, site: Site) -> None:
    @app.post("/ticked/{action}", response_class=HTMLResponse)
    def ticked(
        request: Request,
        action: str,
        form: Form = Depends(site.changing("act")),
    ) -> Response:
        """Do it to the jobs that were ticked, or ask first."""
        verb, ids = verb_of(action), form.getlist("id")[:LIMIT_MAX]
        back = f"/jobs{_asked(form).query(cursor=form.get('cursor', ''))}"
        if not ids:
            return site.done(request, back, f"Nothing was ticked, so nothing was {verb.done}.")
        if verb.asks and form.get("sure") != "yes":
            return _ask_about_ticked(site, request, verb, ids, form, back)
        said = one_by_one(verb, ids, doing(site.actions(request), verb))
        return site.done(request, back, said)


def _ask_about_ticked(
    site: Site, request: Request, verb: Verb, ids: Sequence[str], form: Form, back: str
) -> HTMLResponse:
    rows = [row for row in read_rows(site.view.redis, [one for one in ids if is_job_id(one)], site.view.clock()) if row]
    carried = [*(("id", one) for one in ids), *_carried(form), ("cursor", form.get("cursor", ""))]
    return site.page(
        request,
        "confirm_bulk.html",
        at="/jobs",
        verb=verb,
        title=f"{verb.label} {many(len(rows))}?",
        what=_states(rows),
        rows=rows,
        button=f"{verb.label} {many(len(rows))}" if rows else "",
        action=f"/ticked/{verb.action}",
        fields=[(name, value) for name, value in carried if value],
        back=back,
    )


def _add_matching(app: FastAPI, site: Site) -> None:
    view = site.view

    @app.get("/matching/{action}", response_class=HTMLResponse)
    def ask(request: Request, action: str, asked: Annotated[Asked, Depends()]) -> Response:
        """Show how many jobs match, and ask whether it shall be done to all of them."""
        if not site.access.person(request).may("act"):
            raise Forbidden("your role may read only; ask an administrator for one that may act")
        verb, now = verb_of(action), view.clock()
        fixed = asked.fixed(now)
        found = site.actions(request).bulk(verb.action, fixed.where(now), dry_run=True)
        counted = f"at least {many(found.matched)}" if found.left else many(found.matched)
        return site.page(
            request,
            "confirm_bulk.html",
            at="/jobs",
            verb=verb,
            title=f"{verb.label} {counted}?",
            what=f"All {fixed.words()}.",
            rows=(),
            scanned=found.scanned,
            left=found.left,
            button=f"{verb.label} {counted}" if found.matched or found.left else "",
            action=f"/matching/{verb.action}",
            fields=list(fixed.given().items()),
            back=f"/jobs{asked.query()}",
        )

    @app.post("/matching/{action}", response_class=HTMLResponse)
    def do(request: Request, action: str, form: Form = Depends(site.changing("act"))) -> Response:
        """Do it to all that match, as many as one request can; where some are left, offer to go on."""
        verb, asked = verb_of(action), _asked(form)
        done = site.actions(request).bulk(verb.action, asked.where(view.clock()), dry_run=False)
        said = f"{many(done.done).capitalize()} {verb.done}."
        if done.skipped:
            said += f" {many(done.skipped).capitalize()} left as they were: their state had changed."
        if done.left:
            return site.done(request, f"/matching/{verb.action}{asked.query()}", f"{said} There are more: go on here.")
        return site.done(request, f"/jobs{asked.query()}", said)


def doing(actions: Actions, verb: Verb) -> Callable[[str], object]:
    """Return what does it to one job."""
    return {
        "cancel": actions.cancel,
        "requeue": actions.requeue,
        "delete": actions.delete,
        "run": actions.run_now,
    }[verb.action]


def one_by_one(verb: Verb, ids: Sequence[str], do: Callable[[str], object]) -> str:
    """Do it to each job and tell what came of it: what may not be done to one is no reason to leave the others."""
    refused: list[str] = []
    for job_id in ids:
        try:
            do(job_id)
        except Refusal as refusal:
            refused.append(str(refusal))
    said = f"{many(len(ids) - len(refused)).capitalize()} {verb.done}."
    if refused:
        more = f" And {many(len(refused) - 1)} more." if len(refused) > 1 else ""
        said += f" {many(len(refused)).capitalize()} left: {refused[0]}.{more}"
    return said


def _asked(form: Form) -> Asked:
    """Return the conditions that a form carries along; raises BadParameter for one too long to be ours."""
    given = dict(_carried(form))
    if any(len(value) > 300 for value in given.values()):
        raise BadParameter("a condition is longer than 300 characters")
    return Asked(**given)


def _carried(form: Form) -> list[tuple[str, str]]:
    return [(name, form[name]) for name in FIELDS if form.get(name)]


def _states(rows: Sequence[JobRow]) -> str:
    counted: dict[str, int] = {}
    for row in rows:
        counted[row.status] = counted.get(row.status, 0) + 1
    return ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in counted.items()) + "."
