"""The list of jobs, and what is done to several at once: the ticked ones, or all that match."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from mastowatch.jobs.actions import Actions
from mastowatch.jobs.control import checked_id
from mastowatch.jobs.listing import CURSOR_MAX, LIMIT_MAX, STATUSES, JobPage, all_queues, list_jobs
from mastowatch.jobs.queues import TASKS
from mastowatch.jobs.records import JobRow, read_row, read_rows
from mastowatch.jobs.refusals import BadParameter, Refusal, Unknown
from mastowatch.web.dashboard.access import Form
from mastowatch.web.dashboard.pages.filters import FIELDS, LENGTH_MAX, SPANS, Asked
from mastowatch.web.dashboard.pages.verbs import Verb, fitting, many, must, verb_of
from mastowatch.web.dashboard.shown import number, status_word, visible
from mastowatch.web.dashboard.site import Site

_SHORTCUTS = (
    ("", "All"),
    ("started", "Running"),
    ("queued", "Waiting"),
    ("scheduled", "Delayed"),
    ("failed", "Failed"),
    ("finished", "Finished"),
)
_COLUMNS = (
    ("Job", ""),
    ("Status", ""),
    ("Queue", "roomy"),
    ("Queued", ""),
    ("Waited", "num roomy"),
    ("Took", "num mid"),
    ("Ended", "wide"),
)
Cursor = Annotated[str, Query(max_length=CURSOR_MAX)]


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
        if list(asked.given()) == ["text"] and _is_id(asked.text) and read_row(view.redis, asked.text, now):
            return RedirectResponse(f"{site.base}/jobs/{asked.text}", status_code=303)
        if any(not value for value in request.query_params.values()):
            # A form sends its empty fields as well; an address that is passed on should be short.
            return RedirectResponse(f"{site.base}/jobs{asked.query(cursor=cursor)}", status_code=303)
        found = list_jobs(view.redis, now, asked.where(now), cursor=cursor or None)
        told = _told(site, asked, acts=site.access.may(request, "act"))
        # Further pages stand still: what is on them moves with each job that comes or goes.
        return site.page(request, "jobs.html", at="/jobs", live=not cursor, found=found, cursor=cursor, **told,
                         caption=caption(found, searched=asked.where(now).searches, first=not cursor))  # fmt: skip


def caption(found: JobPage, *, searched: bool, first: bool) -> str:
    """Return how many jobs are on the page, and of how many: those that were searched, or those there are."""
    said = many(found.count)
    if searched:
        said += f" found, {number(found.scanned)} looked through"
        return said if first and not found.next_cursor else f"{said} for this page, of {number(found.total)}"
    if first and not found.next_cursor:
        return said
    # A recurring job is counted where it waits or ran, and once more where its next run is planned.
    return f"{said} on this page, of {'' if found.exact else 'about '}{number(found.total)}"


def _told(site: Site, asked: Asked, *, acts: bool) -> dict[str, Any]:
    """Return what the page of the list says beside the jobs."""
    verbs = fitting(asked.where(site.view.clock()).statuses)
    shortcuts = [
        (name, f"{site.base}/jobs{asked.query(status=status)}", asked.status == status) for status, name in _SHORTCUTS
    ]
    return {
        "asked": asked,
        "marks": asked.marks(),
        "carried": asked.given(),
        "shortcuts": shortcuts,
        "queues": [("", "Any"), *((name, visible(name)) for name in all_queues(site.view.redis))],
        "statuses": [("", "Any"), *((name, status_word(name)) for name in STATUSES)],
        "spans": [("", "Any time"), *((value, words) for value, _, words in SPANS)],
        "functions": sorted(TASKS),
        "verbs": verbs,
        "columns": [*([("Tick", "tick")] if acts and verbs else []), *_COLUMNS],
    }


def _add_ticked(app: FastAPI, site: Site) -> None:
    act = Depends(site.changing("act"))

    @app.post("/ticked/{action}", response_class=HTMLResponse)
    def ticked(
        request: Request,
        action: str,
        form: Form = act,
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
    found = read_rows(site.view.redis, [one for one in ids if _is_id(one)], site.view.clock())
    rows = [row for row in found if row]
    label = f"{verb.label} {many(len(rows))}"
    return site.page(
        request,
        "confirm_bulk.html",
        at="/jobs",
        verb=verb,
        title=f"{label}?",
        what=_states(rows),
        rows=rows,
        left=False,
        button=label if rows else "",
        action=f"/ticked/{verb.action}",
        fields={**_asked(form).given(), "cursor": form.get("cursor", ""), "id": list(ids), "sure": "yes"},
        back=back,
    )


def _add_matching(app: FastAPI, site: Site) -> None:
    view = site.view
    act = Depends(site.changing("act"))

    @app.get("/matching/{action}", response_class=HTMLResponse)
    def ask(request: Request, action: str, asked: Annotated[Asked, Depends()], cursor: Cursor = "") -> Response:
        """Show how many jobs match, and ask whether it shall be done to all of them."""
        must(site, request, "act")
        verb, now = verb_of(action), view.clock()
        fixed = asked.fixed(now)
        found = site.actions(request).bulk(verb.action, fixed.where(now), dry_run=True, cursor=cursor or None)
        # Without a status, some of what matches may be in a state in which this can't be done.
        roughly = "at least " if found.left else "" if asked.status else "up to "
        label = f"{verb.label} {roughly if found.matched else ''}{many(found.matched)}"
        return site.page(
            request,
            "confirm_bulk.html",
            at="/jobs",
            verb=verb,
            title=f"{label}?",
            what=f"All {fixed.words()}.",
            rows=(),
            scanned=found.scanned,
            left=found.left,
            button=label if found.matched or found.left else "",
            action=f"/matching/{verb.action}",
            fields={**fixed.given(), **({"cursor": cursor} if cursor else {})},
            back=f"/jobs{asked.query()}",
        )

    @app.post("/matching/{action}", response_class=HTMLResponse)
    def do(request: Request, action: str, form: Form = act) -> Response:
        """Do it to all that match, as many as one request can; where some are left, offer to go on."""
        verb, asked = verb_of(action), _asked(form)
        cursor = form.get("cursor") or None
        done = site.actions(request).bulk(verb.action, asked.where(view.clock()), dry_run=False, cursor=cursor)
        said = f"{many(done.done).capitalize()} {verb.done}."
        if done.skipped:
            said += f" {many(done.skipped).capitalize()} left as they were: their state does not allow it."
        if done.left:
            path = f"/matching/{verb.action}{asked.query(cursor=done.next_cursor or '')}"
            return site.done(request, path, f"{said} There are more: go on here.")
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
        said += f" {many(len(refused)).capitalize()} left as it was" if len(refused) == 1 else ""
        said += f" {many(len(refused)).capitalize()} left as they were; the first" if len(refused) > 1 else ""
        said += f": {refused[0]}."
    return said


def _asked(form: Form) -> Asked:
    """Return the conditions that a form carries along; raises BadParameter for one too long to be ours."""
    given = {name: form[name] for name in FIELDS if form.get(name)}
    if any(len(value) > LENGTH_MAX for value in given.values()):
        raise BadParameter(f"a condition is longer than {LENGTH_MAX} characters")
    return Asked(**given)


def _is_id(text: str) -> bool:
    """Tell whether this may be a job's id; nothing else may become part of a key."""
    try:
        return bool(checked_id(text))
    except Unknown:
        return False


def _states(rows: Sequence[JobRow]) -> str:
    counted = Counter(row.status for row in rows)
    return ", ".join(f"{count} {status_word(name)}" for name, count in counted.most_common()) + "."
