"""What every page is given: the records, the templates, who asks, and how to answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from mastowatch.jobs.actions import Actions
from mastowatch.jobs.context import View
from mastowatch.jobs.pulse import read_pulse
from mastowatch.reliable.scheduler import Recurring
from mastowatch.web.dashboard.access import Access, Form, Role
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
        counters = read_pulse(self.view.redis, self.view.clock())
        return self._answer(request, template, at=at, status=status, live=live, counters=counters, **values)

    def problem(self, request: Request, status: int, title: str, detail: str, command: str = "") -> HTMLResponse:
        """Return a page that says what is wrong and what to do, and leads back; it reads nothing."""
        told = {"title": title, "detail": detail, "command": command, "back": self._came_from(request)}
        return self._answer(
            request, "problem.html", at="", status=status, live=False, counters=None, problem=True, **told
        )

    def changing(self, needs: Role) -> Callable[[Request], Awaitable[Form]]:
        """Return a dependency of a handler that changes something: it gives the form, or refuses.

        ``def cancel(request: Request, job_id: str, form: Form = Depends(site.changing("act"))) -> Response:``
        """

        async def changed(request: Request) -> Form:
            return await self.access.change(request, needs=needs)

        return changed

    def actions(self, request: Request) -> Actions:
        """Return what the person who asks may have done; the audit will name them."""
        return Actions(self.view, self.access.person(request).by)

    def done(self, request: Request, to: str, said: str) -> Response:
        """Lead on to the page ``to``, like "/jobs", which shows ``said`` once: what was done."""
        response = RedirectResponse(self.base + to, status_code=303)
        self.access.say(request, response, said)
        return response

    def _came_from(self, request: Request) -> str:
        """Return the page of ours that this request came from, as a path with its base; "" where there is none."""
        page = urlsplit(request.headers.get("referer", ""))
        ours = self.access.address.is_ours(f"{page.scheme}://{page.netloc}", request.headers.get("host", ""))
        path = page.path.removeprefix(self.base)
        if not ours or not page.path.startswith(f"{self.base}/") or path == request.url.path:
            return ""
        return self.access.address.path(f"{path}?{page.query}" if page.query else path, "")

    def _answer(self, request: Request, template: str, *, status: int, live: bool, **values: object) -> HTMLResponse:
        person, said = self.access.person(request), self.access.said(request)
        told = {"problem": False, **values}
        shown = self.pages.render(
            template,
            person=person,
            may=person.may,
            csrf=self.access.csrf(request),
            sign_in=self.access.set_up,
            open_at=self.access.open_at,
            said=said,
            refreshes=live,
            live=_liveness(request),
            other_live=_other_live(request),
            here=self.base + request.url.path,
            **told,
        )
        response = HTMLResponse(shown, status_code=status)
        if said:
            self.access.forget_said(request, response)
        return response


def _liveness(request: Request) -> str:
    """Return "on", or "off" where the URL asks the page to stand still."""
    return "off" if request.query_params.get("live") == "off" else "on"


def _other_live(request: Request) -> str:
    """Return the link that has the page stand still, or go on."""
    rest = [(name, value) for name, value in request.query_params.multi_items() if name != "live"]
    return "?" + urlencode([*rest, ("live", "on" if _liveness(request) == "off" else "off")])
