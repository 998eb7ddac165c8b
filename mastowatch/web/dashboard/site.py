"""What every page is given: the records, the templates, who asks, and how to answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from mastowatch.jobs.context import View
from mastowatch.reliable.scheduler import Recurring
from mastowatch.web.dashboard.access import Access, Form, Role
from mastowatch.web.dashboard.counters import read_counters
from mastowatch.web.dashboard.rendering import Pages


@dataclass(frozen=True, slots=True)
class Site:
    """The dashboard. ``base`` is the path under which a proxy serves it: "" or like "/mastowatch"."""

    view: View
    schedule: Sequence[Recurring]
    pages: Pages
    access: Access
    base: str = ""

    def page(
        self, request: Request, template: str, *, at: str, status: int = 200, live: bool = False, **values: object
    ) -> HTMLResponse:
        """Return the page ``template``; ``at`` is the entry of the menu it belongs to, like "/jobs".

        A ``live`` page has a ``<div id="live">`` that is fetched again when something has changed.
        """
        counters = read_counters(self.view.redis, self.view.clock())
        return self._answer(request, template, at=at, status=status, live=live, counters=counters, **values)

    def problem(self, request: Request, status: int, title: str, detail: str, command: str = "") -> HTMLResponse:
        """Return a page that says what is wrong and what to do; it reads nothing."""
        told = {"title": title, "detail": detail, "command": command}
        return self._answer(request, "problem.html", at="", status=status, live=False, counters=None, **told)

    def changing(self, needs: Role) -> Callable[[Request], Awaitable[Form]]:
        """Return a dependency of a handler that changes something: it gives the form, or refuses.

        ``def cancel(request: Request, job_id: str, form: Form = Depends(site.changing("act"))) -> Response:``
        """

        async def changed(request: Request) -> Form:
            return await self.access.change(request, needs=needs)

        return changed

    def done(self, request: Request, to: str, said: str) -> Response:
        """Lead on to the page ``to``, like "/jobs", which shows ``said`` once: what was done."""
        response = RedirectResponse(self.base + to, status_code=303)
        self.access.say(request, response, said)
        return response

    def _answer(self, request: Request, template: str, *, status: int, live: bool, **values: object) -> HTMLResponse:
        person, said = self.access.person(request), self.access.said(request)
        shown = self.pages.render(
            template,
            person=person,
            may=person.may,
            csrf=self.access.csrf(request),
            sign_in=self.access.set_up,
            said=said,
            live=_liveness(request) if live else "",
            here=self.base + request.url.path,
            **values,
        )
        response = HTMLResponse(shown, status_code=status)
        if said:
            self.access.forget_said(request, response)
        return response


def _liveness(request: Request) -> str:
    """Return "on", or "off" where the URL asks the page to stand still."""
    return "off" if request.query_params.get("live") == "off" else "on"
